"""CPU, time and memory to poll 100 recorded devices: by our check, with either engine, and prometheus-snmp-exporter.

    python -m bench.devices [--devices 100] [--rounds 5] [--pysnmp 1] [--v3] [--json]

The devices are the recordings of ../shared or, without these, the walks of snmpsim-data, repeated to make so many; each
has an address of its own in 127.0.0.0/8. All contestants have as many requests under way at a time. Every round begins
with fresh processes: the first poll surveys a device, the second reads what was found, as all later ones do. The
exporter reads the same each time, and only tables of interfaces: so beside it our check with ``profile: none``. Time by
the clock is bounded by the devices, one process of Python. pysnmp, which begins a process for every run, takes minutes:
it is polled in the first rounds only.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import psutil

from bench import exporter, peers
from bench.polling import Cost
from bench.recorded import Totals, addresses
from tests.acceptance.test_open_recordings import recordings, without_system_group
from tests.checks.snmp.devices import V3
from tests.conftest import SHARED
from tests.peers import DEBIAN, free_port, which

OURS = "thongsuot, gufo-snmp"
PYSNMP = "thongsuot, pysnmp"
CHECKS: Mapping[str, Mapping[str, Any]] = {
    OURS: {},
    "thongsuot, gufo-snmp, interfaces alone": {"profile": "none"},
    PYSNMP: {"engine": "pysnmp"},
}
"""Contestants of ours, and their parameters."""
THEIRS = exporter.PROGRAM
CONCURRENCY = 4

Ask = Callable[[], bytes]
Poll = Callable[[], Cost]


class Measured(msgspec.Struct, frozen=True):
    """One poll of all devices. ``memory`` is bytes (PSS) at the most, child processes included."""

    cost: Cost
    memory: int
    asked: Totals


def files() -> list[Path]:
    """The recordings."""
    found = sorted((SHARED / "librenms" / "snmprec").glob("*.snmprec"))
    return found or [path for path in recordings() if not without_system_group(path)]


@contextlib.contextmanager
def asking(module: str, *arguments: str) -> Iterator[tuple[int, Ask]]:
    """A process of ours, and how to ask it: a line for a line. It ends when nothing more can be asked."""
    argv = [sys.executable, "-m", module, *arguments]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        asked, said = process.stdin, process.stdout

        def ask() -> bytes:
            asked.write(b"\n")
            asked.flush()
            line = said.readline()
            if not line:
                raise SystemExit(f"{module} ended with status {process.wait()}")
            return line

        yield process.pid, ask


@contextlib.contextmanager
def ours(params: Mapping[str, Any], targets: Sequence[str]) -> Iterator[tuple[int, Poll]]:
    """Our check."""
    with asking("bench.polling", json.dumps(params), str(CONCURRENCY), *targets) as (pid, ask):
        yield pid, lambda: msgspec.json.decode(ask(), type=Cost)


@contextlib.contextmanager
def theirs(version: str, targets: Sequence[str]) -> Iterator[tuple[int, Poll]]:
    """The exporter, scraped by threads of this process."""
    with tempfile.TemporaryDirectory() as folder, exporter.exporting(Path(folder)) as one:

        def scrape(target: str) -> str:
            try:
                one.scrape(target, version)
            except urllib.error.HTTPError as error:
                return error.read().decode(errors="replace")
            return ""

        def poll() -> Cost:
            began = time.perf_counter()
            with peers.cpu_of_pid(one.pid) as watch, ThreadPoolExecutor(CONCURRENCY) as pool:
                failed = tuple(filter(None, pool.map(scrape, targets)))
            return Cost(watch.cpu, time.perf_counter() - began, failed)

        yield one.pid, poll


@contextlib.contextmanager
def most_memory(pid: int) -> Iterator[list[int]]:
    """Samples of the memory of a process and its children while a ``with`` lasts."""
    samples = [0]
    ended = threading.Event()

    def sample() -> None:
        own = psutil.Process(pid)
        while not ended.wait(0.2):
            sizes = 0
            for process in (own, *own.children(recursive=True)):
                with contextlib.suppress(psutil.NoSuchProcess):
                    sizes += process.memory_full_info().pss
            samples.append(sizes)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield samples
    finally:
        ended.set()
        thread.join()


def measured(pid: int, poll: Poll, totals: Callable[[], Totals]) -> Measured:
    """One poll, under the stopwatch."""
    before = totals()
    with most_memory(pid) as samples:
        cost = poll()
    after = totals()
    asked = Totals(after.requests - before.requests, after.variables - before.variables)
    return Measured(cost, max(samples), asked)


def rounds(devices: int, number: int, of_pysnmp: int, version: str) -> dict[str, list[Measured]]:
    """The contestants in turn, so many times; by name, and whether first or later poll."""
    port = free_port()
    targets = [f"{address}:{port}" for address in addresses(devices)]
    security = V3 if version == "v3" else {}
    found: dict[str, list[Measured]] = {}
    with asking("bench.recorded", str(port), str(devices), *map(str, files())) as (_, ask):

        def totals() -> Totals:
            return msgspec.json.decode(ask(), type=Totals)

        totals()  # answered when all devices are there
        for done in range(number):
            for name, params in CHECKS.items():
                if name == PYSNMP and done >= of_pysnmp:
                    continue
                with ours({**security, **params}, targets) as (pid, poll):
                    for when in ("first poll", "later polls"):
                        found.setdefault(f"{name}, {when}", []).append(measured(pid, poll, totals))
            if which(THEIRS) is not None:
                with theirs(version, targets) as (pid, poll):
                    found.setdefault(THEIRS, []).append(measured(pid, poll, totals))
    return found


def results(found: Mapping[str, Sequence[Measured]]) -> dict[str, list[peers.Result]]:
    """By unit."""
    against = f"{OURS}, later polls"

    def of(read: Callable[[Measured], float]) -> list[peers.Result]:
        return [
            peers.Result(name, [read(one) for one in many], against, _note(many[-1])) for name, many in found.items()
        ]

    return {
        "s of CPU": of(lambda one: one.cost.cpu),
        "µs of CPU per variable": of(lambda one: one.cost.cpu / one.asked.variables * 1e6),
        "s by the clock": of(lambda one: one.cost.wall),
        "MiB at the most (PSS)": of(lambda one: one.memory / 2**20),
    }


def _note(one: Measured) -> str:
    failed = f"; {len(one.cost.failed)} devices failed" if one.cost.failed else ""
    return f"{one.asked.variables} variables in {one.asked.requests} requests{failed}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.devices", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pysnmp", type=int, default=1, help="how many of the rounds pysnmp takes part in (default 1)")
    parser.add_argument("--v3", action="store_true", help="over SNMPv3 with SHA-256 and AES-128, rather than v2c")
    parser.add_argument("--json", action="store_true", help="print JSON, every round kept")
    options = parser.parse_args()
    if which(THEIRS) is None:
        print(f"without {THEIRS}: apt-get install {DEBIAN[THEIRS]}", file=sys.stderr)
    version = "v3" if options.v3 else "v2c"
    found = rounds(options.devices, options.rounds, options.pysnmp, version)
    for name, many in found.items():
        for failed in sorted({why for one in many for why in one.cost.failed}):
            print(f"{name}: {failed}", file=sys.stderr)
    about = {
        **peers.machine(),
        **peers.package_versions("gufo-snmp", "pysnmp"),
        **peers.debian_versions(DEBIAN[THEIRS]),
        "devices": f"{options.devices}, {len(files())} recordings",
        "over": version,
        "at a time": str(CONCURRENCY),
    }
    by_unit = results(found)
    if options.json:
        print(json.dumps([json.loads(peers.as_json(some, unit, about)) for unit, some in by_unit.items()], indent=2))
    else:
        print("\n\n".join(peers.table(some, unit, about) for unit, some in by_unit.items()))


if __name__ == "__main__":
    main()
