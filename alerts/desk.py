"""The desk where alerting is done: holds the state, and hands each input to the pure step that is meant for it.

Measurements and reports only move the state of their job or agent, at once. Everything that looks across subjects
(silence, causes, incidents, what to tell) happens at a tick, once a second: so a storm costs one settling a second,
and parent and child that fail in the same second are judged together. One thread; no I/O; no clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from alerts.causes import Evidence, Province
from alerts.incidents import Board, IncidentRule, settle
from alerts.model import Alert, FactChanged, Incident, Rule, TimelineEvent, TimelineKind, Transition, TransitionKind
from alerts.pipeline import Notification, Policy, Told, decide
from alerts.rules import Changes, JobRule, JobState, node_of, take
from alerts.silence import BEATLESS, AgentState, SilenceRule, beat, beats, hear, listen, miss, missed, pardon, slept
from checks.model import Measurement


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The configuration of alerting."""

    job: JobRule = JobRule()
    silence: SilenceRule = SilenceRule()
    incident: IncidentRule = IncidentRule()
    policy: Policy = Policy()


class DeskState(msgspec.Struct, frozen=True):
    """All that the desk knows, fit for msgspec to store. ``answered`` is when each node last answered; ``waiting`` are
    the changes that the next tick will settle."""

    ticked_at: int
    jobs: Mapping[str, JobState] = {}
    agents: Mapping[str, AgentState] = {}
    answered: Mapping[str, int] = {}
    board: Board = Board()
    told: Mapping[str, Told] = {}
    waiting: tuple[Transition, ...] = ()
    facts: tuple[FactChanged, ...] = ()


@dataclass(frozen=True)
class Step:
    """What a tick brought: ``incidents`` are new, changed or closed ones; of ``notifications`` those that are PENDING
    are to be stored and then delivered. ``facts`` are events that belong to no alert. ``jobs`` are the states that
    changed in more than their time since the tick before, for a caller that stores them one by one."""

    transitions: tuple[Transition, ...]
    facts: tuple[FactChanged, ...]
    incidents: tuple[Incident, ...]
    timeline: tuple[TimelineEvent, ...]
    notifications: tuple[Notification, ...]
    jobs: Mapping[str, JobState]

    def __bool__(self) -> bool:
        """Whether there is anything to store."""
        return bool(self.transitions or self.facts or self.incidents or self.notifications or self.jobs)


class Desk:
    """``next_id`` names a new incident. ``agents`` are the nodes whose agents are expected to report. ``state`` is
    what an earlier desk left; silence is then counted anew from ``now``, because nobody was listening."""

    def __init__(
        self,
        rules: Rules,
        province: Province,
        next_id: Callable[[], str],
        now: int,
        *,
        agents: Iterable[str] = (),
        state: DeskState | None = None,
    ) -> None:
        state = state or DeskState(ticked_at=now)
        self.rules, self.province, self._next_id = rules, province, next_id
        self._ticked_at = now
        self._now = now
        self._jobs = dict(state.jobs)
        self._agents = {
            agent: msgspec.structs.replace(known, counted_from=max(now, known.counted_from), beat_at=None)
            for agent, known in state.agents.items()
        }
        self._answered = dict(state.answered)
        self._board = state.board
        self._told = dict(state.told)
        self._waiting = list(state.waiting)
        self._facts = list(state.facts)
        self._touched: dict[str, JobState] = {}
        self.expect(agents, now)

    def expect(self, agents: Iterable[str], now: int) -> None:
        """These nodes' agents are expected to report from now on, beside those that did."""
        for agent in agents:
            self._agents.setdefault(agent, AgentState(counted_from=now))

    def hear(self, agent: str, now: int) -> None:
        """A live report came from the agent of this node. That it came proves that the node is connected."""
        self._agents[agent], changes = hear(self._agents.get(agent), now)
        self._answered[agent] = max(now, self._answered.get(agent, 0))
        self._waiting += changes

    def beat(self, agent: str, now: int) -> None:
        """A beat came from the agent of this node: it proves the same, and comes more often."""
        self._agents[agent], changes = beat(self._agents.get(agent), now)
        self._answered[agent] = max(now, self._answered.get(agent, 0))
        self._waiting += changes

    def beating(self, now: int) -> int:
        """How many agents' beats come just now."""
        return sum(beats(state, now) for state in self._agents.values())

    def take(
        self, measurement: Measurement, now: int, *, observer: str, live: bool = True, proves: bool = True
    ) -> Changes:
        """Takes a measurement that the agent of the node ``observer`` made, and returns what changed by it. One from
        the backlog (``live`` false) changes nothing here. Where it ``proves``, an answer came from the node itself."""
        job = measurement.job
        before = self._jobs.get(job)
        after, changes = take(self.rules.job, before, measurement, now, observer=observer, live=live)
        if after is None or after is before:
            return ()
        self._jobs[job] = after
        if proves and measurement.outcome.answered:
            node = node_of(job)
            # An agent whose clock is ahead must not prove a node for the time to come.
            self._answered[node] = max(min(measurement.at, now), self._answered.get(node, 0))
        if before is None or changes or not after.quiet or not before.quiet:
            self._touched[job] = after
        for change in changes:
            if isinstance(change, Transition):
                self._waiting.append(change)
            else:
                self._facts.append(change)
        return changes

    def set_back(self, lost: int) -> None:
        """The clock was set back by ``lost`` ms: what answered before must not seem to have answered since."""
        self._answered = {node: at - lost for node, at in self._answered.items()}

    def forget_job(self, job: str, now: int) -> None:
        """The plan has this job no more: what was wrong with it ends."""
        state = self._jobs.pop(job, None)
        self._touched.pop(job, None)
        if state is not None:
            self._end([a for a in (state.alert if state.level else None, state.blind) if a is not None], now)

    def forget_agent(self, agent: str, now: int) -> None:
        """The node has an agent no more."""
        state = self._agents.pop(agent, None)
        if state is not None and state.alert is not None:
            self._end([state.alert], now)

    def _end(self, alerts: Iterable[Alert], now: int) -> None:
        self._waiting += [Transition(TransitionKind.RECOVERED, alert, now) for alert in alerts]

    def tick(self, now: int) -> Step:
        """Settles what came since the last tick, and what time alone brings. To be called every ``tick_every``."""
        self._now = now
        self._listen(now)
        settled = settle(
            self.rules.incident,
            self._board,
            self._waiting,
            province=self.province,
            evidence=Evidence(self._answered.get, self._measured_at),
            next_id=self._next_id,
            now=now,
        )
        closed = [incident for incident in settled.changed if incident.closed_at is not None]
        incidents = [*settled.board.incidents.values(), *closed]
        self._told, notifications = decide(self.rules.policy, self._told, incidents, now)
        timeline = settled.timeline + tuple(_fact_lines(self._facts, settled.board))
        step = Step(tuple(self._waiting), tuple(self._facts), settled.changed, timeline, notifications, self._touched)
        self._board = settled.board
        self._waiting, self._facts, self._touched = [], [], {}
        return step

    def _listen(self, now: int) -> None:
        rule = self.rules.silence
        lost = slept(rule, self._ticked_at, now)
        self._ticked_at = now
        if lost:
            self._agents = {agent: pardon(state, lost, now) for agent, state in self._agents.items()}
        for agent, state in self._agents.items():
            after, changes = listen(rule, agent, state, now)
            if changes:
                self._agents[agent] = after
                self._waiting += changes
        for agent in missed(rule, self._agents, self.province.parent_of, now):
            self._agents[agent], changes = miss(rule, agent, self._agents[agent], now)
            self._waiting += changes

    def _measured_at(self, alert: Alert) -> int:
        """Silence is measured by waiting: it holds since the whole of its time has passed without a sign."""
        if alert.rule is Rule.SILENCE:
            rule = self.rules.silence
            return self._now - round((rule.beatless_after if alert.reason == BEATLESS else rule.silent_after) * 1000)
        state = self._jobs.get(alert.job or "")
        if state is None:
            return 0
        return state.at if alert.rule is Rule.OBSERVER else state.conclusive_at

    @property
    def open(self) -> tuple[Incident, ...]:
        """The open incidents, oldest first."""
        return tuple(sorted(self._board.incidents.values(), key=lambda incident: (incident.opened_at, incident.id)))

    @property
    def alerts(self) -> Mapping[str, Alert]:
        """The hard alerts as of the last tick."""
        return self._board.alerts

    def state(self) -> DeskState:
        """What a later desk needs to go on from here. Store it together with what the last step brought."""
        return DeskState(
            self._ticked_at,
            dict(self._jobs),
            dict(self._agents),
            dict(self._answered),
            self._board,
            dict(self._told),
            tuple(self._waiting),
            tuple(self._facts),
        )


def _fact_lines(facts: Iterable[FactChanged], board: Board) -> Iterable[TimelineEvent]:
    for change in facts:
        incident = board.incidents.get(change.node)
        if incident is not None:
            text = f"{change.job}: {change.fact} was {change.before}, is {change.after}"
            yield TimelineEvent(incident.id, change.at, TimelineKind.FACT, text)
