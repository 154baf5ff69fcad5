from __future__ import annotations

import dataclasses
import itertools
import math

from collector.web.geography import GAP, HEIGHT, RADIUS, WIDTH, draw, folded, groups
from tests.collector.web.province import province

NODES = province().nodes()
HEADS = {"d058", "d060"}


def test_north_is_up_and_east_is_right() -> None:
    dots = {dot.node.id: dot for dot in draw(NODES, "bk", HEADS).dots}
    assert dots["c01858"].y < dots["bk"].y
    assert dots["c01858"].x < dots["c01834"].x


def test_every_dot_is_on_the_map_and_none_lies_upon_another() -> None:
    view = draw(NODES, "bk", HEADS)  # two wards have one coordinate
    assert len(view.dots) == len(NODES)
    assert all(0 < dot.x < WIDTH and 0 < dot.y < HEIGHT for dot in view.dots)
    for a, b in itertools.combinations(view.dots, 2):
        assert math.hypot(a.x - b.x, a.y - b.y) > RADIUS[a.part] + RADIUS[b.part] + GAP - 1


def test_lines_join_nodes_to_their_parents() -> None:
    assert {line.node.id for line in draw(NODES, "bk", HEADS).lines} == {n.id for n in NODES} - {"bk"}


def test_only_the_root_and_heads_are_named() -> None:
    assert {name.part for name in draw(NODES, "bk", HEADS).names} == {"root", "head"}


def test_a_node_without_coordinates_is_left_out_where_others_have_some() -> None:
    partly = [dataclasses.replace(NODES[0], lat=None), *NODES[1:]]
    assert NODES[0].id not in {dot.node.id for dot in draw(partly, "bk", HEADS).dots}


def test_where_no_node_has_coordinates_the_branches_stand_around_the_root() -> None:
    view = draw([dataclasses.replace(node, lat=None) for node in NODES], "bk", HEADS)
    at = {dot.node.id: (dot.x, dot.y) for dot in view.dots}
    assert len(at) == len(NODES)
    assert all(0 < x < WIDTH and 0 < y < HEIGHT for x, y in at.values())
    assert math.dist(at["c01834"], at["d058"]) < math.dist(at["c01834"], at["d060"])


def test_branches_hold_what_stands_behind_their_heads() -> None:
    found = {group.head.id if group.head else "": [n.id for n in group.nodes] for group in groups(NODES, "bk")}
    assert found == {"d058": ["c01834", "c01840", "c01843"], "d060": ["c01858"]}


def test_without_districts_the_communes_stand_together() -> None:
    flat = [dataclasses.replace(n, parent="bk", branch=n.id) for n in NODES if n.tier == "commune"]
    (only,) = groups([NODES[0], *flat], "bk")
    assert only.head is None
    assert [n.id for n in only.nodes] == [n.id for n in flat]


def test_vietnamese_marks_do_not_matter_in_a_search() -> None:
    assert folded("Phường Đức Xuân") == "phuong duc xuan"
