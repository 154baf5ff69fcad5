from __future__ import annotations

import asyncio
import contextlib
import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.schedule import FIRST_RUNS_WITHIN, HASTE, Schedule, drive, phase
from checks.model import Job, State


def job(label: str, interval: float = 60.0, retry: float = 10.0) -> Job:
    return Job("bk", "ping", label, "192.0.2.1", interval, 5.0, retry)


class TickingClock:
    """A monotonic clock that a test turns; the wall clock jumps about beside it."""

    def __init__(self) -> None:
        self.time = 0.0

    def monotonic(self) -> float:
        return self.time

    def now(self) -> int:
        return hash(self.time) % 10**12


def run_for(
    schedule: Schedule, seconds: float, *, takes: float = 0.0, state: State = State.OK
) -> list[tuple[float, str]]:
    """Runs everything that falls due, by jumping from one time to the next."""
    runs: list[tuple[float, str]] = []
    while (at := schedule.next_at()) is not None and at < seconds:
        for due in schedule.due(at):
            runs.append((at, due.id))
            schedule.done(due.id, state, at, at + takes)
    return runs


def test_ten_thousand_jobs_spread_evenly_over_the_interval() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job(f"{n}") for n in range(10_000)], 0.0)
    seconds = [0] * 60
    for at, _ in run_for(schedule, 180.0):
        if at >= 120.0:
            seconds[int(at - 120)] += 1
    assert sum(seconds) == 10_000
    assert max(seconds) < 10_000 / 60 * 1.35
    assert min(seconds) > 10_000 / 60 * 0.65


def test_agents_do_not_run_the_same_job_at_the_same_time() -> None:
    tenths = [0] * 10
    for n in range(10_000):
        tenths[int(phase(f"agent{n}", "bk/ping/gateway") * 10)] += 1
    assert min(tenths) > 900
    assert max(tenths) < 1100


@given(st.text(), st.text())
def test_a_phase_is_a_fraction_that_stays_the_same(agent: str, label: str) -> None:
    with contextlib.suppress(UnicodeEncodeError):
        assert 0 <= phase(agent, label) < 1
        assert phase(agent, label) == phase(agent, label)


def test_a_fresh_plan_is_measured_within_ten_seconds() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job(f"{n}", interval=300.0) for n in range(200)], 1000.0)
    first = {name: at for at, name in reversed(run_for(schedule, 2000.0))}
    assert len(first) == 200
    assert 1000.0 <= min(first.values()) <= max(first.values()) <= 1000.0 + FIRST_RUNS_WITHIN


@given(st.floats(1.0, 3600.0), st.floats(0.0, 1e6))
def test_runs_keep_to_the_grid_of_their_interval(interval: float, begin: float) -> None:
    schedule = Schedule("bk", begin)
    schedule.replace([job("a", interval=interval)], begin)
    times = [at for at, _ in run_for(schedule, begin + 8 * interval)]
    assert interval * 0.49 <= times[1] - times[0] <= interval * 1.51
    assert [later - sooner for sooner, later in itertools.pairwise(times[1:])] == pytest.approx(
        [interval] * (len(times) - 2), rel=1e-6
    )


def test_a_job_does_not_overlap_itself_and_says_what_it_skipped() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("slow", interval=10.0)], 0.0)
    (first, *_) = run_for(schedule, 10.0, takes=35.0)
    assert schedule.next_at() == pytest.approx(first[0] + 40.0)
    assert schedule.skipped() == 3


def test_after_the_host_slept_a_late_job_runs_once() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a", interval=10.0)], 0.0)
    run_for(schedule, 30.0)
    assert [due.label for due in schedule.due(500.0)] == ["a"]
    schedule.done("bk/ping/a", State.OK, 500.0, 500.1)
    assert schedule.due(500.2) == []
    assert schedule.skipped() >= 46
    next_at = schedule.next_at()
    assert next_at is not None
    assert 505.0 <= next_at <= 515.0


def test_a_change_of_state_is_confirmed_by_three_runs_at_the_retry_interval() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a", interval=60.0, retry=10.0)], 0.0)
    run_for(schedule, 200.0)
    (due,) = schedule.due(schedule.next_at() or 0.0)
    started = 1000.0
    assert schedule.done(due.id, State.CRIT, started, started) is True
    times = [at - started for at, _ in run_for(schedule, started + 200.0, state=State.CRIT)]
    assert times[:3] == pytest.approx([10.0, 20.0, 30.0])
    assert times[3] > 30.0 + 29.0


def test_the_first_run_that_is_not_ok_is_a_change() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a"), job("b")], 0.0)
    for due in schedule.due(60.0):
        schedule.done(due.id, State.CRIT if due.label == "a" else State.OK, 60.0, 60.0)
    assert schedule.states() == {"bk/ping/a": State.CRIT, "bk/ping/b": State.OK}


def test_a_new_plan_leaves_unchanged_jobs_where_they_were() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("kept"), job("gone"), job("changed")], 0.0)
    run_for(schedule, 100.0)
    before = dict(run_for(schedule, 100.0))
    kept = [at for at, name in run_for(schedule, 160.0) if name.endswith("kept")]
    schedule.replace([job("kept"), msgspec.structs.replace(job("changed"), target="192.0.2.2")], 161.0)
    after = run_for(schedule, 240.0)
    assert before == {}
    assert next(at for at, name in after if name.endswith("kept")) == pytest.approx(kept[0] + 60.0)
    assert min(at for at, name in after if name.endswith("changed")) <= 161.0 + FIRST_RUNS_WITHIN
    assert not [name for _, name in after if name.endswith("gone")]


def test_a_run_of_a_job_that_the_plan_dropped_changes_nothing() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a")], 0.0)
    schedule.due(60.0)
    schedule.replace([], 60.0)
    assert schedule.done("bk/ping/a", State.CRIT, 60.0, 61.0) is False
    assert schedule.next_at() is None


def test_a_changed_job_waits_for_the_run_of_the_old_one() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a")], 0.0)
    schedule.due(60.0)
    schedule.replace([job("a", interval=30.0)], 60.0)
    assert schedule.due(1000.0) == []
    schedule.done("bk/ping/a", State.OK, 60.0, 70.0)
    assert schedule.next_at() is not None


async def test_driving_launches_what_is_due_and_wakes_for_a_new_plan() -> None:
    clock, wake = TickingClock(), asyncio.Event()
    schedule = Schedule("bk", 0.0)
    launched: asyncio.Queue[str] = asyncio.Queue()
    driving = asyncio.create_task(drive(schedule, clock, wake, lambda due: launched.put_nowait(due.label)))
    schedule.replace([job("a")], 0.0)
    clock.time = 60.0
    wake.set()
    assert await asyncio.wait_for(launched.get(), 5) == "a"
    driving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await driving


def test_a_job_that_is_hastened_runs_at_once_and_then_goes_on_as_before() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a", interval=60.0)], 0.0)
    times = [at for at, _ in run_for(schedule, 300.0)]
    now = times[-1] + 10.0
    schedule.hasten(job("a").id, now)
    assert [one.id for one in schedule.due(now)] == [job("a").id]
    schedule.done(job("a").id, State.OK, now, now + 0.1)
    following = schedule.next_at()
    assert following is not None
    while not schedule.due(following):  # its place before is passed over
        following = schedule.next_at()
        assert following is not None
    assert following == pytest.approx(times[-1] + 60.0)


def test_a_job_that_is_hastened_while_it_runs_runs_once_more() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a", interval=60.0)], 0.0)
    at = schedule.next_at()
    assert at is not None
    assert len(schedule.due(at)) == 1
    for _ in range(5):
        schedule.hasten(job("a").id, at + 1.0)
    assert schedule.due(at + 3.0) == []
    schedule.done(job("a").id, State.OK, at, at + 5.0)
    assert schedule.next_at() == at + 5.0


def test_nobody_can_keep_a_job_running_by_hastening_it() -> None:
    schedule = Schedule("bk", 0.0)
    schedule.replace([job("a", interval=60.0)], 0.0)
    runs = 0
    for step in range(10_000):
        now = step * 0.01
        schedule.hasten(job("a").id, now)
        for one in schedule.due(now):
            runs += 1
            schedule.done(one.id, State.OK, now, now)
    assert runs <= 100 / HASTE + 1
