"""Values ingested per second of the collector's CPU, beside InfluxDB and VictoriaMetrics given the same points.

    python -m bench.ingest [--values 300000] [--rounds 3] [--profile] [--json]

Each is an ordinary process on loopback, without TLS, fresh for every round. 60 agents send over kept connections, one
request of 100 values at a time; a process of its own sends the load, which was prepared before. Measured is the CPU
(user and system, all threads) from the second report of each agent until the server has been told to stop and has
ended: so everything is in its files, compressed, and nothing is left to do later. Ours decodes, verifies, journals with
fsync, judges and stores; the others only store.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import multiprocessing
import signal
import sqlite3
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import peers
from bench.load import (
    AGENTS,
    METRICS_OF_JOB,
    POINTS_OF_JOB,
    VALUES_IN_REPORT,
    Sender,
    Traffic,
    agents,
    post_all,
    to_collector,
    topology_text,
    traffic,
)
from bench.stages import STAGES
from collector.state import StateFile
from tests.peers import DEBIAN, free_port, running, wait_until, which

OURS = "thongsuot-collector"
UNIT = "1000 values per s of CPU"


@dataclass
class Served:
    """A server that is ready: where requests go, and what each agent sends, first and then."""

    process: subprocess.Popen[bytes]
    port: int
    target: str
    first: list[Sender]
    rest: list[Sender]


@dataclass
class Party:
    """A contestant. ``serving`` starts it in a folder; ``settled`` waits until its data is where it stays, while it
    runs; ``stored`` is the bytes and, when it can be told, the points in its files."""

    name: str
    serving: Callable[[Path, Sequence[Traffic]], contextlib.AbstractContextManager[Served]]
    settled: Callable[[Path], None]
    stored: Callable[[Path], tuple[int, int | None]]
    payload: Callable[[Traffic], list[bytes]]
    note: str
    rounds: list[float] = field(default_factory=list)
    disk: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.ingest", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--values", type=int, default=300_000, help="in each round (default 300000)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="say where our CPU goes, in a round of its own")
    parser.add_argument("--json", action="store_true", help="print JSON, every round kept")
    options = parser.parse_args()
    reports = 1 + max(1, round(options.values / AGENTS / VALUES_IN_REPORT))
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="thongsuot-bench-") as name, ProcessPoolExecutor(1, spawn) as pool:
        load = list(pool.map(traffic, *zip(*((agent, reports, _now()) for agent in agents()), strict=True)))
        parties = _parties()
        for number in range(options.rounds):
            for party in parties:
                _round(party, Path(name) / f"{number}-{party.name}", load, pool)
        stages = _profile(Path(name) / "profile", load, pool) if options.profile else []
    results = [peers.Result(p.name, p.rounds, OURS, _note(p, load)) for p in parties]
    about = _about(reports - 1)
    if options.json:
        told = json.loads(peers.as_json(results, UNIT, about))
        print(json.dumps(told | ({"cpu": dict(stages)} if stages else {}), indent=2))
        return
    print(f"{1000 * results[0].median:,.0f} values/s\n".replace(",", " "))
    print(peers.table(results, UNIT, about))
    if stages:
        print("\n| | µs of CPU per report of 100 values | part |\n|---|---:|---:|")
        whole = sum(seconds for _, seconds in stages)
        for stage, seconds in stages:
            print(f"| {stage} | {seconds / _requests(load) * 1e6:.0f} | {100 * seconds / whole:.0f} % |")


def _parties() -> list[Party]:
    found = [Party(OURS, _ours, lambda _: None, _stored_by_us, lambda made: made.reports, "journal, alerts included")]
    for program, party in (
        (
            "influxd",
            Party("influxdb 1.6", _influx, _influx_settled, _size, lambda made: made.writes, "line protocol, gzip"),
        ),
        (
            "victoria-metrics",
            Party("victoria-metrics", _victoria, lambda _: None, _size, lambda made: made.writes, "the same; no fsync"),
        ),
    ):
        if which(program) is None:
            print(f"without {program}: apt-get install {DEBIAN[program]}", file=sys.stderr)
        else:
            found.append(party)
    return found


def _round(party: Party, folder: Path, load: Sequence[Traffic], pool: ProcessPoolExecutor) -> None:
    """One server's life. Adds what it took."""
    folder.mkdir()
    with peers.cpu_of_children() as life, party.serving(folder, load) as served:
        begin = _deliver(served, pool)
        party.settled(folder)
        _end(served.process, party.name)
    values = _requests(load) * VALUES_IN_REPORT
    party.rounds.append(values / (life.cpu - begin) / 1000)
    size, points = party.stored(folder)
    sent = (_requests(load) + AGENTS) * VALUES_IN_REPORT
    party.disk = size / sent
    if points is not None and points != sent // METRICS_OF_JOB * POINTS_OF_JOB:
        raise SystemExit(f"{party.name}: {sent // METRICS_OF_JOB * POINTS_OF_JOB} points were sent, {points} are there")


def _deliver(served: Served, pool: ProcessPoolExecutor) -> float:
    """Sends everything. Returns the seconds of CPU that the server had taken before what counts."""
    pool.submit(post_all, served.port, served.target, served.first).result()
    used = psutil.Process(served.process.pid).cpu_times()
    pool.submit(post_all, served.port, served.target, served.rest).result()
    return used.user + used.system


def _end(process: subprocess.Popen[bytes], name: str) -> None:
    """Ends a server, however long it takes to write what it holds."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(60)
    except subprocess.TimeoutExpired:
        raise SystemExit(f"{name} did not end within 60 s") from None


def _requests(load: Sequence[Traffic]) -> int:
    return sum(len(made.reports) - 1 for made in load)


def _note(party: Party, load: Sequence[Traffic]) -> str:
    sent = sum(len(body) for made in load for body in party.payload(made)[1:])
    wire = sent / _requests(load) / VALUES_IN_REPORT
    return f"{wire:.1f} By a value on the wire, {party.disk:.1f} on disk; {party.note}"


def _about(reports: int) -> dict[str, str]:
    return {
        **peers.machine(),
        **peers.debian_versions("influxdb", "victoria-metrics"),
        "load": f"{AGENTS} agents, {reports} reports of {VALUES_IN_REPORT} values each",
    }


def _now() -> int:
    return round(datetime.datetime.now(datetime.UTC).timestamp() * 1000)


# Ours


@contextlib.contextmanager
def _ours(folder: Path, load: Sequence[Traffic], *before: str) -> Iterator[Served]:
    """The collector by its console script, or by what comes ``before`` its arguments."""
    page, port = free_port(), free_port()
    config = _configured(folder, page, port)
    tokens = _tokens(folder / "state.db")
    argv = [*(before or (str(Path(sys.executable).with_name(OURS)),)), "run", "--config", str(config)]
    with running(argv, ready=lambda: _answers(f"http://127.0.0.1:{page}/readyz"), log=folder / "log") as process:
        yield Served(
            process,
            port,
            "/api/v1/reports",
            [to_collector(made.reports[:1], tokens[made.agent]) for made in load],
            [to_collector(made.reports[1:], tokens[made.agent]) for made in load],
        )


def _configured(folder: Path, page: int, port: int) -> Path:
    topology, config = folder / "topology.yaml", folder / "collector.toml"
    topology.write_text(topology_text(), encoding="utf-8")
    config.write_text(
        f'topology = "{topology}"\nstate_dir = "{folder}"\n'
        f'[listen]\npage = "127.0.0.1:{page}"\nagents = "127.0.0.1:{port}"\n',
        encoding="utf-8",
    )
    return config


def _tokens(path: Path) -> dict[str, str]:
    state = StateFile(path)
    try:
        return {agent: state.new_token(agent, 0) for agent in agents()}
    finally:
        state.close()


def _stored_by_us(folder: Path) -> tuple[int, int | None]:
    with contextlib.closing(sqlite3.connect(folder / "store.db")) as db:
        points = db.execute("SELECT sum(count) FROM chunk").fetchone()[0]
    return _allocated([folder / "store.db"]), points


def _profile(folder: Path, load: Sequence[Traffic], pool: ProcessPoolExecutor) -> list[tuple[str, float]]:
    """Seconds of CPU by stage, in a collector with a stopwatch on each; what is left is HTTP and the event loop."""
    folder.mkdir()
    told = folder / "stages.json"
    with (
        peers.cpu_of_children() as life,
        _ours(folder, load, sys.executable, "-m", "bench.stages", str(told)) as served,
    ):
        begin = _deliver(served, pool)
        _end(served.process, OURS)
    taken: dict[str, float] = json.loads(told.read_text())
    return [*((stage, taken[stage]) for stage in STAGES), ("HTTP, event loop", life.cpu - begin - sum(taken.values()))]


# The peers


@contextlib.contextmanager
def _influx(folder: Path, load: Sequence[Traffic]) -> Iterator[Served]:
    port = free_port()
    config = folder / "influxdb.conf"
    # What was written goes from the write-ahead log to its compressed form when no more comes: so it counts.
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n[meta]\ndir = "{folder}/meta"\n'
        f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\ncache-snapshot-write-cold-duration = "1s"\n'
        f'[monitor]\nstore-enabled = false\n[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n',
        encoding="utf-8",
    )
    url, log = f"http://127.0.0.1:{port}", folder / "log"
    with running(["influxd", "-config", str(config)], ready=lambda: _answers(f"{url}/ping"), log=log) as process:
        urllib.request.urlopen(f"{url}/query", b"q=CREATE+DATABASE+bench", timeout=10).close()
        yield _lines_to(process, port, "/write?db=bench&precision=ms", load)


def _influx_settled(folder: Path) -> None:
    def written() -> bool:
        logged = sum(path.stat().st_size for path in (folder / "wal").rglob("*.wal"))
        return logged == 0 and any((folder / "data").rglob("*.tsm"))

    wait_until(written, "InfluxDB to compress what it holds", seconds=30)


@contextlib.contextmanager
def _victoria(folder: Path, load: Sequence[Traffic]) -> Iterator[Served]:
    port = free_port()
    argv = [
        "victoria-metrics",
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=1",
    ]
    ready = f"http://127.0.0.1:{port}/health"
    with running(argv, ready=lambda: _answers(ready), log=folder / "log") as process:
        yield _lines_to(process, port, "/write?precision=ms", load)


def _lines_to(process: subprocess.Popen[bytes], port: int, target: str, load: Sequence[Traffic]) -> Served:
    headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
    return Served(
        process,
        port,
        target,
        [Sender(headers, made.writes[:1]) for made in load],
        [Sender(headers, made.writes[1:]) for made in load],
    )


def _size(folder: Path) -> tuple[int, int | None]:
    return _allocated([path for part in ("data", "wal") for path in (folder / part).rglob("*")]), None


def _allocated(paths: Iterable[Path]) -> int:
    """Bytes of disk. Preallocated files have holes, so their sizes would say too much."""
    return sum(path.stat().st_blocks * 512 for path in paths if path.is_file())


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as response:
        return bool(response.status < 300)
    return False


if __name__ == "__main__":
    main()
