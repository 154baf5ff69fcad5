"""Runs a job: deadline, stopwatch, and what becomes of an error. Whatever a check does, a measurement comes out."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from checks.contract import AnyCheck, Clock, Context, Network, Target, params_of
from checks.errors import CheckError, ObserverError, TargetError, from_os_error
from checks.model import Job, Measurement, Metric, Outcome, State
from checks.net import local

CONCURRENCY = 128
"""Runs at a time: enough that dead targets, each waiting for its deadline, do not hold up the living."""

MAX_MEASUREMENT_BYTES = 256 << 10
"""Most that one measurement may take: it must fit into a report."""

Find = Callable[[str], AnyCheck]
"""The check of a name. Raises ObserverError when there is none."""

log = logging.getLogger("agent.runner")


def among(checks: Mapping[str, AnyCheck]) -> Find:
    """Finds checks in a mapping."""

    def find(name: str) -> AnyCheck:
        if name not in checks:
            raise ObserverError("unknown-check", f"there is no check {name!r}; known: {', '.join(sorted(checks))}")
        return checks[name]

    return find


class Runner:
    """Runs jobs, and keeps each one's memory between its runs."""

    def __init__(
        self, find: Find, clock: Clock, *, allowed: tuple[Network, ...] = (), concurrency: int = CONCURRENCY
    ) -> None:
        self._find = find
        self._clock = clock
        self._allowed = allowed
        self._free = asyncio.Semaphore(concurrency)
        self._memory: dict[str, tuple[Job, dict[str, Any]]] = {}
        self._refused: dict[str, str] = {}

    def adopt(self, jobs: Iterable[Job], refused: Mapping[str, str]) -> None:
        """Takes a new plan: forgets the memory of jobs that are gone or have changed. ``refused`` says by a job's id
        why it is to be answered with UNKNOWN."""
        same = {job.id: job for job in jobs}
        self._memory = {key: held for key, held in self._memory.items() if same.get(key) == held[0]}
        self._refused = dict(refused)

    def refusal(self, job: Job) -> str | None:
        """Why a job cannot be run at all; None when it can. Looks at its check and parameters, not at its target."""
        try:
            params_of(self._find(job.check), job.params)
        except CheckError as error:
            return error.summary
        return None

    async def run(self, job: Job) -> Measurement:
        """One run. Raises nothing but CancelledError."""
        async with self._free:
            at, begin = self._clock.now(), self._clock.monotonic()
            outcome = await self._outcome(job)
            duration = self._clock.monotonic() - begin
        return _sendable(Measurement(job.id, at, duration, outcome))

    async def _outcome(self, job: Job) -> Outcome:
        if job.id in self._refused:
            return Outcome(State.UNKNOWN, self._refused[job.id], "bad-job")
        try:
            check = self._find(job.check)
            params = params_of(check, job.params)
            context = Context(self._clock, job.deadline, self._remember(job), self._allowed)
            return _finite(_unless_ours(await _concluded(check, job, params, context), context), job)
        except CheckError as error:
            return error.outcome()
        except Exception as error:
            log.exception("job %s: a bug in check %s", job.id, job.check, extra={"fields": {"job": job.id}})
            return _bug(f"bug in check {job.check}: {type(error).__name__}: {error}")

    def _remember(self, job: Job) -> dict[str, Any]:
        held = self._memory.get(job.id)
        if held is None or held[0] != job:
            held = self._memory[job.id] = (job, {})
        return held[1]


async def _concluded(check: AnyCheck, job: Job, params: Any, context: Context) -> Outcome:
    """What the check says, or what its error means. Raises ObserverError, and what is a bug."""
    try:
        return await _within(check, Target(job.node, job.target), params, context)
    except TargetError as error:
        return error.outcome()
    except OSError as error:
        return from_os_error(error, job.target or job.node).outcome()


def _unless_ours(outcome: Outcome, context: Context) -> Outcome:
    """The outcome; but when nothing was heard, and nothing can have left this host, that is what there is to say."""
    if outcome.state is not State.CRIT or outcome.answered:
        return outcome
    faults = [fault for address in context.resolved if (fault := local.fault_towards(address))]
    return faults[0].outcome() if faults and len(faults) == len(context.resolved) else outcome


async def _within(check: AnyCheck, target: Target, params: Any, context: Context) -> Outcome:
    try:
        async with asyncio.timeout(context.timeout) as deadline:
            outcome = await check.run(target, params, context)
    except TimeoutError as error:
        if not deadline.expired():
            raise
        whose = f"{target.address}: " if target.address else ""
        raise TargetError("timeout", f"{whose}no answer within {context.timeout:g} s") from error
    if not isinstance(outcome, Outcome):
        raise TypeError(f"expected an Outcome, got {type(outcome).__name__}")
    return outcome


def _bug(summary: str) -> Outcome:
    return Outcome(State.UNKNOWN, summary[:1000].encode(errors="replace").decode(), "bug")


def _finite(outcome: Outcome, job: Job) -> Outcome:
    """The outcome without metrics that are no numbers; the summary says which."""
    lost = [metric for metric in outcome.metrics if not math.isfinite(metric.value)]
    if not lost:
        return outcome
    names = ", ".join(_full_name(metric) for metric in lost[:3]) + (", …" if len(lost) > 3 else "")
    log.warning("job %s: dropped metrics that are not finite numbers: %s", job.id, names)
    return msgspec.structs.replace(
        outcome,
        metrics=tuple(metric for metric in outcome.metrics if math.isfinite(metric.value)),
        summary=f"{outcome.summary} (dropped, not a finite number: {names})",
    )


def _full_name(metric: Metric) -> str:
    return f"{metric.name}[{metric.instance}]" if metric.instance else metric.name


def _sendable(measurement: Measurement) -> Measurement:
    """The measurement, or a bug in its place when it is not text and numbers, or too large for a report."""
    try:
        body = msgspec.msgpack.encode(measurement)
        msgspec.msgpack.decode(body, type=Measurement)
    except Exception as error:
        log.exception("job %s: the measurement cannot be encoded", measurement.job)
        why = f"bug: the measurement cannot be encoded: {type(error).__name__}: {error}"
    else:
        if len(body) <= MAX_MEASUREMENT_BYTES:
            return measurement
        why = f"bug: the measurement takes {len(body)} bytes, more than {MAX_MEASUREMENT_BYTES}"
        log.error("job %s: %s", measurement.job, why)
    return msgspec.structs.replace(measurement, outcome=_bug(why))
