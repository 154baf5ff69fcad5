"""The walks of the PyPI package snmpsim-data (BSD-2-Clause): what a clone has without any other recordings. Makers that
no profile is for are among them. What some should read was read off them by hand."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome
from checks.snmp import CHECK, SnmpParams
from tests.acceptance.recording import Recording
from tests.acceptance.responder import serving

SPEC = importlib.util.find_spec("snmpsim_data")
FOLDER = Path((SPEC and SPEC.origin) or "snmpsim_data/").parent / "data"
MAX_BYTES = 100_000
"""Of a compressed walk: those of a million rows take longer to unpack than to read."""

PLAUSIBLE = {
    "system.cpu.utilization": (0, 100),
    "system.memory.utilization": (0, 100),
    "hw.temperature": (-20, 110),
    "hw.voltage": (-60, 300),
    "hw.current": (-1, 100),
    "hw.fan.speed": (0, 50_000),
    "optical.power": (-50, 10),
}


def recordings() -> list[Path]:
    every = [*FOLDER.rglob("*.snmprec"), *FOLDER.rglob("*.snmprec.bz2")]
    return sorted(path for path in every if path.stat().st_size < MAX_BYTES)


async def read(path: Path) -> Outcome:
    async with serving(Recording(path)) as (_, port):
        ctx = Context(clock=SystemClock(), timeout=30.0, memory={})
        return await CHECK.run(Target("x", f"127.0.0.1:{port}"), SnmpParams(exclude="^$"), ctx)


def value(outcome: Outcome, metric: str, instance: str) -> float | None:
    return next((m.value for m in outcome.metrics if (m.name, m.instance) == (metric, instance)), None)


def without_system_group(path: Path) -> bool:
    return not any(name[:7] == (1, 3, 6, 1, 2, 1, 1) for name in Recording(path).names)


@pytest.mark.slow
@pytest.mark.parametrize("path", recordings(), ids=lambda path: path.name.partition(".")[0])
async def test_a_recorded_device_of_any_maker_reads_plausibly(path: Path) -> None:
    if without_system_group(path):
        pytest.skip("not a whole device")
    outcome = await read(path)

    assert outcome.answered
    assert outcome.reason in ("", "hardware"), outcome
    for metric in outcome.metrics:
        low, high = PLAUSIBLE.get(metric.name, (float("-inf"), float("inf")))
        assert low <= metric.value <= high, metric


@pytest.mark.parametrize(
    ("file", "profile", "facts", "metrics"),
    [
        (
            "cloud/arista-dcs-7150s-52-cl",
            "arista",
            {"model": "DCS-7150S-52-CL", "version": "4.20.5F"},
            {},
        ),
        (
            "network/firewall/paloalto-pa-5000",
            "paloalto",
            {"version": "8.0.1", "serial": "0009C100761"},
            {("system.cpu.utilization", "Management Processor"): 16},
        ),
        ("network/router/huawei-s5720", "huawei", {"serial": "210235956210F7000410"}, {}),
        (
            "network/switch/cisco-c3560",
            "cisco",
            {"model": "WS-C3560G-48TS-E", "version": "12.2(55)SE3"},
            {("system.cpu.utilization", "CPU 1"): 28},
        ),
        ("network/router/juniper-mx960-13-3r9-13", "juniper", {"version": "13.3R9.13"}, {}),
        ("network/wifi/ubiquiti-m5", "ubiquiti", {}, {}),
        ("network/switch/hpe-procurve-516733-b21", "hp", {}, {("system.cpu.utilization", "CPU"): 97}),
    ],
)
async def test_a_recorded_device_is_known_by_its_maker_s_tables(
    file: str, profile: str, facts: dict[str, str], metrics: dict[tuple[str, str], float]
) -> None:
    outcome = await read(FOLDER / f"{file}.snmprec.bz2")

    assert outcome.facts["profile"] == profile
    assert facts.items() <= outcome.facts.items()
    assert {key: value(outcome, *key) for key in metrics} == metrics
