"""What holds for every sequence of measurements, in whatever order nodes fail."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.desk import Step
from alerts.model import Incident, TransitionKind
from alerts.pipeline import Status
from tests.alerts.world import BLIND, ERROR, LOST, OK, WARN, Scene, measured

JOBS = ("centre/ping/r", "ba-be/ping/r", "ba-be/tls/p", "banh-trach/ping/r", "banh-trach/snmp/r", "phuc-loc/ping/r")
OUTCOMES = (OK, OK, LOST, LOST, WARN, ERROR, BLIND)
AGENTS = ("centre", "ba-be")

Input = tuple[str, Any, float]
see = st.tuples(st.sampled_from(JOBS), st.sampled_from(OUTCOMES), st.sampled_from((0.5, 3.0, 8.0)))
hear = st.tuples(st.sampled_from(AGENTS), st.none(), st.sampled_from((0.5, 8.0)))
inputs = st.lists(st.one_of(see, see, see, hear), max_size=60)
quick = settings(max_examples=120, deadline=None)


def play(sequence: list[Input], *, twice: bool = False, late: bool = False, restart_at: int | None = None) -> Scene:
    """Runs a sequence: each input comes at the end of its pause, with a tick a second and one after it."""
    scene = Scene(agents=AGENTS if restart_at is None else ())
    for number, (subject, outcome, pause) in enumerate(sequence):
        _pass(scene, pause)
        if outcome is None:
            scene.desk.hear(subject, scene.now)
        else:
            scene.see(outcome, subject)
            if twice:
                scene.see(outcome, subject)
            if late:
                scene.see(LOST, subject, at=scene.seconds - 0.25)
                scene.see(LOST, subject, at=scene.seconds + 0.25, live=False)
        if number == restart_at:
            scene.restart()
        _check(scene, scene.tick())
    return scene


def _pass(scene: Scene, pause: float) -> None:
    while pause > 1:
        scene.seconds += 1
        pause -= 1
        _check(scene, scene.tick())
    scene.seconds += pause


def _check(scene: Scene, step: Step) -> None:
    """Every hard alert is in exactly one open incident, and no closed incident holds one."""
    held = [alert.key for incident in scene.desk.open for alert in incident.alerts]
    assert sorted(held) == sorted(scene.desk.alerts)
    assert all(incident.alerts for incident in scene.desk.open)
    assert all(not i.alerts and i.closed_by in ("recovery", "merge") for i in step.incidents if i.closed_at is not None)


def story(scene: Scene) -> list[Any]:
    return [
        [msgspec.to_builtins(part) for part in (step.transitions, step.incidents, step.timeline, step.notifications)]
        for step in scene.steps
    ]


@quick
@given(inputs)
def test_every_hard_alert_is_in_exactly_one_open_incident(sequence: list[Input]) -> None:
    scene = play(sequence)
    hard = set()
    for step in scene.steps:
        for transition in step.transitions:
            if transition.kind in (TransitionKind.HARD, TransitionKind.CHANGED):
                hard.add(transition.alert.key)
            elif transition.kind is TransitionKind.RECOVERED:
                hard.discard(transition.alert.key)
    assert set(scene.desk.alerts) == hard


@quick
@given(inputs)
def test_the_same_measurement_twice_changes_nothing(sequence: list[Input]) -> None:
    assert story(play(sequence, twice=True)) == story(play(sequence))


@quick
@given(inputs)
def test_late_and_backfilled_measurements_change_nothing(sequence: list[Input]) -> None:
    assert story(play(sequence, late=True)) == story(play(sequence))


@quick
@given(inputs.filter(bool), st.data())
def test_a_restart_changes_nothing(sequence: list[Input], data: st.DataObject) -> None:
    """Of agents that did report, silence is counted anew after a restart: they are left out here."""
    sequence = [item for item in sequence if item[1] is not None]
    where = data.draw(st.integers(0, max(0, len(sequence) - 1)))
    assert story(play(sequence, restart_at=where)) == story(play(sequence, restart_at=-1))


@quick
@given(inputs)
def test_people_are_told_at_most_once_of_each_opening_closing_and_rise(sequence: list[Input]) -> None:
    scene = play(sequence)
    told = [n for n in scene.notifications if n.status is Status.PENDING]
    assert len({n.id for n in told}) == len(told)
    by_incident: dict[str, list[str]] = {}
    for notification in told:
        by_incident.setdefault(notification.incident, []).append(notification.kind.value)
    for kinds in by_incident.values():
        assert kinds[0] == "opened"
        assert kinds.count("opened") == 1
        assert kinds.count("closed") <= 1
        assert "closed" not in kinds[:-1]
    assert len(told) <= _turns(scene.steps)


def _turns(steps: list[Step]) -> int:
    """Openings, closings and rises of severity."""
    known: dict[str, Incident] = {}
    turns = 0
    for step in steps:
        for incident in step.incidents:
            before = known.get(incident.id)
            rose = before is not None and incident.severity.rank > before.severity.rank
            turns += (before is None) + rose + (incident.closed_at is not None)
            known[incident.id] = incident
    return turns


@quick
@given(inputs)
def test_a_measurement_that_is_replayed_at_the_end_opens_nothing(sequence: list[Input]) -> None:
    scene = play(sequence)
    before = scene.desk.open
    for job in JOBS:
        scene.desk.take(measured(job, -60, LOST), scene.now, observer="centre", live=False)
    assert scene.tick().incidents == ()
    assert scene.desk.open == before
