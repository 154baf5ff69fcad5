"""The province as it is written: templates, dates, and each mistake in the words that a person needs."""

from __future__ import annotations

import datetime
from pathlib import Path

import msgspec
import pytest

from checks.contract import Check, Context, Params, Secret, Target
from checks.model import Outcome, State
from checks.topology import Register, Topology, TopologyError, checks_of, load, loads


class EchoParams(Params, frozen=True):
    """Parameters of a check that these tests own."""

    community: Secret = ""
    count: int = 3


async def _echo(target: Target, params: EchoParams, ctx: Context) -> Outcome:
    return Outcome(State.OK, f"{target.address} echoed {params.count} times")


CHECKS = {name: Check(name, "echo", "a host", EchoParams, _echo) for name in ("ping", "snmp", "host")}

HEAD = """\
province: {name: Bắc Kạn, name_en: Bac Kan, timezone: Asia/Ho_Chi_Minh}
tiers: [{id: province, vi: Tỉnh, en: Province}, {id: district, vi: Huyện, en: District},
  {id: commune, vi: Xã, en: Commune}]
categories: [{id: party, vi: Đảng, en: Party}, {id: agency, vi: Ủy ban, en: Agency}]
templates:
  centre:
    tier: province
    checks: [{check: host}]
    devices: [{id: r1, kind: router, host: 1, checks: [{check: snmp, params: {community: "secret:c"}}]}]
    offices: [{id: party, vi: Tỉnh ủy, category: party, until: 2025-07-01}]
  site:
    tier: commune
    measured_by: parent
    checks: [{check: host}]
    devices: [{id: r1, kind: router, host: 1, checks: [{check: snmp}]}]
    offices: [{id: party, vi: Đảng ủy, category: party}, {id: committee, vi: Ủy ban, category: agency}]
nodes:
- {id: bk, name: Trung tâm, template: centre, prefix: 10.0.0.0/24}
"""
DAY = datetime.date(2025, 6, 30)


def province(*nodes: str) -> Topology:
    return loads(HEAD + "\n".join(f"- {node}" for node in nodes), "t.yaml", CHECKS)


def complaint(*nodes: str, head: str = HEAD) -> str:
    with pytest.raises(TopologyError) as caught:
        loads(head + "\n".join(f"- {node}" for node in nodes), "t.yaml", CHECKS)
    return str(caught.value)


def test_a_node_takes_what_its_template_gives_and_adds_its_own() -> None:
    node = province(
        "{id: a, name: A, template: site, parent: bk, prefix: 10.1.0.0/24,"
        " offices: [{id: party, vi: Thành ủy, category: party}, {id: post, vi: Bưu điện, category: agency}]}"
    ).nodes[1]
    assert (node.tier, node.measured_by, node.has_agent) == ("commune", "parent", False)
    assert [(office.id, office.vi) for office in node.offices] == [
        ("party", "Thành ủy"),
        ("committee", "Ủy ban"),
        ("post", "Bưu điện"),
    ]
    assert node.router is not None
    assert node.router.address == "10.1.0.1"


def test_checks_are_bound_to_their_owners_address_unless_they_name_a_target() -> None:
    node = province(
        "{id: a, name: A, template: site, parent: bk, prefix: 10.1.0.0/24, devices: [{id: sw, kind: switch,"
        " address: 10.1.0.9, checks: [{check: ping}, {check: ping, label: big, target: '{address}:22'}]}]}"
    ).nodes[1]
    assert [(b.entry.check, b.owner, b.label, b.target) for b in checks_of(node)] == [
        ("host", "", "agent", ""),
        ("snmp", "device r1", "r1", "10.1.0.1"),
        ("ping", "device sw", "sw", "10.1.0.9"),
        ("ping", "device sw", "sw-big", "10.1.0.9:22"),
    ]


def merged_province() -> Topology:
    return province(
        "{id: d, name: D, template: site, parent: bk, prefix: 10.2.0.0/24, until: 2025-07-01, measured_by: self}",
        "{id: a, name: A, template: site, parent: d, prefix: 10.1.0.0/24, until: 2025-07-01, became: [n]}",
        "{id: b, name: B, template: site, parent: d, prefix: 10.1.1.0/24, until: 2025-07-01, became: [n]}",
        "{id: n, name: N, template: site, parent: bk, prefix: 10.1.0.0/24, since: 2025-07-01}",
    )


def test_a_register_holds_what_is_in_force_on_its_day() -> None:
    topology = merged_province()
    before, after = topology.on(DAY), topology.on(datetime.date(2025, 7, 1))
    assert list(before.nodes) == ["bk", "d", "a", "b"]
    assert list(after.nodes) == ["bk", "n"]
    assert topology.changes() == (datetime.date(2025, 7, 1),)
    assert [office.id for office in after.offices] == ["n/party", "n/committee"]
    assert before.offices_by_tier() == {"province": 1, "district": 0, "commune": 6}
    assert before.offices_by_category() == {"party": 4, "agency": 3}
    assert before.offices_by_branch() == {"bk": 1, "d": 6}


def test_a_register_knows_who_is_behind_whom_and_who_measures_them() -> None:
    register: Register = merged_province().on(DAY)
    assert register.root.id == "bk"
    assert [node.id for node in register.children("d")] == ["a", "b"]
    assert [node.id for node in register.ancestors("a")] == ["d", "bk"]
    assert [node.id for node in register.descendants("bk")] == ["d", "a", "b"]
    assert [register.branch_of(node) for node in register.nodes] == ["bk", "d", "d", "d"]
    assert [register.agent_of(node) for node in register.nodes] == ["bk", "d", "d", "d"]
    assert register.agents == ("bk", "d")


def test_a_node_may_move_to_another_parent_from_a_day_on() -> None:
    topology = province(
        "{id: d, name: D, template: site, parent: bk, prefix: 10.2.0.0/24}",
        "{id: a, name: A, template: site, parent: bk, prefix: 10.1.0.0/24, until: 2025-03-01}",
        "{id: a, name: A, template: site, parent: d, prefix: 10.1.0.0/24, since: 2025-03-01}",
        "{id: x, name: X, template: site, parent: a, prefix: 10.3.0.0/24}",
    )
    assert topology.on(datetime.date(2025, 2, 28)).nodes["a"].parent == "bk"
    assert topology.on(datetime.date(2025, 3, 1)).nodes["a"].parent == "d"


def test_a_day_without_nodes_is_refused() -> None:
    topology = merged_province()
    later = msgspec.structs.replace(topology, nodes=topology.nodes[4:])
    with pytest.raises(ValueError, match=r"no node in force on 2025-06-30: see since and until"):
        later.on(DAY)


def site(more: str, node_id: str = "a", prefix: str = "10.1.0.0/24") -> str:
    return f"{{id: {node_id}, name: A, template: site, parent: bk, prefix: {prefix}, {more}}}"


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (
            ["{id: a, name: A, template: site, parrent: bk}"],
            "t.yaml:19:36: node a: unknown key 'parrent': did you mean 'parent'?",
        ),
        (
            ["{id: a, name: A, template: sit, parent: bk}"],
            "t.yaml:19:30: node a, template: unknown template 'sit': did you mean 'site'?",
        ),
        (
            ["{id: a, name: A, template: site, parent: bkk, prefix: 10.1.0.0/24}"],
            "t.yaml:19:44: node a, parent: unknown node 'bkk': did you mean 'bk'?",
        ),
        (
            ["{id: A B, name: A, template: site}"],
            "A B, id: expected small letters, digits, '.', '_' or '-', beginning with a letter or digit, got 'A B'",
        ),
        ([site("code: 02011")], 't.yaml:19:75: node a, code: expected a text, got the number 02011: quote it: "02011"'),
        (
            [site("at: [105.8, 22.1]")],
            "t.yaml:19:73: node a, at: latitude 105.8 is not in -90 to 90: expected [latitude, longitude]",
        ),
        (
            [site("since: 2025-07-01, until: 2025-07-01")],
            "node a, until: until 2025-07-01 is not after since 2025-07-01",
        ),
        ([site("became: [bk]")], "node a, became: what became of a node is known when it ends: write until beside it"),
        ([site("until: 2025-07-01, became: [bbk]")], "node a, became 1: unknown node 'bbk': did you mean 'bk'?"),
        ([site("measured_by: slef")], "node a, measured_by: unknown node 'slef': expected"),
        ([site("", prefix="10.1.0.1/24")], "node a, prefix: '10.1.0.1/24' is no prefix: did you mean '10.1.0.0/24'?"),
        ([site("", prefix="10.1.0.0/33")], "node a, prefix: '10.1.0.0/33' is no prefix: expected such as 10.58.1.0/24"),
        ([site("", prefix="10.0.0.128/25")], "node a, prefix: 10.0.0.128/25 overlaps 10.0.0.0/24 of node bk"),
        (
            [site(""), site("", prefix="10.2.0.0/24")],
            "t.yaml:20:8: node a, id: id 'a' stands twice for the same days: rename one, or set since and until",
        ),
        (
            ["{id: a, name: A, template: site, measured_by: self, prefix: 10.1.0.0/24}"],
            "t.yaml:19:3: node a: a second root beside 'bk': give it a parent",
        ),
        (
            [site("devices: [{id: r1, kind: rooter, host: 1}]")],
            "node a, device r1, kind: unknown kind 'rooter': did you mean 'router'?",
        ),
        (
            [site("devices: [{id: r1, kind: router}]")],
            "node a: device r1: expected an address, or host (its number in the prefix), and not both",
        ),
        (
            [site("devices: [{id: r1, kind: router, host: 255}]")],
            "node a: device r1: host 255 is not in 10.1.0.0/24: expected 1 to 254",
        ),
        (
            ["{id: a, name: A, template: site, parent: bk}"],
            "node a: device r1: host 1 of what? Give the node a prefix, or this an address",
        ),
        (
            [site("links: [{id: w, kind: wan, checks: [{check: ping}]}]")],
            "node a: link w, check ping: no target: give the link an address",
        ),
        (
            [site("checks: [{check: pingg}]")],
            "t.yaml:19:86: node a, check pingg, check: unknown check 'pingg': did you mean 'ping'?",
        ),
        (
            [site("checks: [{check: ping, params: {coutn: 1}}]")],
            "node a, check ping, params: unknown parameter 'coutn': did you mean 'count'?",
        ),
        (
            [site("checks: [{check: ping, params: {count: x}}]")],
            "node a, check ping, param count: expected a whole number, got the text 'x'",
        ),
        (
            [site("checks: [{check: ping, interval: 5, deadline: 5}]")],
            "node a, check ping, deadline: deadline 5 s: expected less than the interval, 5 s",
        ),
        (
            [site("checks: [{check: ping, interval: 5, retry: 6}]")],
            "node a, check ping, retry: retry 6 s: expected at most the interval, 5 s",
        ),
        (
            [site("checks: [{check: ping, interval: 0}]")],
            "node a, check ping, interval: expected a number of more than 0, got 0",
        ),
        (
            [site("checks: [{check: host}]")],
            "node a: two jobs a/host/agent, both of its own agent: give one a label",
        ),
        (
            [site("devices: [{id: from-parent, kind: router, address: 10.1.0.3, checks: [{check: ping}]}]")],
            "node a: two jobs a/ping/from-parent, of the probe by its parent and of device from-parent: give one",
        ),
        (
            [site("offices: [{id: x, vi: X, category: praty}]")],
            "node a, office x, category: unknown category 'praty': did you mean 'party'?",
        ),
        (
            [site("offices: [{id: x, vi: X, category: party}, {id: x, vi: Y, category: party}]")],
            "node a, office x, id: id 'x' stands twice: rename one",
        ),
        (
            [site("services: [{id: s, address: x, level: 6}]")],
            "node a, service s, level: expected a whole number of at most 5, got 6",
        ),
    ],
)
def test_a_wrong_node_is_told_in_the_words_a_person_needs(nodes: list[str], message: str) -> None:
    said = complaint(*nodes)
    assert message in said
    assert said.startswith("t.yaml:")
    assert said.count("\n") == 0


def test_parents_must_be_in_force_as_long_as_their_children() -> None:
    said = complaint(
        site("until: 2025-07-01", "d"),
        "{id: a, name: A, template: site, parent: d, prefix: 10.2.0.0/24, since: 2025-01-01}",
    )
    assert said == (
        "t.yaml:20:44: node a, parent: d is in force until 2025-07-01, this node from 2025-01-01: "
        "correct since or until of one"
    )


def test_parents_in_a_circle_are_refused() -> None:
    said = complaint(
        "{id: a, name: A, template: site, parent: b, prefix: 10.1.0.0/24, measured_by: self}",
        "{id: b, name: B, template: site, parent: a, prefix: 10.2.0.0/24, measured_by: self}",
    )
    assert said == "t.yaml:19:44: node a, parent: a cycle of parents: a → b → a: correct one of them"


def test_a_circle_of_measurers_is_refused() -> None:
    said = complaint(site("measured_by: b"), site("measured_by: a", "b", "10.2.0.0/24"))
    assert said == (
        "t.yaml:19:82: node a, measured_by: nobody measures it: a → b → a: one of them needs measured_by: self"
    )


def test_a_root_that_nobody_measures_is_refused() -> None:
    head = HEAD.replace("template: centre, prefix", "template: site, prefix")
    assert complaint(head=head) == (
        "t.yaml:18:3: node bk, measured_by: measured by its parent, and has none: the root needs measured_by: self"
    )


def test_a_file_without_a_root_is_refused() -> None:
    head = HEAD.replace("template: centre, prefix", "template: centre, parent: a, prefix")
    said = complaint(site(""), head=head)
    assert said == "t.yaml:18:1: nodes: no root: expected one node without a parent, the centre"


def test_an_unknown_time_zone_and_tier_are_told_together() -> None:
    head = HEAD.replace("Ho_Chi_Minh", "Ho_Chi_Min").replace("tier: commune", "tier: comune")
    assert complaint(head=head).splitlines() == [
        "t.yaml:1:55: province, timezone: unknown time zone 'Asia/Ho_Chi_Min': did you mean 'Asia/Ho_Chi_Minh'?",
        "t.yaml:12:11: template site, tier: unknown tier 'comune': did you mean 'commune'?",
    ]


def test_a_reflector_needs_an_address_and_an_agent() -> None:
    assert complaint(site("measured_by: self, reflector: 10.1.0.2")) == (
        "t.yaml:19:99: node a, reflector: '10.1.0.2': expected host:port with a port of 1 to 65535"
    )
    assert complaint(site('reflector: "10.1.0.2:8862"')) == (
        "t.yaml:19:80: node a, reflector: no agent runs here to reflect: write measured_by: self, "
        "or leave the reflector out"
    )


def test_a_receiver_of_notifications_needs_an_address_and_an_agent() -> None:
    assert complaint(site("measured_by: self, traps: 10.1.0.2")) == (
        "t.yaml:19:95: node a, traps: '10.1.0.2': expected host:port with a port of 1 to 65535"
    )
    assert complaint(site('traps: "0.0.0.0:9162"')) == (
        "t.yaml:19:76: node a, traps: no agent runs here to receive them: write measured_by: self, or leave traps out"
    )


def test_the_name_of_a_session_s_job_is_taken() -> None:
    node = "- " + site("checks: [{check: stamp, label: centre}]")
    with pytest.raises(
        TopologyError, match="two jobs a/stamp/centre, of its session with the centre and of its own agent"
    ):
        loads(HEAD + node, "t.yaml", CHECKS | {"stamp": CHECKS["ping"]})


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match=r"none\.yaml:1:1: cannot be read: No such file or directory"):
        load(tmp_path / "none.yaml", CHECKS)
