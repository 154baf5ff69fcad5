"""Keeps the alerting desk: feeds it, ticks it, remembers what it says, and delivers what it wants told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Container, Iterable, Sequence

import msgspec

from agent import wire
from alerts import messages
from alerts.causes import Province
from alerts.desk import Desk, DeskState, Rules, Step
from alerts.model import Alert, Incident
from alerts.pipeline import Notification, Notifier, Retry, Status, deliver
from alerts.rules import JobState
from checks.contract import Clock
from checks.model import Measurement
from collector.pipeline import Seen
from collector.state import Changes, StateError, StateFile
from collector.view import AlertView, EventView, FactChangeView, IncidentView

log = logging.getLogger(__name__)

_encode = msgspec.msgpack.encode
_DESK, _RULE = "desk", "rule"


class Watch:
    """Alerting, with its memory on disk. What a tick changed is kept by the caller, in one transaction with the rest:
    see :meth:`tick`."""

    def __init__(
        self,
        *,
        rules: Rules,
        province: Province,
        agents: Iterable[str],
        jobs: Container[str],
        state: StateFile,
        notifiers: Sequence[Notifier],
        retry: Retry,
        clock: Clock,
    ) -> None:
        self._province = province
        self._state = state
        self._notifiers = notifiers
        self._retry = retry
        self._clock = clock
        self._numbers = state.last_incident()
        self._deliveries: set[asyncio.Task[None]] = set()
        self._agents: frozenset[str] = frozenset()
        self._gone: list[str] = []
        self._desk = Desk(rules, province, self._next_id, clock.now(), state=_restored(state))
        self.expect(agents, jobs)

    def _next_id(self) -> str:
        self._numbers += 1
        return str(self._numbers)

    def expect(self, agents: Iterable[str], jobs: Container[str]) -> None:
        """These agents and jobs are the topology's from now on; what is wrong with others ends."""
        now = self._clock.now()
        self._agents = frozenset(agents)
        known = self._desk.state()
        gone = [job for job in known.jobs if job not in jobs]
        for job in gone:
            self._desk.forget_job(job, now)
        for agent in known.agents.keys() - self._agents:
            self._desk.forget_agent(agent, now)
        self._desk.expect(self._agents, now)
        # Forgotten on disk with the tick that ends their alerts, not before.
        self._gone += gone

    def set_back(self, lost: int) -> None:
        """The clock was set back by ``lost`` ms."""
        self._desk.set_back(lost)

    @property
    def open_incidents(self) -> int:
        """How many there are."""
        return len(self._desk.open)

    @property
    def beating(self) -> int:
        """How many agents' beats come just now."""
        return self._desk.beating(self._clock.now())

    def hear(self, agent: str, at: int) -> None:
        """A live report of an agent arrived, now. One that is not expected (any more) is not missed later."""
        if agent in self._agents:
            self._desk.hear(agent, at)

    def beat(self, agent: str, at: int) -> None:
        """A packet of an agent's STAMP session arrived, now."""
        if agent in self._agents:
            self._desk.beat(agent, at)

    def take(self, seen: Seen) -> None:
        """Takes the newest measurement of a job."""
        measurement = Measurement(seen.job, seen.at, 0.0, seen.outcome)
        live = seen.lane is wire.Lane.LIVE
        self._desk.take(measurement, self._clock.now(), observer=seen.by, live=live, proves=seen.proves)

    def tick(self, changes: Changes) -> Step:
        """One second of judging; adds what is to be kept to ``changes``. When they are kept, call :meth:`deliver`."""
        step = self._desk.tick(self._clock.now())
        for job in self._gone:
            changes.forget(_RULE, job)
        self._gone.clear()
        if step:
            changes.things.update({(_RULE, job): _encode(known) for job, known in step.jobs.items()})
            changes.things[_DESK, ""] = _encode(msgspec.structs.replace(self._desk.state(), jobs={}))
            changes.incidents += step.incidents
            changes.timeline += step.timeline
            changes.notifications += step.notifications
            changes.facts += step.facts
        for incident in step.incidents:
            _log_incident(incident)
        return step

    def deliver(self, notifications: Iterable[Notification]) -> None:
        """Begins to deliver those of the kept notifications that are pending. Each takes its time on its own."""
        for told in notifications:
            if told.status is not Status.PENDING:
                continue
            task = asyncio.create_task(self._deliver(told), name=f"notify {told.id}")
            self._deliveries.add(task)
            task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, told: Notification) -> None:
        incident = self._state.incident(int(told.incident))
        if incident is None:
            return
        message = messages.message(told.kind, incident, self._province.name_of)
        done = await deliver(told, message, self._notifiers, self._retry, now=self._clock.now)
        try:
            self._state.save(Changes(notifications=[done]))
        except StateError as error:
            log.error("notification %s was delivered, and may be again after a restart: %s", done.id, error)
        level = logging.INFO if done.status.value in ("sent", "muted") else logging.ERROR
        errors = "; ".join(error for delivery in done.deliveries for error in delivery.errors[-1:])
        log.log(level, "notification %s: %s %s", done.id, done.status.value, done.reason or errors)

    async def close(self) -> None:
        """Gives up deliveries under way; they stay pending for the next start."""
        for task in list(self._deliveries):
            task.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)

    def incidents(self, *, open_only: bool = False, node: str | None = None, limit: int = 200) -> list[IncidentView]:
        """Incidents, newest first, without their timelines."""
        found = self._state.incidents(open_only=open_only, node=node, limit=limit)
        return [_view(incident, self._province.name_of) for incident in found]

    def fact_changes(self, *, node: str | None = None, limit: int = 200) -> list[FactChangeView]:
        """What was seen to be another than before, newest first."""
        return [
            FactChangeView(c.at, c.node, self._province.name_of(c.node), c.job, c.fact, c.before, c.after)
            for c in self._state.fact_changes(node=node, limit=limit)
        ]

    def incident(self, number: int) -> IncidentView:
        """One incident with its timeline. Raises KeyError."""
        found = self._state.incident(number)
        if found is None:
            raise KeyError(number)
        lines = [EventView(line.at, line.kind.value, line.text) for line in self._state.timeline(number)]
        return _view(found, self._province.name_of, lines)


def _restored(state: StateFile) -> DeskState | None:
    body = state.things(_DESK).get("")
    if body is None:
        return None
    jobs = {job: _decode_rule(rule) for job, rule in state.things(_RULE).items()}
    return msgspec.structs.replace(_decode_desk(body), jobs=jobs)


_decode_desk = msgspec.msgpack.Decoder(DeskState).decode
_decode_rule = msgspec.msgpack.Decoder(JobState).decode


def _view(incident: Incident, name_of: Callable[[str], str], timeline: Sequence[EventView] = ()) -> IncidentView:
    return IncidentView(
        id=int(incident.id),
        node=incident.node,
        node_name=name_of(incident.node),
        title=incident.title,
        severity=incident.severity.value,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        closed_by=f"{incident.closed_by} {incident.closed_reason}".strip(),
        offices=incident.offices,
        behind=list(incident.behind),
        alerts=[_alert_view(alert) for alert in incident.alerts],
        timeline=list(timeline),
        title_en=incident.title_en,
    )


def _alert_view(alert: Alert) -> AlertView:
    return AlertView(alert.node, alert.job or "", alert.severity.value, alert.summary, alert.since)


def _log_incident(incident: Incident) -> None:
    state = "closed" if incident.closed_at is not None else "open"
    fields = {"incident": incident.id, "subject": incident.node, "severity": incident.severity.value}
    log.info("incident %s %s: %s", incident.id, state, incident.title_en, extra={"fields": fields})
