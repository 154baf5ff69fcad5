"""kill -9, again and again, of the real agent and the real collector in the middle of a stream."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.peers import accepts, free_port, wait_until

KILLS = 20
JOBS = 20
BIN = Path(sys.executable).parent

TOPOLOGY = """
province: {{name: T, name_en: T, timezone: Asia/Ho_Chi_Minh}}
tiers: [{{id: province, vi: T, en: T}}]
categories: [{{id: party, vi: D, en: P}}]
templates: {{centre: {{tier: province, measured_by: self, checks: [{checks}]}}}}
nodes: [{{id: bk, name: B, template: centre}}]
"""


class Daemon:
    """A program that is started, killed and started again, on the same files."""

    def __init__(self, *argv: str, log: Path) -> None:
        self._argv, self._log = argv, log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                [BIN / self._argv[0], *self._argv[1:]], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        self.process.send_signal(how)
        return self.process.wait(20)


@pytest.fixture
def target() -> Iterator[int]:
    """A port that accepts connections."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def toml(path: Path, **values: object) -> Path:
    lines = [f"{key.replace('__', '.')} = {msgspec.json.encode(value).decode()}\n" for key, value in values.items()]
    path.write_text("".join(lines))
    return path


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_what_was_spooled_is_in_the_store_exactly_once_after_20_kills(tmp_path: Path, target: int) -> None:
    seed = int.from_bytes(os.urandom(4))
    print(f"seed {seed}")
    chance = random.Random(seed)
    checks = ", ".join(
        f"{{check: tcp, label: j{i}, target: '127.0.0.1:{target}', interval: 0.4, deadline: 0.3, retry: 0.4}}"
        for i in range(JOBS)
    )
    (tmp_path / "topology.yaml").write_text(TOPOLOGY.format(checks=checks))
    port = free_port()
    collector_toml = toml(
        tmp_path / "collector.toml",
        topology=str(tmp_path / "topology.yaml"),
        state_dir=str(tmp_path / "collector"),
        report_every=0.3,
        listen__page=f"127.0.0.1:{port}",
    )
    add = [str(BIN / "thongsuot-collector"), "agent", "add", "bk", "--config", str(collector_toml)]
    token = subprocess.run(add, check=True, capture_output=True, text=True).stdout.strip()
    agent_toml = toml(
        tmp_path / "agent.toml",
        node="bk",
        collector=f"http://127.0.0.1:{port}",
        token=token,
        state_dir=str(tmp_path / "agent"),
    )
    log = tmp_path / "log"
    collector = Daemon("thongsuot-collector", "run", "--config", str(collector_toml), log=log)
    agent = Daemon("thongsuot-agent", "run", "--config", str(agent_toml), log=log)
    collector.start()
    agent.start()
    try:
        wait_until(lambda: accepts(port), "the collector, and its files", 30)
        wait_until(lambda: bool(received(tmp_path)), "a first measurement", 30)
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.1, 2.5))  # the moment of a kill is the point of the test
            victim = chance.choice([collector, agent])
            victim.end(signal.SIGKILL)
            if chance.random() < 0.3:
                time.sleep(chance.uniform(0, 1.0))
            victim.start()
        wait_until(lambda: whole(tmp_path), "the backlog to be delivered", 60)
    finally:
        statuses = [daemon.end(signal.SIGTERM) for daemon in (agent, collector)]
    assert statuses == [0, 0], log.read_text()[-3000:]

    ((epoch, total),) = read(spool(tmp_path), "SELECT epoch, seq FROM meta, sqlite_sequence WHERE name = 'measurement'")
    assert total > JOBS * KILLS
    arrived = received(tmp_path)
    assert set(arrived) == {epoch}, "the spool was begun anew"
    kept = {seq for (seq,) in read(spool(tmp_path), "SELECT seq FROM measurement")}
    lost = set(range(1, total + 1)) - arrived[epoch] - kept
    assert not lost, f"seed {seed}: of {total} spooled, {len(lost)} are nowhere"
    assert read(journal(tmp_path), "SELECT count(*) FROM gap") == [(0,)]
    points = "SELECT sum(count) FROM chunk JOIN series ON series.id = chunk.series WHERE metric = 'check.state'"
    assert read(tmp_path / "collector" / "store.db", points) == [(len(arrived[epoch]),)], f"seed {seed}"


def spool(folder: Path) -> Path:
    return folder / "agent" / "spool.db"


def journal(folder: Path) -> Path:
    return folder / "collector" / "journal.db"


def whole(folder: Path) -> bool:
    """Whether the collector has all up to the newest that it has."""
    return all(numbers == set(range(1, max(numbers) + 1)) for numbers in received(folder).values())


def received(folder: Path) -> dict[int, set[int]]:
    """The sequence numbers that have arrived, by epoch."""
    return {
        epoch: {number for first, last in msgspec.msgpack.decode(runs) for number in range(first, last + 1)}
        for epoch, runs in read(journal(folder), "SELECT epoch, runs FROM received")
    }


def read(path: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a file that another process may be writing."""
    if not path.exists():
        return []
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(query).fetchall()
