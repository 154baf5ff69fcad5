"""From the coming and staying away of live reports to the alert "agent silent". Pure.

Time here is the collector's: a report counts when it arrives. The observer is the first suspect: nobody is silent
before the collector itself has listened for long enough, and time that the collector slept through does not count.
"""

from __future__ import annotations

import msgspec

from alerts.model import Alert, Phase, Rule, Severity, Transition, TransitionKind


class SilenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An agent is silent after ``silent_after`` seconds without a live report. Ticks come every ``tick_every``
    seconds; one that comes more than ``late_after`` seconds late (or before its time) tells of our own sleep, or of
    a clock that was set."""

    silent_after: float = 30.0
    tick_every: float = 1.0
    late_after: float = 1.0


class AgentState(msgspec.Struct, frozen=True):
    """``heard_at`` is when a live report last came, None if never. Silence is counted from ``counted_from``: that
    moment, or the collector's own start, later by what the collector slept since."""

    counted_from: int
    heard_at: int | None = None
    alert: Alert | None = None


def hear(state: AgentState | None, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """A live report came."""
    heard = AgentState(counted_from=now, heard_at=now)
    if state is None or state.alert is None:
        return heard, ()
    return heard, (Transition(TransitionKind.RECOVERED, state.alert, now),)


def listen(rule: SilenceRule, agent: str, state: AgentState, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """Whether an agent has become silent by ``now``. ``agent`` is its node."""
    if state.alert is not None or now - state.counted_from < rule.silent_after * 1000:
        return state, ()
    since = state.counted_from if state.heard_at is None else state.heard_at
    never = " since the collector began to listen" if state.heard_at is None else f" for {rule.silent_after:g} s"
    alert = Alert(
        key=f"{agent}#silence",
        rule=Rule.SILENCE,
        node=agent,
        job=None,
        severity=Severity.MAJOR,
        phase=Phase.HARD,
        since=since,
        summary=f"no live report from the agent of {agent}{never}",
        reason="silent",
        unreachable_since=since,
    )
    return msgspec.structs.replace(state, alert=alert), (Transition(TransitionKind.HARD, alert, now),)


def slept(rule: SilenceRule, ticked_at: int, now: int) -> int:
    """How far (ms) this tick is from where it belongs: 0 when it came in time; negative when the clock went back."""
    off = now - ticked_at - round(rule.tick_every * 1000)
    late = off > rule.late_after * 1000 or now < ticked_at
    return off if late else 0


def pardon(state: AgentState, missed: int, now: int) -> AgentState:
    """Leaves time that we slept through out of the count."""
    return msgspec.structs.replace(state, counted_from=min(state.counted_from + missed, now))
