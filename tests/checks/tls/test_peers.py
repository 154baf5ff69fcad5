"""The same servers, seen by check_http of the Monitoring Plugins, by blackbox_exporter and by OpenSSL's own server."""

from __future__ import annotations

import asyncio
import datetime
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from checks.contract import SystemClock
from checks.model import Outcome, State
from tests.checks.tls.looking import context, look
from tests.nginx import nginx
from tests.peers import accepts, free_port, need, running
from tests.pki import DAY, Issued, issue

CHECK_HTTP = "/usr/lib/nagios/plugins/check_http"
BLACKBOX = "prometheus-blackbox-exporter"

pytestmark = pytest.mark.peer


async def seen(port: int, ca_file: Path) -> Outcome:
    return await look(f"127.0.0.1:{port}", context(SystemClock()), server_name="a.example", ca_file=str(ca_file))


def days(outcome: Outcome, name: str) -> float:
    return next(metric.value for metric in outcome.metrics if metric.name == name)


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Issued, Path]:
    root = issue("Root", authority=True, end=now() + 4000 * DAY)
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(root.pem)
    return root, ca_file


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def server(folder: Path, chain: tuple[Issued, ...]) -> tuple[int, str]:
    """A port, and nginx's words for a server there that shows the chain."""
    port = free_port()
    certificate, key = chain[0].write(folder, f"server{port}", chain[1:])
    return port, f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; }}"


@pytest.mark.parametrize(("left", "state"), [(40.5, State.OK), (20.5, State.WARN), (3.5, State.CRIT), (-2, State.CRIT)])
async def test_check_http_sees_the_same_days_and_the_same_state(
    tmp_path: Path, authority: tuple[Issued, Path], left: float, state: State
) -> None:
    need(CHECK_HTTP)
    root, ca_file = authority
    leaf = issue("a.example", "a.example", by=root, start=now() - 90 * DAY, end=now() + left * DAY)
    port, block = server(tmp_path, (leaf,))
    with nginx(tmp_path, [block], [port]):
        argv = [CHECK_HTTP, "-I", "127.0.0.1", "-p", str(port), "-S", "--sni", "-H", "a.example", "-C", "30,7"]
        peer = await asyncio.to_thread(subprocess.run, argv, capture_output=True, text=True, check=False)
        outcome = await seen(port, ca_file)
    assert peer.returncode == {State.OK: 0, State.WARN: 1, State.CRIT: 2}[state], peer.stdout
    assert outcome.state is state
    ends = leaf.certificate.not_valid_after_utc
    words = f"expires in {int(left)} day(s)" if 0 < left < 30 else f"{ends:%a %b %e %H:%M:%S %Y}"
    assert words in peer.stdout
    assert days(outcome, "tls.chain.days_left") == pytest.approx(left, abs=0.01)


@pytest.fixture
def blackbox(tmp_path: Path, authority: tuple[Issued, Path]) -> Iterator[int]:
    need(BLACKBOX)
    port, configuration = free_port(), tmp_path / "blackbox.json"
    tls = {"ca_file": str(authority[1]), "server_name": "a.example"}
    module = {"prober": "tcp", "timeout": "5s", "tcp": {"tls": True, "tls_config": tls}}
    configuration.write_text(json.dumps({"modules": {"tls": module}}))  # YAML is a superset
    argv = [BLACKBOX, f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(argv, ready=lambda: accepts(port), log=tmp_path / "blackbox.log"):
        yield port


async def test_blackbox_exporter_s_two_expiries_are_ours_and_differ_where_they_should(
    tmp_path: Path, authority: tuple[Issued, Path], blackbox: int
) -> None:
    """A server that sends a certificate nobody needs makes the earliest expiry an alarm about nothing."""
    root, ca_file = authority
    leaf = issue("a.example", "a.example", by=root, end=now() + 100 * DAY)
    unneeded = issue("Old", authority=True, by=root, start=now() - 90 * DAY, end=now() + 9 * DAY)
    port, block = server(tmp_path, (leaf, unneeded))
    with nginx(tmp_path, [block], [port]):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{blackbox}") as client:
            answer = await client.get("/probe", params={"module": "tls", "target": f"127.0.0.1:{port}"})
        said = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[0] != "#")
        outcome = await seen(port, ca_file)
    assert said["probe_success"] == "1"
    theirs = {
        "tls.sent.days_left": "probe_ssl_earliest_cert_expiry",
        "tls.chain.days_left": "probe_ssl_last_chain_expiry_timestamp_seconds",
    }
    for ours, name in theirs.items():
        assert days(outcome, ours) == pytest.approx((float(said[name]) - time.time()) / 86_400, abs=0.001)
    assert days(outcome, "tls.sent.days_left") == pytest.approx(9, abs=0.01)
    assert days(outcome, "tls.chain.days_left") == pytest.approx(100, abs=0.01)
    assert outcome.state is State.OK


@pytest.mark.parametrize(("version", "protocol"), [("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")])
async def test_openssl_s_own_server_is_seen_as_it_is_set_up(
    tmp_path: Path, authority: tuple[Issued, Path], version: str, protocol: str
) -> None:
    need("openssl")
    root, ca_file = authority
    certificate, key = issue("a.example", "a.example", by=root).write(tmp_path, "leaf")
    port = free_port()
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(certificate), "-key", str(key)]
    with running([*argv, version, "-quiet"], ready=lambda: accepts(port), log=tmp_path / "s_server.log"):
        outcome = await seen(port, ca_file)
    assert (outcome.state, outcome.facts["protocol"]) == (State.OK, protocol), outcome.summary
