"""The collector as a reflector of STAMP packets, as a process of its own."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import httpx
import pytest

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome
from checks.stamp import CHECK, StampParams
from collector.settings import load_settings
from service.settings import SettingsError
from tests.collector.test_server import Installed
from tests.peers import free_port


def with_reflector(folder: Path, port: int, key: str = "") -> Installed:
    installed = Installed(folder)
    text = installed.config.read_text().replace(
        "[secrets]\n", f'[secrets]\nstamp = "{key}"\n' if key else "[secrets]\n"
    )
    installed.config.write_text(f'{text}reflector = "127.0.0.1:{port}"\n')
    return installed


def stamp(port: int, key: str) -> Outcome:
    params = StampParams(count=5, spacing=0.01, wait=3.0, key=key)
    context = Context(SystemClock(), 10.0, {})

    async def run() -> Outcome:
        return await CHECK.run(Target("n", f"127.0.0.1:{port}"), params, context)

    return asyncio.run(run())


@pytest.mark.slow
def test_the_collector_reflects_packets_of_its_key_and_counts_the_others(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    installed = with_reflector(tmp_path, port, "a key")

    with installed.at_work():
        right, wrong = stamp(port, "a key"), stamp(port, "another")
        metrics = httpx.get(f"{installed.url}/metrics").text

    assert (right.answered, right.reason) == (True, "")
    assert (wrong.answered, wrong.reason) == (False, "timeout")
    assert 'thongsuot_stamp_packets_total{outcome="reflected"} 5.0' in metrics
    assert 'thongsuot_stamp_packets_total{outcome="forged"} 5.0' in metrics
    assert not installed.said("answers anybody")


@pytest.mark.slow
def test_without_a_key_it_answers_anybody_and_says_so(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    installed = with_reflector(tmp_path, port)

    with installed.at_work():
        assert stamp(port, "").answered

    assert installed.said("the reflector answers anybody: set a secret named stamp, and it answers only who has it")


@pytest.mark.slow
def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        ended = with_reflector(tmp_path, port).once()

    assert ended.returncode != 0
    assert f"listen.reflector: 127.0.0.1:{port}: Address already in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('[listen]\nreflector = "862"\n')

    with pytest.raises(SettingsError, match=r"'listen\.reflector': expected host:port such as 127\.0\.0\.1:8080"):
        load_settings(file, {})
