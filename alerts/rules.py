"""From a measurement to the alerts of its job. Pure: ``(rule, state, measurement, now) → (state', what changed)``.

A result has a *level*: 0 well, 1 WARN, 2 CRIT with an answer, 3 CRIT without any answer. For each level the state
keeps the unbroken run of results at least that bad; a level is confirmed when its run is long enough, in seconds and
in results. So one CRIT among WARNs confirms a warning, not an outage. UNKNOWN neither confirms nor clears: it says that
the observer could not look, and has a run and an alert of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from alerts.model import Alert, FactChanged, Phase, Rule, Severity, Transition, TransitionKind
from checks.model import Measurement, Outcome, State

UNREACHABLE = 3
_SEVERITY = (Severity.INFO, Severity.WARNING, Severity.MAJOR, Severity.MAJOR)


class JobRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """When a job's results become an alert. ``confirm_after``, ``unknown_after`` and ``skew`` are seconds.

    A level is confirmed after ``confirm_runs`` results over ``confirm_after``, and ends after ``recover_runs`` OK
    ones. An observer that cannot look becomes an alert after ``unknown_after``. ``skew`` is how far ahead of ours an
    agent's clock may be before we take it for wrong.
    """

    confirm_after: float = 10.0
    confirm_runs: int = 2
    recover_runs: int = 1
    unknown_after: float = 300.0
    skew: float = 60.0


class Run(msgspec.Struct, frozen=True, array_like=True):
    """``count`` results in a row, the first of them at ``since``."""

    since: int
    count: int


Runs = tuple[Run | None, Run | None, Run | None]
_NO_RUNS: Runs = (None, None, None)


class JobState(msgspec.Struct, frozen=True):
    """What is known of a job between two measurements.

    ``at`` is the newest measurement taken, ``conclusive_at`` the newest that was not UNKNOWN. ``runs`` are those at
    least as bad as levels 1, 2, 3; ``easing`` those better than the hard ``level``; ``oks`` and ``unknown`` likewise.
    ``alert`` is the target's (soft while ``level`` is 0), ``blind`` the observer's.
    """

    at: int
    conclusive_at: int = 0
    level: int = 0
    runs: Runs = _NO_RUNS
    easing: Run | None = None
    oks: int = 0
    unknown: Run | None = None
    alert: Alert | None = None
    blind: Alert | None = None
    facts: Mapping[str, str] = {}

    @property
    def quiet(self) -> bool:
        """Nothing is wrong, not even softly."""
        return self.alert is None and self.blind is None and self.unknown is None


Changes = tuple[Transition | FactChanged, ...]


def node_of(job: str) -> str:
    """The node of a job id."""
    return job.partition("/")[0]


def take(
    rule: JobRule, state: JobState | None, measurement: Measurement, now: int, *, observer: str, live: bool = True
) -> tuple[JobState | None, Changes]:
    """A job's state after a measurement, and what changed by it. ``observer`` is the node of the agent that measured.

    A measurement that is not newer than the newest taken changes nothing, so a replay does not either; nor does one
    from the backlog (``live`` false). One exception: when the newest taken is ahead of ``now`` by more than the skew,
    the agent's clock was wrong and has been set back; what it says now counts, and confirmation starts anew.
    """
    if not live:
        return state, ()
    if state is None:
        state = JobState(at=measurement.at - 1)
    elif measurement.at <= state.at:
        if measurement.at == state.at or state.at <= now + rule.skew * 1000:
            return state, ()
        state = msgspec.structs.replace(state, runs=_NO_RUNS, easing=None, unknown=None)
    outcome = measurement.outcome
    if outcome.state is State.OK and state.quiet and (not outcome.facts or outcome.facts == state.facts):
        return JobState(at=measurement.at, conclusive_at=measurement.at, facts=state.facts), ()
    if outcome.state is State.UNKNOWN:
        state, changes = _blinded(rule, state, measurement, observer)
    else:
        state, seen = _sighted(state, measurement)
        state, changes = _judged(rule, state, measurement)
        changes = seen + changes
    facts, events = _facts(state.facts, measurement)
    return msgspec.structs.replace(state, at=measurement.at, facts=facts), changes + events


def level_of(outcome: Outcome) -> int:
    """0 to 3. An UNKNOWN has no level and must not come here."""
    if outcome.state is State.CRIT:
        return 2 if outcome.answered else UNREACHABLE
    return 1 if outcome.state is State.WARN else 0


def _blinded(
    rule: JobRule, state: JobState, measurement: Measurement, observer: str
) -> tuple[JobState, tuple[Transition, ...]]:
    run = _longer(state.unknown, measurement.at)
    state = msgspec.structs.replace(state, unknown=run)
    if state.blind is not None or not _lasted(run, measurement.at, rule.unknown_after, rule.confirm_runs):
        return state, ()
    outcome = measurement.outcome
    alert = Alert(
        key=f"{measurement.job}#observer",
        rule=Rule.OBSERVER,
        node=observer,
        job=measurement.job,
        severity=Severity.WARNING,
        phase=Phase.HARD,
        since=run.since,
        summary=outcome.summary,
        reason=outcome.reason,
    )
    return msgspec.structs.replace(state, blind=alert), (Transition(TransitionKind.HARD, alert, measurement.at),)


def _sighted(state: JobState, measurement: Measurement) -> tuple[JobState, tuple[Transition, ...]]:
    ended = () if state.blind is None else (Transition(TransitionKind.RECOVERED, state.blind, measurement.at),)
    return msgspec.structs.replace(state, unknown=None, blind=None, conclusive_at=measurement.at), ended


def _judged(rule: JobRule, state: JobState, measurement: Measurement) -> tuple[JobState, tuple[Transition, ...]]:
    at, level = measurement.at, level_of(measurement.outcome)
    if level == 0:
        return _well(rule, state, at)
    first, second, third = state.runs
    runs: Runs = (
        _longer(first, at),
        _longer(second, at) if level >= 2 else None,
        _longer(third, at) if level >= 3 else None,
    )
    easing = _longer(state.easing, at) if level < state.level else None
    state = msgspec.structs.replace(state, runs=runs, easing=easing, oks=0)
    confirmed = max(n for n in range(4) if n == 0 or _confirmed(rule, runs[n - 1], at))
    if confirmed > state.level or (easing is not None and _confirmed(rule, easing, at)):
        return _hardened(state, confirmed, measurement)
    if state.level > 0:
        return state, ()
    alert = _alert(measurement, level, Phase.SOFT, runs)
    if state.alert is not None and _same(state.alert, alert):
        return state, ()
    return msgspec.structs.replace(state, alert=alert), (Transition(TransitionKind.SOFT, alert, at),)


def _well(rule: JobRule, state: JobState, at: int) -> tuple[JobState, tuple[Transition, ...]]:
    oks = state.oks + 1
    if state.level > 0 and oks < rule.recover_runs:
        return msgspec.structs.replace(state, runs=_NO_RUNS, easing=None, oks=oks), ()
    well = msgspec.structs.replace(state, level=0, runs=_NO_RUNS, easing=None, oks=0, alert=None)
    if state.alert is None:
        return well, ()
    kind = TransitionKind.RECOVERED if state.level > 0 else TransitionKind.CLEARED
    return well, (Transition(kind, state.alert, at),)


def _hardened(state: JobState, level: int, measurement: Measurement) -> tuple[JobState, tuple[Transition, ...]]:
    alert = _alert(measurement, level, Phase.HARD, state.runs)
    if state.level > 0 and state.alert is not None:
        alert = msgspec.structs.replace(alert, since=state.alert.since)
    kind = TransitionKind.CHANGED if state.level > 0 else TransitionKind.HARD
    state = msgspec.structs.replace(state, level=level, easing=None, alert=alert)
    return state, (Transition(kind, alert, measurement.at),)


def _alert(measurement: Measurement, level: int, phase: Phase, runs: Runs) -> Alert:
    first, unreachable = runs[0], runs[2]
    return Alert(
        key=measurement.job,
        rule=Rule.JOB,
        node=node_of(measurement.job),
        job=measurement.job,
        severity=_SEVERITY[level],
        phase=phase,
        since=first.since if first else measurement.at,
        summary=measurement.outcome.summary,
        reason=measurement.outcome.reason,
        unreachable_since=unreachable.since if unreachable and level == UNREACHABLE else None,
    )


def _same(one: Alert, other: Alert) -> bool:
    return one.severity is other.severity and one.unreachable_since == other.unreachable_since


def _longer(run: Run | None, at: int) -> Run:
    return Run(at, 1) if run is None else Run(run.since, run.count + 1)


def _lasted(run: Run | None, at: int, seconds: float, count: int) -> bool:
    return run is not None and run.count >= count and at - run.since >= seconds * 1000


def _confirmed(rule: JobRule, run: Run | None, at: int) -> bool:
    return _lasted(run, at, rule.confirm_after, rule.confirm_runs)


def _facts(known: Mapping[str, str], measurement: Measurement) -> tuple[Mapping[str, str], tuple[FactChanged, ...]]:
    """A fact that a result does not bring is not gone: a failed run brings none."""
    new = measurement.outcome.facts
    if not new:
        return known, ()
    node = node_of(measurement.job)
    changed = tuple(
        FactChanged(node, measurement.job, measurement.at, fact, known[fact], value)
        for fact, value in sorted(new.items())
        if fact in known and known[fact] != value
    )
    return {**known, **new}, changed
