"""A small province, measurements in one line, and a desk whose clock the test turns."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import msgspec

from alerts.causes import Province
from alerts.desk import Desk, DeskState, Rules, Step
from alerts.model import Incident
from alerts.pipeline import Notification, Status
from checks.model import Measurement, Outcome, State

START = 1_753_400_000_000
"""2025-07-25T06:33:20+07:00, in Unix ms."""

PARENTS: Mapping[str, str | None] = {
    "centre": None,
    "ba-be": "centre",
    "na-ri": "centre",
    "banh-trach": "ba-be",
    "phuc-loc": "ba-be",
}
NAMES = {"banh-trach": "Xã Bành Trạch", "phuc-loc": "Xã Phúc Lộc", "ba-be": "Huyện Ba Bể", "na-ri": "Huyện Na Rì"}
PROVINCE = Province(
    PARENTS.get, lambda node: NAMES.get(node, node), lambda node: 10 if node in ("ba-be", "na-ri") else 4
)

OK = Outcome(State.OK, "answers", answered=True)
WARN = Outcome(State.WARN, "loses 5 % of the packets", "loss", answered=True)
ERROR = Outcome(State.CRIT, "certificate has expired", "expired", answered=True)
LOST = Outcome(State.CRIT, "no answer in time", "timeout")
BLIND = Outcome(State.UNKNOWN, "this agent has no route", "no-route")


def measured(job: str, seconds: float, outcome: Outcome) -> Measurement:
    """A measurement, so many seconds after the start."""
    return Measurement(job, START + round(seconds * 1000), 0.01, outcome)


class Scene:
    """A desk, its clock, and all that it brought so far."""

    def __init__(self, rules: Rules | None = None, agents: Iterable[str] = ()) -> None:
        self.rules = rules or Rules()
        self.seconds = 0.0
        self.steps: list[Step] = []
        self._numbers = itertools.count(1)
        self._agents = tuple(agents)
        self.desk = self._new(None)

    def _new(self, state: DeskState | None) -> Desk:
        return Desk(self.rules, PROVINCE, self._next_id, self.now, agents=self._agents, state=state)

    def _next_id(self) -> str:
        return f"2025-{next(self._numbers):04}"

    @property
    def now(self) -> int:
        return START + round(self.seconds * 1000)

    def see(self, outcome: Outcome, *jobs: str, at: float | None = None, live: bool = True) -> None:
        """Every job has this outcome now (or at another time)."""
        for job in jobs:
            measurement = measured(job, self.seconds if at is None else at, outcome)
            self.desk.take(measurement, self.now, observer="centre", live=live)

    def tick(self) -> Step:
        step = self.desk.tick(self.now)
        self.steps.append(step)
        return step

    def run(
        self, seconds: float, outcomes: Mapping[str, Outcome], *, every: float = 5, hear: Iterable[str] = ()
    ) -> None:
        """Lets time pass: a tick a second, and every so many seconds an outcome of each job and a report of each
        agent."""
        agents = tuple(hear)
        for passed in range(1, round(seconds) + 1):
            self.seconds += 1
            if passed % every == 0:
                for job, outcome in outcomes.items():
                    self.see(outcome, job)
                for agent in agents:
                    self.desk.hear(agent, self.now)
            self.tick()

    def restart(self) -> None:
        """The process ends, and another goes on from what was stored."""
        stored = msgspec.msgpack.encode(self.desk.state())
        self.desk = self._new(msgspec.msgpack.decode(stored, type=DeskState))

    @property
    def open(self) -> dict[str, Incident]:
        """The open incidents by node."""
        return {incident.node: incident for incident in self.desk.open}

    @property
    def told(self) -> list[str]:
        """The notifications that left, in order: "opened ba-be critical"."""
        return [_words(n, self.steps) for n in self.notifications if n.status is Status.PENDING]

    @property
    def notifications(self) -> list[Notification]:
        return [notification for step in self.steps for notification in step.notifications]

    @property
    def closed(self) -> list[Incident]:
        return [i for step in self.steps for i in step.incidents if i.closed_at is not None]


def _words(notification: Notification, steps: Iterable[Step]) -> str:
    node = next(i.node for step in steps for i in step.incidents if i.id == notification.incident)
    return f"{notification.kind.value} {node} {notification.severity.value}"
