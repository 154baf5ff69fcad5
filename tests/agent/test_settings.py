from __future__ import annotations

from pathlib import Path

import pytest

from agent.settings import load, state_directory
from service.settings import SettingsError

GOOD = 'node = "bk"\ncollector = "https://collector.example.vn:8443"\ntoken = "s3cret"\n'


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "agent.toml"
    path.write_text(text)
    return path


def test_a_file_says_all_that_is_needed(tmp_path: Path) -> None:
    settings = load(written(tmp_path, GOOD), {})
    assert (settings.node, settings.collector, settings.token) == ("bk", "https://collector.example.vn:8443", "s3cret")
    assert settings.directory == Path("/var/lib/thongsuot-agent")
    assert settings.spool_max_bytes == 256 << 20


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    environ = {
        "THONGSUOT_NODE": "na",
        "THONGSUOT_SPOOL_MAX_BYTES": "1000000",
        "THONGSUOT_ALLOWED_PREFIXES": "10.0.0.0/8, 2001:db8::/32",
        "THONGSUOT_COLLECTOR_STATE_DIR": "/the/collector's",
        "STATE_DIRECTORY": "/run/a:/run/b",
        "PATH": "/bin",
    }
    settings = load(written(tmp_path, GOOD), environ)
    assert (settings.node, settings.spool_max_bytes) == ("na", 1_000_000)
    assert [str(net) for net in settings.prefixes()] == ["10.0.0.0/8", "2001:db8::/32"]
    assert settings.directory == Path("/run/a")


def test_a_token_may_be_in_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    text = GOOD.replace('token = "s3cret"', f'token_file = "{tmp_path}/token"')
    assert load(written(tmp_path, text), {}).token == "from-a-file"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + 'colector = "x"\n', "{file}: unknown key 'colector': did you mean 'collector'?"),
        (GOOD.replace("node", "# node"), "{file}: 'node' is missing: set it there, or in THONGSUOT_NODE"),
        (GOOD + 'spool_max_bytes = "much"\n', "{file}: 'spool_max_bytes': expected `int`, got `str`"),
        (GOOD + "spool_max_bytes = 5\n", "{file}: 'spool_max_bytes': expected at least 65536, got 5"),
        (GOOD + 'log_level = "loud"\n', "{file}: 'log_level': invalid enum value 'loud'"),
        (GOOD + 'ca_file = "/no/such.pem"\n', "{file}: 'ca_file': no such file: /no/such.pem"),
        (
            GOOD + 'allowed_prefixes = ["10.0.0.1/8"]\n',
            "{file}: 'allowed_prefixes': expected networks such as 10.12.0.0/16: 10.0.0.1/8 has host bits set",
        ),
        (
            GOOD.replace("https://collector.example.vn:8443", "http://collector.example.vn"),
            (
                "{file}: 'collector': 'http://collector.example.vn' would send the token in clear: expected https:// "
                "(http:// is for a collector on this host, such as http://127.0.0.1:8080)"
            ),
        ),
        (
            GOOD.replace("https://collector.example.vn:8443", "collector"),
            "{file}: 'collector': expected a URL such as https://collector.example.vn, got 'collector'",
        ),
        (
            GOOD.replace(":8443", ":port"),
            (
                "{file}: 'collector': 'https://collector.example.vn:port' is not a URL: "
                "Port could not be cast to integer value as 'port'"
            ),
        ),
        (
            GOOD.replace("s3cret", ""),
            "{file}: 'token': no token: set 'token' or 'token_file' to what the collector gave this node",
        ),
        (GOOD.replace("s3cret", "two words"), "{file}: 'token': expected a token of printable ASCII on one line"),
        (GOOD.replace('"bk"', '"bk/na"'), "{file}: 'node': expected a node's id of the topology, got 'bk/na'"),
        ("node = \n", "{file}: not TOML: Invalid value (at line 1, column 8)"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(tmp_path: Path, text: str, message: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load(path, {})
    assert str(refused.value) == message.format(file=path)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"agent\.toml: no such file: write it, or name another with --config"):
        load(tmp_path / "agent.toml", {})


def test_a_mistyped_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="unknown variable THONGSUOT_TOKN: did you mean THONGSUOT_TOKEN"):
        load(written(tmp_path, GOOD), {"THONGSUOT_TOKN": "x"})


def test_a_collector_on_this_host_needs_no_tls(tmp_path: Path) -> None:
    for url in ("http://127.0.0.1:8080", "http://[::1]:8080", "http://localhost:8080/at/a/path"):
        assert load(written(tmp_path, GOOD), {"THONGSUOT_COLLECTOR": url}).collector == url


def test_the_state_directory_is_found_without_the_secrets(tmp_path: Path) -> None:
    path = written(tmp_path, 'state_dir = "/srv/agent"\n')
    assert state_directory(path, {}) == Path("/srv/agent")
    assert state_directory(path, {"THONGSUOT_STATE_DIR": "/tmp/x"}) == Path("/tmp/x")
    assert state_directory(written(tmp_path, ""), {"STATE_DIRECTORY": "/run/a"}) == Path("/run/a")
