from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from collector.settings import load_settings
from service.settings import SettingsError


def written(folder: Path, text: str) -> Path:
    path = folder / "c.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_collector_serves_loopback_alone() -> None:
    settings = load_settings(None, {"STATE_DIRECTORY": "/var/lib/x:/var/lib/y"})
    assert (settings.listen.page, settings.listen.agents) == ("127.0.0.1:8080", "")
    assert settings.state_dir == "/var/lib/x"


def test_the_environment_has_the_last_word(tmp_path: Path) -> None:
    path = written(tmp_path, 'register_day = 2025-06-01\n[listen]\npage = "127.0.0.1:1"\n')
    settings = load_settings(path, {"THONGSUOT_COLLECTOR_LISTEN__PAGE": "[::1]:2"})
    assert settings.listen.page == "[::1]:2"
    assert settings.register_day == datetime.date(2025, 6, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("proofwindow = 60", "unknown key 'proofwindow': did you mean 'proof_window'?"),
        ("report_every = 0", "'report_every': expected 0.2 to 3600 s, got 0"),
        ("report_every = -5.0", "'report_every': expected 0.2 to 3600 s, got -5"),
        ("report_every = nan", "'report_every': expected 0.2 to 3600 s, got nan"),
        (
            "report_every = 40",
            (
                "'proof_window': 60 s is less than two reports of 40 s: one that is late would make an office count as "
                "not connected: set 60, or report more often"
            ),
        ),
        (
            "proof_window = 600\nreport_every = 20",
            (
                "'alerts.silence.silent_after': 30 s is less than two reports of 20 s: one that is late would be an "
                "incident: set more, or report more often"
            ),
        ),
        (
            "[store]\nretain_days = 0",
            "'store.retain_days': expected 1 or more, got 0: measurements would be forgotten as they come",
        ),
        ('[store]\nkind = "sql"', "'store.kind': invalid enum value 'sql'"),
        ('[listen]\npage = "8080"', "'listen.page': expected host:port such as 127.0.0.1:8080, got '8080'"),
        ('[listen]\npage = "h:99999"', "'listen.page': expected host:port such as 127.0.0.1:8080, got 'h:99999'"),
        ('[listen]\nkey = "k.pem"', "'listen': expected both certificate and key, or neither"),
        (
            '[listen]\nagents = "0.0.0.0:8443"',
            (
                "'listen.agents': agents would send their tokens to 0.0.0.0 in clear: set certificate and key, "
                "or listen on 127.0.0.1 behind a proxy that speaks TLS"
            ),
        ),
    ],
)
def test_settings_that_cannot_be_are_refused_in_words(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {})
    assert str(refused.value) == f"{path}: {words}"


@pytest.mark.parametrize("certificate", ["", 'certificate = "c.pem"\nkey = "k.pem"'])
def test_a_page_for_all_is_no_place_for_tokens(tmp_path: Path, certificate: str) -> None:
    """Without an address of their own agents report where the page is, and the page speaks no TLS."""
    path = written(tmp_path, f'[listen]\npage = "0.0.0.0:8080"\n{certificate}')
    with pytest.raises(SettingsError, match=r"'listen\.page': agents would send .* give 'listen\.agents' an address"):
        load_settings(path, {})


def test_secrets_are_never_in_an_error(tmp_path: Path) -> None:
    path = written(tmp_path, '[secrets]\ncommunity = ["very-secret"]')
    with pytest.raises(SettingsError) as refused:
        load_settings(path, {})
    assert "very-secret" not in str(refused.value)
