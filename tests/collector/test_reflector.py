"""The collector as a reflector of STAMP packets, as a process of its own."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import time
from pathlib import Path

import httpx
import pytest

from agent.planning import decode
from checks.contract import Context, SystemClock, Target
from checks.model import Outcome
from checks.stamp import CHECK, StampParams
from checks.stamp.kept import read, written
from checks.stamp.packet import Sent, write_sent
from checks.stamp.timestamp import ntp
from collector.settings import load_settings
from collector.state import StateFile
from service.settings import SettingsError
from tests.collector.provinces import TEXT
from tests.collector.test_server import Installed
from tests.peers import free_port, wait_until


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


@pytest.mark.slow
def test_what_was_recorded_before_a_kill_is_no_life_after_it(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    installed = with_reflector(tmp_path, port, "a key")
    installed.topology.write_text(
        TEXT.replace("template: centre}", f'template: centre, reflector: "127.0.0.1:{port}"}}')
    )
    add = subprocess.run(installed.command("agent", "add", "d1"), capture_output=True, text=True, check=True)

    def told(name: str) -> float:
        lines = httpx.get(f"{installed.url}/metrics").text.splitlines()
        return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(f"thongsuot_stamp_{name} "))

    def kept() -> bool:
        state = StateFile(tmp_path / "state" / "state.db")
        try:
            return bool(read(state.things("stamp").get("newest", written({}, clean=True))))
        finally:
            state.close()

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(10)
        with installed.at_work() as process:
            headers = {"Authorization": f"Bearer {add.stdout.strip()}"}
            (beat,) = decode(httpx.get(f"{installed.url}/api/v1/plan", headers=headers).content, "d1", "plan").beats
            key, now = str(beat.job.params["key"]).encode(), time.time_ns()
            recorded = [write_sent(Sent(n, ntp(now + n * 10**8), 1, beat.ssid), key) for n in range(2)]
            client.send(recorded[0])
            client.recv(2048)
            wait_until(kept, "the newest timestamp on the disk")
            client.send(recorded[1])
            client.recv(2048)
            process.kill()
            process.wait(10)
        with installed.at_work():
            for packet in recorded:
                client.send(packet)
            wait_until(lambda: told('packets_total{outcome="replayed"}') == 2, "the refusal")
            assert (told('packets_total{outcome="reflected"}'), told("sessions_alive")) == (0, 0)
            client.send(write_sent(Sent(2, ntp(now + 60 * 10**9), 1, beat.ssid), key))
            client.recv(2048)
            wait_until(lambda: told("sessions_alive") == 1, "life")


def test_an_address_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text('[listen]\nreflector = "862"\n')

    with pytest.raises(SettingsError, match=r"'listen\.reflector': expected host:port such as 127\.0\.0\.1:8080"):
        load_settings(file, {})
