"""Recorded devices on real UDP, read as LibreNMS reads them.

The recordings are LibreNMS's (GPL-3.0-or-later), beside the repository and no part of it. ``--recordings DIR`` takes
another folder, of ``snmprec/NAME.snmprec`` and ``expected/NAME.json``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome
from checks.snmp import CHECK, SnmpParams
from checks.snmp.access import access_of
from checks.snmp.check import fetch
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.inventory import read_inventory
from tests.acceptance.comparing import BARS, Row, compared
from tests.acceptance.recording import Recording
from tests.acceptance.responder import serving

V3 = {
    "version": "3",
    "user": "monitor",
    "auth": "sha256",
    "auth_key": "authpass123",
    "priv": "aes128",
    "priv_key": "privpass123",
}
EVERY_INTERFACE: dict[str, Any] = {"exclude": "^$"}


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    given = request.config.getoption("--recordings")
    if given is not None:
        assert isinstance(given, Path)
        return given
    shared = request.getfixturevalue("shared")
    assert isinstance(shared, Path)
    return shared / "librenms"


def devices(folder: Path) -> Iterator[tuple[Recording, dict[str, Any]]]:
    names = sorted(path.stem for path in (folder / "expected").glob("*.json"))
    assert names, f"{folder}: expected expected/NAME.json and snmprec/NAME.snmprec"
    for name in names:
        expected = json.loads((folder / "expected" / f"{name}.json").read_text(encoding="utf-8"))
        yield Recording(folder / "snmprec" / f"{name}.snmprec"), expected


async def rows_of(recording: Recording, expected: dict[str, Any], params: SnmpParams) -> list[Row]:
    """Reads a device over UDP, and compares."""
    async with serving(recording) as (_, port):
        ctx = Context(clock=SystemClock(), timeout=120.0, memory={})
        access = await access_of(f"127.0.0.1:{port}", params, ctx, ctx.timeout)
        reader = GufoReader(access, ctx.clock)
        reading = await fetch(reader, access, params, ctx)
        inventory = await read_inventory(reader, reading.system, params, ctx, ctx.clock.monotonic())
    assert not inventory.silent
    return list(compared(expected, recording.has, reading.interfaces, inventory.readings))


def percent(rows: list[Row]) -> float:
    return 100 * sum(row.same for row in rows) / len(rows)


def table(by_device: dict[str, list[Row]]) -> str:
    """Rows that agree of all, by device and quantity."""
    lines = [f"{'':28}" + "".join(f"{quantity:>14}" for quantity in BARS)]
    totals: dict[str, list[Row]] = defaultdict(list)
    for name, rows in by_device.items():
        cells = []
        for quantity in BARS:
            some = [row for row in rows if row.quantity == quantity]
            totals[quantity] += some
            cells.append(f"{sum(row.same for row in some)}/{len(some)}" if some else "")
        lines.append(f"{name[:28]:28}" + "".join(f"{cell:>14}" for cell in cells))
    shown = [f"{percent(totals[quantity]):.2f} %" if totals[quantity] else "" for quantity in BARS]
    return "\n".join([*lines, f"{'all':28}" + "".join(f"{cell:>14}" for cell in shown)])


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("params", [{}, V3], ids=["v2c", "v3"])
async def test_recorded_devices_read_as_librenms_reads_them(
    folder: Path, params: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    by_device = {
        recording.name: await rows_of(recording, expected, SnmpParams(**params, **EVERY_INTERFACE))
        for recording, expected in devices(folder)
    }
    every = [row for rows in by_device.values() for row in rows]
    others = [f"{name}: {row}" for name, rows in by_device.items() for row in rows if not row.same]
    with capsys.disabled():
        print("\n" + table(by_device))
        print("\n".join(["they differ:", *others]) if others else "all agree")

    missed = {}
    for quantity, bar in BARS.items():
        rows = [row for row in every if row.quantity == quantity]
        if rows and percent(rows) < bar:
            missed[quantity] = percent(rows)
    assert missed == {}


@pytest.mark.slow
async def test_the_check_comes_to_a_verdict_on_every_recorded_device(folder: Path) -> None:
    for recording, _ in devices(folder):
        outcome = await polled(recording)
        assert outcome.answered, (recording.name, outcome)
        assert outcome.reason != "misbehaves", (recording.name, outcome)


async def polled(recording: Recording) -> Outcome:
    """The outcome of the second run: the first has no rates."""
    async with serving(recording) as (_, port):
        ctx = Context(clock=SystemClock(), timeout=30.0, memory={})
        target = Target("x", f"127.0.0.1:{port}")
        await CHECK.run(target, SnmpParams(), ctx)
        return await CHECK.run(target, SnmpParams(), ctx)
