from __future__ import annotations

import msgspec

from alerts.desk import Rules
from alerts.messages import Message, NoticeKind
from alerts.model import Incident, Severity
from alerts.pipeline import Notification, NotifyError, Policy, Retry, Status, Told, decide, deliver
from tests.alerts.world import ERROR, LOST, OK, START, WARN, Scene

POLICY = Policy()
PENDING = Notification("1/opened/major", "1", NoticeKind.OPENED, Severity.MAJOR, START, Status.PENDING)
MESSAGE = Message("title", "body")


def incident() -> Incident:
    scene = Scene()
    scene.run(20, {"ba-be/tls/portal": ERROR})
    return scene.open["ba-be"]


def test_an_incident_is_told_once_however_often_it_is_looked_at() -> None:
    told: dict[str, Told] = {}
    told, first = decide(POLICY, told, [incident()], START)
    told, second = decide(POLICY, told, [incident()], START + 1000)
    assert [n.status for n in first] == [Status.PENDING]
    assert second == ()


def test_backfilled_incidents_never_page() -> None:
    _, (muted,) = decide(POLICY, {}, [msgspec.structs.replace(incident(), retroactive=True)], START)
    assert (muted.status, muted.stage) == (Status.MUTED, "live")


def test_what_is_below_the_floor_is_muted_until_it_rises() -> None:
    scene = Scene(Rules(policy=Policy(floor=Severity.MAJOR)))
    job = "ba-be/tls/portal"
    scene.run(20, {job: WARN})
    assert [(n.stage, n.reason) for n in scene.notifications] == [("severity", "warning is below the floor of major")]
    scene.run(20, {job: ERROR})
    assert scene.told == ["opened ba-be major"]
    scene.run(5, {job: OK})
    assert scene.told == ["opened ba-be major", "closed ba-be major"]


def test_an_end_is_not_told_when_the_beginning_was_not() -> None:
    scene = Scene(Rules(policy=Policy(floor=Severity.CRITICAL)))
    scene.run(20, {"ba-be/tls/portal": WARN})
    scene.run(5, {"ba-be/tls/portal": OK})
    assert scene.told == []
    assert (scene.notifications[-1].stage, scene.notifications[-1].kind) == ("dedup", NoticeKind.CLOSED)


def test_a_severity_that_falls_and_rises_again_is_not_told_again() -> None:
    scene = Scene()
    job = "ba-be/tls/portal"
    for outcome in (WARN, ERROR, WARN, ERROR):
        scene.run(20, {job: outcome})
    assert scene.told == ["opened ba-be warning", "risen ba-be major"]


def test_a_restart_between_decision_and_next_tick_tells_nothing_twice() -> None:
    scene = Scene()
    scene.run(20, {"ba-be/ping/router": LOST})
    scene.restart()
    scene.run(20, {"ba-be/ping/router": LOST})
    assert scene.told == ["opened ba-be critical"]


class Recalcitrant:
    """A destination that fails so many times, then takes what comes."""

    def __init__(self, name: str, failures: int) -> None:
        self.name = name
        self._failures = failures
        self.taken: list[Message] = []

    async def send(self, message: Message, _kind: NoticeKind, _severity: Severity, /) -> None:
        if self._failures:
            self._failures -= 1
            raise NotifyError(f"{self.name}: not now")
        self.taken.append(message)


async def test_each_destination_is_retried_by_itself_with_growing_waits() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    steady, late, dead = Recalcitrant("steady", 0), Recalcitrant("late", 2), Recalcitrant("dead", 99)
    retry = Retry(attempts=4, first=1, factor=3, most=5)
    done = await deliver(PENDING, MESSAGE, [steady, late, dead], retry, now=lambda: START, sleep=sleep)
    assert (len(steady.taken), len(late.taken), len(dead.taken)) == (1, 1, 0)
    assert done.status is Status.PARTIAL
    assert [(d.channel, len(d.errors), d.sent_at) for d in done.deliveries] == [
        ("steady", 0, START),
        ("late", 2, START),
        ("dead", 4, None),
    ]
    assert sorted(waits) == [1, 1, 3, 3, 5]


async def test_without_a_destination_the_record_says_so() -> None:
    done = await deliver(PENDING, MESSAGE, [], Retry(), now=lambda: START)
    assert (done.status, done.stage, done.reason) == (Status.MUTED, "send", "no destination is configured")
