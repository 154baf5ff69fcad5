from __future__ import annotations

from alerts.incidents import WAITS_FOR_PARENT, WAITS_FOR_PROBE
from alerts.model import Severity, TimelineKind, Verdict
from checks.model import Outcome, State
from tests.alerts.world import ERROR, LOST, OK, START, WARN, Scene

COMMUNE, COMMUNE_SNMP = "banh-trach/ping/router", "banh-trach/snmp/router"
SIBLING, DISTRICT, CENTRE = "phuc-loc/ping/router", "ba-be/ping/router", "centre/ping/router"


def test_a_node_whose_checks_go_unanswered_is_one_incident_with_its_offices() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, COMMUNE_SNMP: OK, DISTRICT: OK})
    scene.run(20, {COMMUNE: LOST, COMMUNE_SNMP: LOST, DISTRICT: OK})
    incident = scene.open["banh-trach"]
    assert (incident.verdict, incident.severity) == (Verdict.DOWN, Severity.CRITICAL)
    assert incident.title == "Xã Bành Trạch mất kết nối"
    assert incident.title_en == "node banh-trach is down"
    assert (incident.id, incident.offices, len(incident.alerts)) == ("2025-0001", 4, 2)
    assert incident.since == START + 25_000
    assert len(scene.open) == 1
    scene.run(5, {COMMUNE: OK, COMMUNE_SNMP: LOST, DISTRICT: OK})
    assert scene.open["banh-trach"].verdict is Verdict.FAULT
    scene.run(5, {COMMUNE: OK, COMMUNE_SNMP: OK, DISTRICT: OK})
    assert not scene.open
    assert [(i.closed_by, i.closed_at) for i in scene.closed] == [("recovery", scene.now)]
    assert scene.told == ["opened banh-trach critical", "closed banh-trach major"]


def test_one_service_that_does_not_answer_is_no_outage_of_its_node() -> None:
    scene = Scene()
    service = "banh-trach/tcp/portal"
    scene.run(20, {COMMUNE: OK, service: OK})
    scene.run(20, {COMMUNE: OK, service: LOST})
    incident = scene.open["banh-trach"]
    assert (incident.verdict, incident.severity, incident.offices) == (Verdict.FAULT, Severity.MAJOR, 0)
    assert incident.title == "Xã Bành Trạch: phép đo tcp/portal không đạt"


def test_a_node_that_goes_down_within_an_open_incident_makes_it_critical() -> None:
    scene = Scene()
    tls = "banh-trach/tls/portal"
    scene.run(20, {COMMUNE: OK, tls: WARN})
    assert scene.open["banh-trach"].severity is Severity.WARNING
    scene.run(20, {COMMUNE: LOST, tls: LOST})
    assert [i.severity for i in scene.desk.open] == [Severity.CRITICAL]
    assert scene.told == ["opened banh-trach warning", "risen banh-trach critical"]
    kinds = [e.kind for step in scene.steps for e in step.timeline if e.incident == "2025-0001"]
    assert kinds[0] is TimelineKind.OPENED
    assert TimelineKind.SEVERITY in kinds


def test_nodes_behind_a_cut_parent_join_its_incident_and_page_nobody() -> None:
    scene = Scene()
    jobs = (COMMUNE, SIBLING, DISTRICT)
    scene.run(20, dict.fromkeys(jobs, OK))
    scene.run(30, dict.fromkeys(jobs, LOST))
    (incident,) = scene.open.values()
    assert (incident.node, incident.behind, incident.offices) == ("ba-be", ("banh-trach", "phuc-loc"), 18)
    assert scene.told == ["opened ba-be critical"]


def test_a_child_noticed_before_its_parent_waits_and_is_taken_into_its_incident() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.run(15, {COMMUNE: LOST})
    assert scene.open["banh-trach"].waits == WAITS_FOR_PARENT
    scene.run(15, {COMMUNE: LOST, DISTRICT: LOST})
    assert set(scene.open) == {"ba-be"}
    (taken,) = scene.closed
    assert (taken.node, taken.closed_by, taken.closed_reason) == ("banh-trach", "merge", scene.open["ba-be"].id)
    assert scene.told == ["opened ba-be critical"]
    muted = [(n.stage, n.reason) for n in scene.notifications if n.incident == taken.id]
    assert muted == [("cause", WAITS_FOR_PARENT), ("cause", f"behind the cause of {scene.open['ba-be'].id}")]


def test_a_child_waits_no_longer_than_its_parent_takes_to_answer() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.run(17, {COMMUNE: LOST})
    assert scene.told == []
    scene.see(OK, DISTRICT)
    scene.tick()
    assert scene.told == ["opened banh-trach critical"]


def test_a_child_whose_parent_is_not_probed_waits_for_the_grace_and_then_pages() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.run(44, {COMMUNE: LOST})
    assert scene.told == []
    scene.run(1, {COMMUNE: LOST})
    assert scene.told == ["opened banh-trach critical"]


def test_a_child_that_failed_long_before_its_parent_keeps_its_own_incident() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.run(120, {COMMUNE: LOST, DISTRICT: OK})
    scene.run(30, {COMMUNE: LOST, DISTRICT: LOST})
    assert set(scene.open) == {"banh-trach", "ba-be"}
    assert scene.told == ["opened banh-trach critical", "opened ba-be critical"]


def test_when_the_parent_returns_first_a_child_still_down_pages_only_after_it_was_measured_again() -> None:
    """icinga2 #5208, #4689: the storm of children when the parent recovers."""
    scene = Scene()
    jobs = (COMMUNE, SIBLING, DISTRICT)
    scene.run(20, dict.fromkeys(jobs, OK))
    scene.run(30, dict.fromkeys(jobs, LOST))
    scene.run(20, {DISTRICT: OK})
    assert {node: i.waits for node, i in scene.open.items()} == dict.fromkeys(
        ("banh-trach", "phuc-loc"), WAITS_FOR_PROBE
    )
    assert scene.told == ["opened ba-be critical", "closed ba-be critical"]
    scene.run(10, {DISTRICT: OK, COMMUNE: LOST, SIBLING: OK})
    assert set(scene.open) == {"banh-trach"}
    assert scene.told[2:] == ["opened banh-trach critical"]
    scene.run(5, {DISTRICT: OK, COMMUNE: OK})
    assert scene.told[3:] == ["closed banh-trach critical"]


def test_the_wait_for_a_new_measurement_survives_a_restart() -> None:
    """alertmanager #4064: inhibited alerts fire after a restart."""
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.run(30, {COMMUNE: LOST, DISTRICT: LOST})
    scene.restart()
    scene.run(3, {})
    scene.run(5, {DISTRICT: OK})
    scene.restart()
    scene.run(60, {DISTRICT: OK})
    assert scene.told == ["opened ba-be critical", "closed ba-be critical"]


def test_the_cause_is_the_topmost_of_those_that_failed_together() -> None:
    scene = Scene()
    jobs = (COMMUNE, DISTRICT, CENTRE)
    scene.run(20, dict.fromkeys(jobs, OK))
    scene.run(30, dict.fromkeys(jobs, LOST))
    (incident,) = scene.open.values()
    assert (incident.node, incident.behind) == ("centre", ("ba-be", "banh-trach"))


def test_an_ancestor_that_still_answers_clears_those_above_it() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK, CENTRE: OK})
    scene.run(30, {COMMUNE: LOST, DISTRICT: OK, CENTRE: LOST})
    assert set(scene.open) == {"banh-trach", "centre"}


def test_what_is_wrong_at_a_child_besides_stays_with_the_child() -> None:
    scene = Scene()
    tls = "banh-trach/tls/portal"
    scene.run(20, {COMMUNE: OK, DISTRICT: OK, tls: ERROR})
    scene.run(30, {COMMUNE: LOST, DISTRICT: LOST})
    assert scene.open["ba-be"].behind == ("banh-trach",)
    assert [alert.key for alert in scene.open["banh-trach"].alerts] == [tls]
    assert scene.told == ["opened banh-trach major", "opened ba-be critical"]


def test_a_job_that_leaves_the_plan_takes_its_alert_with_it() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: LOST})
    scene.desk.forget_job(COMMUNE, scene.now)
    scene.tick()
    assert not scene.open


def test_a_changed_fact_stands_in_the_timeline_of_the_open_incident() -> None:
    scene = Scene()
    tls = "banh-trach/tls/portal"
    scene.see(Outcome(State.WARN, "expires soon", answered=True, facts={"fingerprint": "aa"}), tls)
    scene.run(20, {tls: WARN})
    scene.see(Outcome(State.WARN, "expires soon", answered=True, facts={"fingerprint": "bb"}), tls, at=20.5)
    step = scene.tick()
    assert [event.text for event in step.timeline] == [f"{tls}: fingerprint was aa, is bb"]


def test_an_answer_from_before_the_clock_was_set_back_does_not_hide_an_outage() -> None:
    scene = Scene()
    scene.run(20, {COMMUNE: OK, DISTRICT: OK})
    scene.seconds -= 600
    scene.desk.set_back(600_000)
    scene.run(30, {COMMUNE: LOST, DISTRICT: OK})
    assert scene.open["banh-trach"].verdict is Verdict.DOWN
