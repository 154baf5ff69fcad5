from __future__ import annotations

from checks.model import Outcome, State
from collector.coverage import Reach, Share, coverage
from collector.evidence import Evidence
from tests.collector.provinces import register

NOW = 1_750_000_000_000
REPLY = Outcome(State.OK, "reply", answered=True)
SILENCE = Outcome(State.CRIT, "no reply", "timeout")
EXPIRED = Outcome(State.CRIT, "the certificate expired", "expired", answered=True)
BLIND = Outcome(State.UNKNOWN, "no permission", "no-permission")


def seen(*sights: tuple[str, str, Outcome, int]) -> Evidence:
    """Evidence of (observer, node, outcome, seconds ago); both agents have just reported."""
    evidence = Evidence()
    evidence.report("bk", NOW)
    evidence.report("d1", NOW)
    for observer, node, outcome, ago in sights:
        evidence.observe(observer, node, outcome, NOW - ago * 1000)
    return evidence


def test_a_node_is_connected_by_its_agents_live_report() -> None:
    found = coverage(register(), seen(), NOW)
    assert found.nodes["bk"] is found.nodes["d1"] is Reach.CONNECTED
    assert found.nodes["c1"] is Reach.UNOBSERVED


def test_an_answer_to_another_nodes_agent_proves_it_whatever_the_answer_says() -> None:
    found = coverage(register(), seen(("d1", "c1", REPLY, 10), ("d1", "c2", EXPIRED, 10)), NOW)
    assert found.total == Share(required=6, connected=6, down=0, unobserved=0)
    assert found.total.percent == 100.0


def test_a_proof_older_than_the_window_proves_nothing() -> None:
    found = coverage(register(), seen(("d1", "c1", REPLY, 61), ("d1", "c2", REPLY, 60)), NOW)
    assert found.nodes["c1"] is Reach.UNOBSERVED
    assert found.nodes["c2"] is Reach.CONNECTED


def test_a_failed_probe_of_a_healthy_observer_says_down() -> None:
    found = coverage(register(), seen(("d1", "c1", REPLY, 90), ("d1", "c1", SILENCE, 5), ("d1", "c2", REPLY, 5)), NOW)
    assert found.nodes["c1"] is Reach.DOWN
    assert found.total == Share(6, 4, 2, 0)
    assert found.by_category["party"] == Share(3, 2, 1, 0)
    assert found.by_branch["d1"] == Share(6, 4, 2, 0)
    assert found.by_tier["commune"] == Share(4, 2, 2, 0)


def test_an_observer_that_could_not_look_condemns_nobody() -> None:
    assert coverage(register(), seen(("d1", "c1", BLIND, 5)), NOW).nodes["c1"] is Reach.UNOBSERVED


def test_an_observer_that_is_silent_itself_condemns_nobody() -> None:
    evidence = Evidence()
    evidence.observe("d1", "c1", SILENCE, NOW - 1000)
    assert coverage(register(), evidence, NOW).nodes["c1"] is Reach.UNOBSERVED


def test_an_observer_that_reaches_none_of_many_is_the_suspect_itself() -> None:
    sights = [("d1", node, SILENCE, 5) for node in ("c1", "c2", "other")]
    assert coverage(register(), seen(*sights), NOW).nodes["c1"] is Reach.UNOBSERVED
    assert coverage(register(), seen(*sights, ("d1", "further", REPLY, 5)), NOW).nodes["c1"] is Reach.DOWN


def test_what_an_agent_says_of_its_own_node_adds_nothing() -> None:
    evidence = Evidence()
    evidence.observe("d1", "d1", REPLY, NOW)
    assert coverage(register(), evidence, NOW).nodes["d1"] is Reach.UNOBSERVED


def test_a_hundred_per_cent_is_not_said_while_one_office_is_missing() -> None:
    assert Share(100_000, 99_999, 0, 1).percent == 99.99
    assert Share(3, 2, 1, 0).percent == 66.66
    assert Share(0, 0, 0, 0).percent is None
