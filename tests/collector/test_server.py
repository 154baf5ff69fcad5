"""The collector as a process of its own, over real sockets and signals."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.collector.provinces import TEXT
from tests.collector.senders import Sender
from tests.peers import free_port, running, wait_until

PROGRAM = str(Path(sys.executable).with_name("thongsuot-collector"))


class Installed:
    """A collector's settings and files in a folder."""

    def __init__(self, folder: Path, extra: str = "") -> None:
        self.port = free_port()
        self.log, self.config, self.topology = folder / "log", folder / "collector.toml", folder / "topology.yaml"
        self.topology.write_text(TEXT)
        self.config.write_text(
            f'topology = "{self.topology}"\nstate_dir = "{folder / "state"}"\nregister_day = 2025-06-01\n'
            f'report_every = 10\n{extra}\n[secrets]\nc = "x"\n[listen]\npage = "127.0.0.1:{self.port}"\n'
        )
        self.url = f"http://127.0.0.1:{self.port}"

    def command(self, *words: str) -> list[str]:
        return [PROGRAM, *words, "--config", str(self.config)]

    def ready(self) -> bool:
        with contextlib.suppress(httpx.HTTPError):
            return httpx.get(f"{self.url}/readyz", timeout=1).status_code == 200
        return False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[subprocess.Popen[bytes]]:
        with running(self.command("run"), ready=self.ready, log=self.log, seconds=30) as process:
            yield process

    def said(self, words: str) -> bool:
        return words in self.log.read_text()

    def once(self) -> subprocess.CompletedProcess[str]:
        """Runs it, for a run that fails."""
        return subprocess.run(self.command("run"), capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


@pytest.mark.slow
def test_a_stop_is_quick_with_a_stream_open_and_loses_nothing_that_was_acknowledged(installed: Installed) -> None:
    add = subprocess.run(installed.command("agent", "add", "d1"), capture_output=True, text=True, check=True)
    headers = {"Authorization": f"Bearer {add.stdout.strip()}"}
    sender = Sender(epoch=1)
    acknowledged = 0
    with (
        installed.at_work() as process,
        httpx.Client(base_url=installed.url, headers=headers) as client,
        client.stream("GET", "/api/v1/events") as stream,
    ):
        pieces = stream.iter_raw()
        assert next(pieces).startswith(b"retry: ")
        assert next(pieces).startswith(b"event: ")
        for _ in range(5):
            answer = client.post("/api/v1/reports", content=sender.body(sender.rows(3)))
            acknowledged += answer.status_code == 200
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
        assert time.monotonic() - began < 2.5
        assert list(pieces) is not None  # the stream has ended in order
    assert acknowledged == 5
    with installed.at_work(), httpx.Client(base_url=installed.url, headers=headers) as client:
        sender.next = 1
        assert client.post("/api/v1/reports", content=sender.body(sender.rows(15))).status_code == 200
        assert "thongsuot_measurements_repeated_total 15.0" in client.get("/metrics").text
    assert not installed.said("Traceback")


@pytest.mark.slow
def test_two_collectors_in_one_state_directory_are_refused(installed: Installed) -> None:
    with installed.at_work():
        second = installed.once()
    assert second.returncode == 1
    assert "another collector is running there: stop it, or set another state_dir" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.slow
def test_a_hangup_takes_a_good_topology_over_and_leaves_a_bad_one(installed: Installed) -> None:
    def offices() -> int:
        return int(httpx.get(f"{installed.url}/api/v1/coverage").json()["total"]["required"])

    with installed.at_work() as process:
        assert offices() == 6
        installed.topology.write_text(
            TEXT.replace(
                "template: commune, parent: d1, prefix: 10.1.1", "template: comune, parent: d1, prefix: 10.1.1"
            )
        )
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: installed.said("the one before stays in force"), "the refusal")
        assert offices() == 6
        installed.topology.write_text(TEXT.replace("secret:c", "secret:d"))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: installed.said("no secret 'd'"), "the refusal of the plan")
        assert offices() == 6
        installed.topology.unlink()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: installed.said("cannot be read"), "the refusal of no file")
        installed.topology.write_text("".join(line for line in TEXT.splitlines(keepends=True) if "id: c1" not in line))
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: offices() == 4, "the new register")


@pytest.mark.slow
def test_an_address_in_use_is_named(installed: Installed) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", installed.port))
        other.listen()
        ended = installed.once()
    assert ended.returncode == 1
    assert (
        f"listen.page: 127.0.0.1:{installed.port}: Address already in use: another program has it, perhaps another "
        "thongsuot-collector; 'ss -tulpn' names it: stop that one, or take another port"
    ) in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_a_certificate_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    installed = Installed(tmp_path)
    with installed.config.open("a") as file:
        file.write(
            f'agents = "127.0.0.1:{free_port()}"\ncertificate = "{tmp_path}/none.pem"\nkey = "{tmp_path}/none.key"\n'
        )
    ended = installed.once()
    assert ended.returncode == 1
    assert f"certificate {tmp_path}/none.pem and key {tmp_path}/none.key cannot be used: No such file" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.slow
def test_an_influx_that_is_away_at_the_start_holds_nothing_up(tmp_path: Path) -> None:
    nobody = free_port()
    installed = Installed(tmp_path)
    with installed.config.open("a") as file:
        file.write(f'[store]\nkind = "influx"\n[store.influx]\nurl = "http://127.0.0.1:{nobody}"\n')
    add = subprocess.run(installed.command("agent", "add", "d1"), capture_output=True, text=True, check=True)
    headers = {"Authorization": f"Bearer {add.stdout.strip()}"}
    sender = Sender(epoch=1)
    with installed.at_work(), httpx.Client(base_url=installed.url, headers=headers) as client:
        for _ in range(3):
            report = client.post("/api/v1/reports", content=sender.body(sender.rows(1)))
            assert report.status_code == 200
        wait_until(lambda: client.get("/readyz").json()["store"] != "ok", "the store to be called away")
        assert client.get("/readyz").json()["journal_entries"] == 3
        answer = client.get("/api/v1/nodes/d1/series")
        assert answer.status_code == 503
        assert answer.json()["detail"].startswith("the store of measurements is away: ")
        assert "thongsuot_store_up 0.0" in client.get("/metrics").text


@pytest.mark.slow
def test_a_damaged_state_is_named_and_left_alone(installed: Installed, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "state.db").write_bytes(b"no database " * 1000)
    ended = installed.once()
    assert ended.returncode == 1
    assert f"{state}/state.db: cannot be opened" in ended.stderr
    assert "Traceback" not in ended.stderr
