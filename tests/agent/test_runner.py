from __future__ import annotations

import asyncio
import errno
import math
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agent.runner import MAX_MEASUREMENT_BYTES, Runner, among
from checks.contract import Check, Context, Params, SystemClock, Target
from checks.errors import ObserverError, TargetError
from checks.model import Job, Metric, Outcome, State

Run = Callable[[Target, Any, Context], Awaitable[Outcome]]


class SomeParams(Params, frozen=True):
    count: int = 1


def runner(run: Run, **options: Any) -> Runner:
    check = Check(name="some", about="a test's", target="host", params=SomeParams, run=run)
    return Runner(among({"some": check}), SystemClock(), **options)


def job(label: str = "a", **fields: Any) -> Job:
    values: dict[str, Any] = {"target": "192.0.2.1", "interval": 60.0, "deadline": 5.0, "retry": 10.0, **fields}
    return Job("bk", "some", label, **values)


async def fine(target: Target, params: SomeParams, context: Context) -> Outcome:
    return Outcome(State.OK, "well", answered=True, metrics=(Metric("n", params.count, "1"),))


async def test_a_run_is_timed_and_carries_what_the_check_said() -> None:
    before = SystemClock().now()
    measurement = await runner(fine).run(job(params={"count": 3}))
    assert measurement.job == "bk/some/a"
    assert before <= measurement.at <= SystemClock().now()
    assert 0 <= measurement.duration < 5
    assert measurement.outcome == Outcome(State.OK, "well", answered=True, metrics=(Metric("n", 3, "1"),))


async def test_a_target_that_is_silent_until_the_deadline_is_crit() -> None:
    async def hang(*_: object) -> Outcome:
        await asyncio.Event().wait()
        raise AssertionError

    outcome = (await runner(hang).run(job(deadline=0.01))).outcome
    assert (outcome.state, outcome.reason) == (State.CRIT, "timeout")
    assert outcome.summary == "192.0.2.1: no answer within 0.01 s"


@pytest.mark.parametrize(
    ("error", "state", "reason", "summary"),
    [
        (TargetError("expired", "it expired"), State.CRIT, "expired", "it expired"),
        (ObserverError("no-key", "no key here"), State.UNKNOWN, "no-key", "no key here"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), State.CRIT, "refused", "192.0.2.1: connection refused"),
        (OSError(errno.ENETUNREACH, "x"), State.UNKNOWN, "no-route", "192.0.2.1: this agent has no route"),
        (TimeoutError(), State.CRIT, "timeout", "192.0.2.1: no answer in time"),
        (KeyError("ifIndex"), State.UNKNOWN, "bug", "bug in check some: KeyError: 'ifIndex'"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), State.UNKNOWN, "bug", "bug in check some: UnicodeDecode"),
    ],
)
async def test_an_error_becomes_the_outcome_of_whose_fault_it_is(
    error: Exception, state: State, reason: str, summary: str
) -> None:
    async def fail(*_: object) -> Outcome:
        raise error

    outcome = (await runner(fail).run(job())).outcome
    assert (outcome.state, outcome.reason) == (state, reason)
    assert outcome.summary.startswith(summary)


async def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def divide(*_: object) -> Outcome:
        return Outcome(State.OK, str(1 // 0))

    await runner(divide).run(job())
    assert "ZeroDivisionError" in caplog.text
    assert "job bk/some/a: a bug in check some" in caplog.text


async def test_bad_parameters_and_unknown_checks_are_unknown() -> None:
    outcome = (await runner(fine).run(job(params={"cuont": 3}))).outcome
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, "bad-params")
    assert outcome.summary == "check some: unknown parameter 'cuont': did you mean 'count'?"
    missing = await Runner(among({}), SystemClock()).run(job())
    assert (missing.outcome.state, missing.outcome.reason) == (State.UNKNOWN, "unknown-check")


async def test_numbers_that_are_none_are_dropped_and_named() -> None:
    async def odd(*_: object) -> Outcome:
        metrics = (Metric("a", math.nan, "1"), Metric("b", 2.0, "1"), Metric("c", math.inf, "s", "eth0"))
        return Outcome(State.OK, "well", metrics=metrics)

    outcome = (await runner(odd).run(job())).outcome
    assert outcome.metrics == (Metric("b", 2.0, "1"),)
    assert outcome.summary == "well (dropped, not a finite number: a, c[eth0])"


@pytest.mark.parametrize(
    "outcome",
    [
        Outcome(State.OK, "\udcff from a device"),
        Outcome(State.OK, "huge", facts={"text": "x" * MAX_MEASUREMENT_BYTES}),
        Outcome(State.OK, "wrong", facts={"serial": 7}),  # type: ignore[dict-item] # what a buggy check does
        Outcome(State.OK, "wrong", metrics=(Metric("n", "7", "1"),)),  # type: ignore[arg-type] # the same
        "not an outcome",
    ],
)
async def test_what_cannot_be_sent_is_a_bug_and_not_a_crash(outcome: Outcome) -> None:
    async def odd(*_: object) -> Outcome:
        return outcome

    measurement = await runner(odd).run(job())
    assert (measurement.outcome.state, measurement.outcome.reason) == (State.UNKNOWN, "bug")


async def test_memory_lasts_from_run_to_run_until_the_job_changes() -> None:
    async def count(target: Target, params: SomeParams, context: Context) -> Outcome:
        context.memory["runs"] = context.memory.get("runs", 0) + 1
        return Outcome(State.OK, str(context.memory["runs"]))

    runs = runner(count)
    assert [(await runs.run(job())).outcome.summary for _ in range(3)] == ["1", "2", "3"]
    runs.adopt([job(), job("b")], {})
    assert (await runs.run(job())).outcome.summary == "4"
    runs.adopt([job(target="192.0.2.9")], {})
    assert (await runs.run(job(target="192.0.2.9"))).outcome.summary == "1"


async def test_a_refused_job_says_why_and_is_not_run() -> None:
    runs = runner(fine)
    runs.adopt([job()], {"bk/some/a": "interval: expected seconds above 0, got 0"})
    outcome = (await runs.run(job())).outcome
    assert outcome == Outcome(State.UNKNOWN, "interval: expected seconds above 0, got 0", "bad-job")


async def test_no_more_runs_at_a_time_than_allowed() -> None:
    running = most = 0
    gate = asyncio.Event()

    async def enter(*_: object) -> Outcome:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return Outcome(State.OK, "")

    runs = runner(enter, concurrency=3)
    tasks = [asyncio.create_task(runs.run(job(str(n)))) for n in range(10)]
    for _ in range(5):
        await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert most == 3


async def test_waiting_for_a_turn_does_not_eat_the_deadline() -> None:
    async def short(*_: object) -> Outcome:
        await asyncio.sleep(0.02)
        return Outcome(State.OK, "")

    runs = runner(short, concurrency=1)
    measurements = await asyncio.gather(*(runs.run(job(str(n), deadline=0.5)) for n in range(5)))
    assert all(m.outcome.state is State.OK and m.duration < 0.2 for m in measurements)
