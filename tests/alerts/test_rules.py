from __future__ import annotations

from alerts.model import FactChanged, Phase, Rule, Severity, Transition, TransitionKind
from alerts.rules import Changes, JobRule, JobState, take
from checks.model import Outcome, State
from tests.alerts.world import BLIND, ERROR, LOST, OK, START, WARN, measured

JOB = "banh-trach/ping/router"


class Followed:
    """One job's state over time."""

    def __init__(self, rule: JobRule | None = None) -> None:
        self.rule = rule or JobRule()
        self.state: JobState | None = None

    def see(self, seconds: float, outcome: Outcome, *, now: float | None = None, live: bool = True) -> Changes:
        now_ms = START + round((seconds if now is None else now) * 1000)
        measurement = measured(JOB, seconds, outcome)
        self.state, changes = take(self.rule, self.state, measurement, now_ms, observer="ba-be", live=live)
        return changes

    def kinds(self, seconds: float, outcome: Outcome) -> list[TransitionKind]:
        return [change.kind for change in self.see(seconds, outcome) if isinstance(change, Transition)]


def test_a_failure_is_soft_until_it_has_lasted_and_been_seen_twice() -> None:
    job = Followed()
    assert job.kinds(0, OK) == []
    assert job.kinds(5, LOST) == [TransitionKind.SOFT]
    assert job.kinds(10, LOST) == []
    assert job.kinds(15, LOST) == [TransitionKind.HARD]
    assert job.state is not None
    assert job.state.alert is not None
    alert = job.state.alert
    assert (alert.phase, alert.severity, alert.since) == (Phase.HARD, Severity.MAJOR, START + 5_000)
    assert alert.unreachable_since == START + 5_000
    assert (alert.node, alert.job, alert.reason) == ("banh-trach", JOB, "timeout")
    assert job.kinds(20, LOST) == []


def test_one_result_confirms_nothing_however_late_the_next_one_comes() -> None:
    job = Followed()
    job.see(0, LOST)
    assert job.kinds(3600, OK) == [TransitionKind.CLEARED]
    assert job.kinds(7200, LOST) == [TransitionKind.SOFT]


def test_an_alert_ends_with_the_first_ok() -> None:
    job = Followed()
    for second in (0, 10):
        job.see(second, LOST)
    assert job.kinds(15, OK) == [TransitionKind.RECOVERED]
    assert job.kinds(20, OK) == []


def test_recovery_can_be_asked_to_be_confirmed() -> None:
    job = Followed(JobRule(recover_runs=2))
    for second in (0, 10):
        job.see(second, LOST)
    assert job.kinds(15, OK) == []
    assert job.kinds(20, LOST) == []
    assert job.kinds(25, OK) == []
    assert job.kinds(30, OK) == [TransitionKind.RECOVERED]


def test_a_worse_severity_is_confirmed_before_it_counts() -> None:
    job = Followed()
    for second in (0, 10):
        job.see(second, WARN)
    assert job.kinds(15, LOST) == []
    assert job.state is not None
    assert job.state.alert is not None
    assert job.state.alert.severity is Severity.WARNING
    (change,) = job.see(25, LOST)
    assert isinstance(change, Transition)
    assert change.kind is TransitionKind.CHANGED
    assert (change.alert.severity, change.alert.since) == (Severity.MAJOR, START)
    assert change.alert.unreachable_since == START + 15_000


def test_an_easing_is_confirmed_before_it_counts() -> None:
    job = Followed()
    for second in (0, 10):
        job.see(second, LOST)
    assert job.kinds(15, WARN) == []
    assert job.kinds(20, LOST) == []
    assert job.kinds(25, WARN) == []
    assert job.kinds(35, WARN) == [TransitionKind.CHANGED]
    assert job.state is not None
    assert job.state.alert is not None
    assert job.state.alert.severity is Severity.WARNING
    assert job.state.alert.unreachable_since is None


def test_one_crit_among_warnings_confirms_a_warning() -> None:
    job = Followed()
    job.see(0, WARN)
    job.see(5, WARN)
    (change,) = job.see(10, LOST)
    assert isinstance(change, Transition)
    assert (change.kind, change.alert.severity) == (TransitionKind.HARD, Severity.WARNING)


def test_a_crit_that_answered_does_not_say_unreachable() -> None:
    job = Followed()
    job.see(0, ERROR)
    (change,) = job.see(10, ERROR)
    assert isinstance(change, Transition)
    assert (change.alert.severity, change.alert.unreachable_since) == (Severity.MAJOR, None)


def test_unknown_is_never_an_outage_and_warns_of_the_observer_after_a_longer_time() -> None:
    job = Followed()
    job.see(0, OK)
    for second in range(10, 310, 10):
        assert job.see(second, BLIND) == ()
    (change,) = job.see(310, BLIND)
    assert isinstance(change, Transition)
    alert = change.alert
    assert (alert.rule, alert.node, alert.severity) == (Rule.OBSERVER, "ba-be", Severity.WARNING)
    assert alert.unreachable_since is None
    assert job.kinds(320, OK) == [TransitionKind.RECOVERED]


def test_unknown_neither_confirms_nor_clears_a_failure() -> None:
    job = Followed()
    job.see(0, LOST)
    assert job.see(20, BLIND) == ()
    assert job.kinds(30, LOST) == [TransitionKind.HARD]
    assert job.see(40, BLIND) == ()
    assert job.kinds(50, OK) == [TransitionKind.RECOVERED]


def test_what_is_not_newer_changes_nothing() -> None:
    job = Followed()
    for second in (0, 10):
        job.see(second, LOST)
    before = job.state
    assert job.see(10, OK) == ()
    assert job.see(5, OK) == ()
    assert job.see(20, OK, live=False) == ()
    assert job.state == before


def test_a_clock_that_was_ahead_and_is_set_back_does_not_make_the_job_deaf() -> None:
    job = Followed()
    job.see(3600, LOST, now=0)
    (begun,) = job.see(5, LOST, now=5)
    assert isinstance(begun, Transition)
    assert (begun.kind, begun.alert.since) == (TransitionKind.SOFT, START + 5_000)
    assert [c.kind for c in job.see(15, LOST, now=15) if isinstance(c, Transition)] == [TransitionKind.HARD]


def test_another_fact_is_an_event_and_a_missing_one_is_not() -> None:
    job = Followed()
    fact = "fingerprint"
    job.see(0, Outcome(State.OK, "", answered=True, facts={fact: "aa", "issuer": "x"}))
    assert job.see(5, LOST)[1:] == ()
    changes = job.see(10, Outcome(State.OK, "", answered=True, facts={fact: "bb"}))
    assert changes[-1] == FactChanged("banh-trach", JOB, START + 10_000, fact, "aa", "bb")
    assert job.see(15, Outcome(State.OK, "", answered=True, facts={fact: "bb", "issuer": "x"})) == ()
