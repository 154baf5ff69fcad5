"""From the coming and staying away of live reports and beats to the alert "agent silent". Pure.

Time here is the collector's: a report or beat counts when it arrives. The observer is the first suspect: nobody is
silent before the collector itself has listened for long enough, time that the collector slept through does not count,
and by beats nobody is judged while most fall silent together.

A beat is a packet of the agent's STAMP session: one a second, and ten when the agent gets no answers (agent/pulse.py).
So an agent that lives is heard within 2.5 s, however many packets a line loses that carries anything at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from alerts.model import Alert, Phase, Rule, Severity, Transition, TransitionKind

INTERVAL = 1000
"""ms between two beats."""
FRESH = 1500
"""A beat younger than this (ms) proves that we hear now: later than the last of those who are called silent."""
OVERDUE = 2000
"""ms without a beat after which a report tells that it is the beats alone which do not come."""
BEATLESS = "beatless"
"""The reason of a silence that beats told of."""


class SilenceRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An agent is silent after ``silent_after`` seconds without a live report, and one whose beats came after
    ``beatless_after`` seconds without a beat. Ticks come every ``tick_every``
    seconds; one that comes more than ``late_after`` seconds late (or before its time) tells of our own sleep, or of
    a clock that was set."""

    silent_after: float = 30.0
    beatless_after: float = 2.75
    tick_every: float = 1.0
    late_after: float = 1.0


class AgentState(msgspec.Struct, frozen=True):
    """``heard_at`` is when a live report last came, None if never. Silence is counted from ``counted_from``: that
    moment, or the collector's own start, later by what the collector slept since. ``beat_at`` is when a beat last came,
    likewise later; None when none is waited for."""

    counted_from: int
    heard_at: int | None = None
    alert: Alert | None = None
    beat_at: int | None = None


def hear(state: AgentState | None, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """A live report came. When the beats stay away meanwhile, it is their way that is closed and not the agent that is
    silent: then none is waited for until the next comes."""
    heard = AgentState(counted_from=now, heard_at=now)
    if state is None:
        return heard, ()
    if state.beat_at is not None and now - state.beat_at < OVERDUE:
        heard = msgspec.structs.replace(heard, beat_at=state.beat_at)
    if state.alert is None:
        return heard, ()
    return heard, (Transition(TransitionKind.RECOVERED, state.alert, now),)


def beat(state: AgentState | None, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """A beat came. It ends the silence that beats began; that there are no reports it does not."""
    state = state or AgentState(counted_from=now)
    if state.alert is None or state.alert.reason != BEATLESS:
        return msgspec.structs.replace(state, beat_at=now), ()
    after = msgspec.structs.replace(state, beat_at=now, alert=None)
    return after, (Transition(TransitionKind.RECOVERED, state.alert, now),)


def beats(state: AgentState, now: int) -> bool:
    """Whether an agent's beats come just now."""
    return state.beat_at is not None and now - state.beat_at < FRESH


def listen(rule: SilenceRule, agent: str, state: AgentState, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """Whether an agent has become silent by ``now``. ``agent`` is its node."""
    if state.alert is not None or now - state.counted_from < rule.silent_after * 1000:
        return state, ()
    since = _last_sign(state) if not beats(state, now) else state.heard_at or state.counted_from
    never = " since the collector began to listen" if state.heard_at is None else f" for {rule.silent_after:g} s"
    alert = _alert(agent, since, "silent", f"no live report from the agent of {agent}{never}")
    return msgspec.structs.replace(state, alert=alert), (Transition(TransitionKind.HARD, alert, now),)


def miss(rule: SilenceRule, agent: str, state: AgentState, now: int) -> tuple[AgentState, tuple[Transition, ...]]:
    """An agent's beats have stayed away for too long."""
    alert = _alert(
        agent, _last_sign(state), BEATLESS, f"no beat from the agent of {agent} for {rule.beatless_after:g} s"
    )
    return msgspec.structs.replace(state, alert=alert), (Transition(TransitionKind.HARD, alert, now),)


def missed(
    rule: SilenceRule, agents: Mapping[str, AgentState], parent_of: Callable[[str], str | None], now: int
) -> list[str]:
    """The agents whose beats have stayed away for too long, and who are not called silent yet. None of them while it is
    rather our own line or process: more of them, not counting those behind others, than agents whose beats came after
    these failed."""
    since = now - rule.beatless_after * 1000
    quiet = {
        agent
        for agent, state in agents.items()
        if state.alert is None and state.beat_at is not None and state.beat_at <= since
    }
    if not quiet:
        return []
    alive = sum(beats(state, now) for state in agents.values())
    first = sum(parent_of(agent) not in quiet for agent in quiet)
    return sorted(quiet) if first <= alive else []


def _last_sign(state: AgentState) -> int:
    """When an agent that is silent fell so: after its last report, and when the first beat was missed. Until then a
    node above, that failed with it, may still have been heard."""
    missed_at = 0 if state.beat_at is None else state.beat_at + INTERVAL
    return max(state.heard_at or state.counted_from, missed_at)


def _alert(agent: str, since: int, reason: str, summary: str) -> Alert:
    return Alert(
        key=f"{agent}#silence",
        rule=Rule.SILENCE,
        node=agent,
        job=None,
        severity=Severity.MAJOR,
        phase=Phase.HARD,
        since=since,
        summary=summary,
        reason=reason,
        unreachable_since=since,
    )


def slept(rule: SilenceRule, ticked_at: int, now: int) -> int:
    """How far (ms) this tick is from where it belongs: 0 when it came in time; negative when the clock went back."""
    off = now - ticked_at - round(rule.tick_every * 1000)
    late = off > rule.late_after * 1000 or now < ticked_at
    return off if late else 0


def pardon(state: AgentState, missed: int, now: int) -> AgentState:
    """Leaves time that we slept through out of the count."""
    beat_at = None if state.beat_at is None else min(state.beat_at + missed, now)
    return msgspec.structs.replace(state, counted_from=min(state.counted_from + missed, now), beat_at=beat_at)
