from __future__ import annotations

import dataclasses

import psutil
import pytest

from checks import host
from checks.contract import Context, SystemClock, Target
from checks.host import Filesystem, HostParams, Reading
from checks.levels import Levels
from checks.model import Metric, State

READING = Reading(
    at=100.0,
    busy=50.0,
    cpu=1000.0,
    load=0.5,
    memory=(2_000, 10_000),
    swap=(0, 0),
    filesystems=(Filesystem("/", used=500, available=500, inodes=10.0),),
    counters={("system.network.io.receive", "bit/s", "eth0"): 8_000.0},
    uptime=3600.0,
    facts={"boot_id": "one"},
)


def context() -> Context:
    return Context(SystemClock(), 5.0, {})


def named(metrics: tuple[Metric, ...], name: str) -> list[Metric]:
    return [metric for metric in metrics if metric.name == name]


async def test_this_host_is_read_and_a_second_run_has_rates() -> None:
    ctx = context()
    quiet = HostParams(cpu=Levels(), memory=Levels(), swap=Levels(), filesystem=Levels(), inodes=Levels())
    first = await host.run(Target("centre", ""), quiet, ctx)
    second = await host.run(Target("centre", ""), quiet, ctx)
    assert (first.state, first.summary, first.answered) == (State.OK, "host is well", True)
    assert named(first.metrics, "system.memory.limit")[0].value == psutil.virtual_memory().total
    assert not named(first.metrics, "system.network.io.receive")
    assert first.facts == second.facts
    assert set(first.facts) == {"os", "kernel", "boot_id"}
    assert all(0 <= metric.value <= 100 for metric in second.metrics if metric.unit == "%")


def test_counters_become_rates_by_the_monotonic_clock() -> None:
    later = dataclasses.replace(READING, at=110.0, counters={("system.network.io.receive", "bit/s", "eth0"): 18_000.0})
    assert list(host.rates(later, READING)) == [Metric("system.network.io.receive", 1_000.0, "bit/s", "eth0")]


def test_a_counter_that_fell_or_is_new_has_no_rate() -> None:
    later = dataclasses.replace(
        READING,
        at=110.0,
        counters={
            ("system.network.io.receive", "bit/s", "eth0"): 10.0,
            ("system.network.io.receive", "bit/s", "eth1"): 99.0,
        },
    )
    assert list(host.rates(later, READING)) == []


def test_processor_use_is_of_the_time_between_two_runs() -> None:
    later = dataclasses.replace(READING, at=110.0, busy=65.0, cpu=1020.0)
    assert host.utilization(later, READING) == 75.0
    assert host.utilization(READING, None) is None


def test_a_full_filesystem_is_named() -> None:
    full = dataclasses.replace(READING, filesystems=(Filesystem("/var {x}", used=96, available=4, inodes=None),))
    outcome = host.judge(full, None, HostParams(), context())
    assert (outcome.state, outcome.reason) == (State.CRIT, "filesystem")
    assert outcome.summary == "filesystem /var {x} 96 % full"


def test_the_worst_is_told_first_and_all_is_told() -> None:
    bad = dataclasses.replace(READING, memory=(98, 100), filesystems=(Filesystem("/", 90, 10, 99.0),))
    outcome = host.judge(bad, None, HostParams(), context())
    assert outcome.summary == "memory 98 % used; filesystem / 99 % of its inodes used; filesystem / 90 % full"
    assert (outcome.state, outcome.reason) == (State.CRIT, "memory")


def test_a_value_on_the_edge_does_not_flap() -> None:
    ctx = context()
    states = [
        host.judge(dataclasses.replace(READING, memory=(used, 1000)), None, HostParams(), ctx).state
        for used in (899, 901, 899, 881, 879)
    ]
    assert states == [State.OK, State.WARN, State.WARN, State.WARN, State.OK]


def test_a_reading_from_before_a_reboot_gives_no_processor_use() -> None:
    later = dataclasses.replace(READING, busy=60.0, cpu=2000.0, facts={"boot_id": "two"})
    assert host.utilization(later, READING) is None


@pytest.mark.parametrize("unit", ["bit/s", "1/s", "By/s"])
def test_only_growing_counters_are_in_the_counters(unit: str) -> None:
    reading = host.read(0.0, 0.0)
    assert {key[1] for key in reading.counters} <= {"bit/s", "1/s", "By/s"}
    assert all(value >= 0 for key, value in reading.counters.items() if key[1] == unit)
