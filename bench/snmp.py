"""CPU of one SNMP poll of 50 interfaces: ours, Debian's snmpbulkwalk, and prometheus-snmp-exporter, in one run.

All read the same instances, every column of ifTable and ifXTable, from the same snmpd. Beside them, what the check
``snmp`` costs as the agent runs it: fewer columns, but parsed, turned into rates and judged.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from gufo.snmp.sync import SnmpSession

from bench.exporter import PROGRAM, TABLES, Exporter, exporting
from bench.peers import (
    Result,
    as_json,
    cpu_of_children,
    cpu_of_pid,
    cpu_of_self,
    debian_versions,
    machine,
    package_versions,
    table,
)
from checks.contract import Context, SystemClock, Target
from checks.snmp import CHECK, SnmpParams, mib
from checks.snmp.access import access_of
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.tables import index_of
from tests.checks.snmp.devices import V3, Device, device_in_namespace, snmpd
from tests.peers import free_port, wait_until, which

POLLS = 5
"""In one round of one contestant, so that 10 ms of the kernel's clock do not matter."""

Poll = Callable[[], float]
"""Makes one poll, or several; returns seconds of CPU for one."""


def params_of(version: str) -> SnmpParams:
    return SnmpParams(**V3) if version == "v3" else SnmpParams()


def context() -> Context:
    return Context(clock=SystemClock(), timeout=30, memory={})


async def reader_of(device: Device, version: str) -> GufoReader:
    """Our reader, as the check would make it."""
    ctx = context()
    return GufoReader(await access_of(device.target, params_of(version), ctx, ctx.timeout), ctx.clock)


async def columns_of(device: Device) -> tuple[list[str], int]:
    """The columns that the device has in both tables, and how many instances."""
    reader = await reader_of(device, "v2c")
    oids = [oid for base in TABLES.values() async for oid, _ in reader.walk(base)]
    return list(dict.fromkeys(oid.rpartition(".")[0] for oid in oids)), len(oids)


def our_tables(runner: asyncio.Runner, device: Device, version: str, columns: list[str]) -> Poll:
    """Our reader: names by GETBULK, then every column of every row by GET."""
    reader = runner.run(reader_of(device, version))

    async def polls() -> None:
        for _ in range(POLLS):
            reader.begin()
            rows = [index_of(oid) async for oid, _ in reader.walk(mib.IF_NAME)]
            await reader.get([f"{column}.{row}" for row in rows for column in columns])

    def poll() -> float:
        with cpu_of_self() as watch:
            runner.run(polls())
        return watch.cpu / POLLS

    return poll


def our_check(runner: asyncio.Runner, device: Device, version: str) -> Poll:
    """The check, whole."""
    ctx = context()

    async def polls() -> None:
        for _ in range(POLLS):
            await CHECK.run(Target("bench", device.target), params_of(version), ctx)

    def poll() -> float:
        with cpu_of_self() as watch:
            runner.run(polls())
        return watch.cpu / POLLS

    return poll


def bulkwalk(device: Device, version: str) -> Poll:
    """As an operator does: a process for each table. Numbers only, so that no MIB is loaded."""
    credentials = ["-v2c", "-c", "public"]
    if version == "v3":
        credentials = ["-v3", "-u", V3["user"], "-l", "authPriv", "-a", "SHA-256", "-A", V3["auth_key"]]
        credentials += ["-x", "AES", "-X", V3["priv_key"]]
    program = which("snmpbulkwalk") or ""

    def poll() -> float:
        with cpu_of_children() as watch:
            for _ in range(POLLS):
                for base in TABLES.values():
                    argv = [program, "-m", "", "-Cr25", "-OnQ", *credentials, device.target, base]
                    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
        return watch.cpu / POLLS

    return poll


def scrapes(one: Exporter, device: Device, version: str) -> Poll:
    """As Prometheus does."""

    def poll() -> float:
        with cpu_of_pid(one.pid) as watch:
            for _ in range(POLLS):
                one.scrape(device.target, version)
        return watch.cpu / POLLS

    return poll


@contextlib.contextmanager
def device_with_many_interfaces(folder: Path) -> Iterator[Device]:
    """50 interfaces in a namespace; without root, those of this host."""
    if sys.platform != "linux" or which("ip") is None or not _is_root():
        with snmpd(folder, Device("127.0.0.1", free_port(socket.SOCK_DGRAM))) as device:
            yield device
        return
    with device_in_namespace(folder) as device:
        for number in range(24):  # beside wan0, lan0, lan1 and lo: 52 rows, 50 of them links
            device.ip("link", "add", "name", f"a{number}", "type", "veth", "peer", "name", f"b{number}")
        wait_until(lambda: rows_of(device) == 52, "snmpd to see the interfaces", seconds=40)
        yield device


def rows_of(device: Device) -> int:
    """How many rows ifXTable has at this moment: snmpd renews it now and then."""
    with SnmpSession(device.address, port=device.port, timeout=2) as session:
        return sum(1 for _ in session.getbulk(mib.IF_NAME))


def _is_root() -> bool:
    return Path("/proc/self").stat().st_uid == 0


def measure(folder: Path, rounds: int) -> tuple[list[Result], dict[str, str]]:
    """The contestants in turn, so many times."""
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(device_with_many_interfaces(folder))
        runner = stack.enter_context(asyncio.Runner())
        columns, instances = runner.run(columns_of(device))
        contestants: dict[str, tuple[str, str, Poll]] = {}
        exporter = stack.enter_context(exporting(folder, columns)) if which(PROGRAM) else None
        for version in ("v2c", "v3"):
            ours = f"thongsuot, both tables, {version}"
            both = f"{instances} variables"
            contestants[ours] = (ours, both, our_tables(runner, device, version, columns))
            contestants[f"thongsuot, check snmp, {version}"] = (
                ours,
                "12 columns; rates, levels and metrics included",
                our_check(runner, device, version),
            )
            if which("snmpbulkwalk"):
                contestants[f"snmpbulkwalk, {version}"] = (
                    ours,
                    f"{both}; 2 processes",
                    bulkwalk(device, version),
                )
            if exporter is not None:
                contestants[f"{PROGRAM}, {version}"] = (
                    ours,
                    f"{both}; text format included",
                    scrapes(exporter, device, version),
                )
        taken: dict[str, list[float]] = {name: [] for name in contestants}
        for number in range(rounds + 1):
            for name, (_, _, poll) in contestants.items():
                milliseconds = 1000 * poll()
                if number:  # the first round is to warm up
                    taken[name].append(milliseconds)
    about = machine() | package_versions("gufo-snmp") | debian_versions("snmp", "snmpd", PROGRAM)
    return [Result(name, taken[name], against, note) for name, (against, note, _) in contestants.items()], about


def main() -> None:
    """``python -m bench.snmp [--rounds N] [--json]``"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    for program in ("snmpbulkwalk", PROGRAM):
        if which(program) is None:
            sys.stderr.write(f"{program} is not installed: left out\n")
    if which("snmpd") is None:
        sys.exit("snmpd is not installed: apt-get install snmpd")
    with tempfile.TemporaryDirectory() as folder:
        results, about = measure(Path(folder), options.rounds)
    show = as_json if options.json else table
    print(show(results, "ms of CPU per poll", about))


if __name__ == "__main__":
    main()
