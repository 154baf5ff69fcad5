"""A register becomes the plan of one agent: its jobs, and the secrets that they need."""

from __future__ import annotations

import datetime

import pytest

from checks.model import Job, Reflect
from checks.plan import PlanError, assigned, jobs_of, plan_of, plans_of
from checks.stamp.keys import Sessions
from checks.topology import Register, loads
from tests.checks.test_topology import CHECKS, HEAD

NODES = """\
- {id: d, name: D, template: site, parent: bk, prefix: 10.2.0.0/24, measured_by: self, probe: {interval: 3}}
- {id: a, name: A, template: site, parent: d, prefix: 10.1.0.0/24}
- {id: b, name: B, template: site, parent: d, prefix: 10.1.1.0/24, measured_by: self, devices: [{id: r1, kind: router,
   host: 2, checks: [{check: snmp, interval: 10, deadline: 4, retry: 2, params: {community: "secret:c", count: 1}}]}]}
"""
SECRETS = {"c": "s3cret"}


def register(nodes: str = NODES) -> Register:
    return loads(HEAD + nodes, "t.yaml", CHECKS).on(datetime.date(2025, 1, 1))


def ids(agent: str) -> list[str]:
    return [job.id for job in plan_of(register(), agent, SECRETS).jobs]


def test_an_agent_measures_itself_its_wards_and_its_childrens_routers() -> None:
    assert ids("bk") == ["bk/host/agent", "bk/snmp/r1", "d/ping/from-parent"]
    assert ids("d") == ["d/host/agent", "d/snmp/r1", "a/snmp/r1", "a/ping/from-parent", "b/ping/from-parent"]
    assert ids("b") == ["b/host/agent", "b/snmp/r1"]


def test_every_job_belongs_to_one_plan() -> None:
    everyone = [job for agent in register().agents for job in ids(agent)]
    assert sorted(everyone) == sorted(job.id for job in jobs_of(register()))


def test_times_have_defaults_that_fit_the_interval() -> None:
    jobs = {job.id: job for job in jobs_of(register())}
    assert jobs["a/snmp/r1"] == Job("a", "snmp", "r1", "10.1.0.1", 60.0, 10.0, 20.0)
    assert jobs["d/ping/from-parent"] == Job("d", "ping", "from-parent", "10.2.0.1", 3.0, 1.5, 3.0)
    written = jobs["b/snmp/r1"]
    assert (written.target, written.interval, written.deadline, written.retry) == ("10.1.1.2", 10.0, 4.0, 2.0)


def test_only_an_answer_from_a_node_s_own_address_proves_the_node() -> None:
    nodes = """\
- {id: a, name: A, template: site, parent: bk, prefix: 10.1.0.0/24, devices: [{id: s1, kind: server, host: 5, checks: [
   {check: ping, target: "{address}"}, {check: ping, label: far, target: "10.0.0.9"}]}],
   links: [{id: wan, kind: wan, address: 10.9.0.1, checks: [{check: ping}]}],
   services: [{id: portal, address: "portal.example:443", checks: [{check: ping}]}]}
"""
    proofs = {one.job.id for one in assigned(register(nodes)) if one.proves and one.job.node == "a"}
    assert proofs == {"a/snmp/r1", "a/ping/s1", "a/ping/from-parent"}


def test_only_a_plan_holds_the_secrets() -> None:
    jobs = {job.id: job for job in jobs_of(register())}
    assert jobs["b/snmp/r1"].params == {"community": "secret:c", "count": 1}
    planned = {job.id: job for job in plan_of(register(), "b", SECRETS).jobs}
    assert planned["b/snmp/r1"].params == {"community": "s3cret", "count": 1}


def test_the_version_follows_the_content_and_the_secrets() -> None:
    version = plan_of(register(), "b", SECRETS).version
    assert version == plan_of(register(), "b", SECRETS | {"other": "x"}).version
    assert version != plan_of(register(), "b", {"c": "new"}).version
    assert version != plan_of(register(), "b", SECRETS, report_every=1.0).version
    assert version != plan_of(register(NODES.replace("deadline: 4", "deadline: 3")), "b", SECRETS).version


def test_a_missing_secret_is_named_with_its_place_and_near_match() -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(register(), "b", {"cc": "x"})
    assert str(caught.value) == "job bk/snmp/r1, parameter community: no secret 'c': did you mean 'cc'?"


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        ("bkk", "no agent 'bkk' on 2025-01-01: did you mean 'bk'?"),
        ("a", "no agent 'a' on 2025-01-01: expected bk, d or b"),
    ],
)
def test_a_node_without_an_agent_has_no_plan(agent: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(register(), agent, SECRETS)
    assert str(caught.value) == message


def test_a_router_that_answers_no_ping_is_not_probed() -> None:
    probed = {job.id for job in jobs_of(register())}
    assert "d/ping/from-parent" in probed
    silent = {job.id for job in jobs_of(register(NODES.replace("probe: {interval: 3}", "probe: {off: true}")))}
    assert silent == probed - {"d/ping/from-parent"}


def test_an_agent_that_receives_notifications_reports_them_under_a_job_of_its_own() -> None:
    receiving = NODES.replace("measured_by: self, probe:", 'measured_by: self, traps: "0.0.0.0:9162", probe:')
    plans = plans_of(register(receiving), SECRETS)
    traps = plans["d"].traps
    assert traps is not None
    assert (traps.id, traps.target) == ("d/trap/receiver", "0.0.0.0:9162")
    assert (plans["bk"].traps, plans["b"].traps) == (None, None)
    assert "d/trap/receiver" in {job.id for job in jobs_of(register(receiving))}
    assert plans["d"].version != plans_of(register(), SECRETS)["d"].version


REFLECTING = NODES.replace("measured_by: self, probe:", 'measured_by: self, reflector: "10.2.0.2:8862", probe:')
CENTRE = HEAD.replace("id: bk, ", 'id: bk, reflector: "10.0.0.2:862", ')
SESSIONS = Sessions(bytes(32), {"bk": 1, "d": 2, "b": 3})


def test_every_agent_beats_at_the_centre_and_at_its_parent_s_agent_where_that_reflects() -> None:
    province = loads(CENTRE + REFLECTING, "t.yaml", CHECKS).on(datetime.date(2025, 1, 1))
    plans = plans_of(province, SECRETS, sessions=SESSIONS)

    beats = {beat.job.id: (beat.ssid, beat.job.target) for plan in plans.values() for beat in plan.beats}
    assert beats == {
        "bk/stamp/centre": (1, "10.0.0.2:862"),
        "d/stamp/centre": (2, "10.0.0.2:862"),
        "b/stamp/centre": (3, "10.0.0.2:862"),
        "b/stamp/parent": (3, "10.2.0.2:8862"),
    }
    with_parent = plans["b"].beats[1].job.params["key"]
    assert plans["d"].reflect == Reflect("10.2.0.2:8862", {3: with_parent})
    assert (plans["bk"].reflect, plans["b"].reflect) == (None, None)
    assert len({beat.job.params["key"] for plan in plans.values() for beat in plan.beats}) == 4
    assert set(beats) <= {job.id for job in jobs_of(province)}
    assert plans["d"].version != plans_of(province, SECRETS, sessions=Sessions(b"other", SESSIONS.ssids))["d"].version


def test_an_agent_without_a_session_identifier_has_no_session() -> None:
    province = loads(CENTRE + REFLECTING, "t.yaml", CHECKS).on(datetime.date(2025, 1, 1))

    assert [plan.beats for plan in plans_of(province, SECRETS).values()] == [()] * 3
