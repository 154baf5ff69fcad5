"""Where nodes are on the map, and which stand together. Pure."""

from __future__ import annotations

import functools
import math
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from collector.view import NodeView

WIDTH: Final = 590
HEIGHT: Final = 700
MARGIN: Final = 26
RADIUS: Final = {"root": 10.0, "head": 7.0, "leaf": 5.0}
"""Of a dot, in map units, by its part; as in page.css."""
GAP: Final = 2.0
"""Map units between two dots, at least: communes of a town lie upon one another."""
LETTER: Final = (7.5, 14.0)
"""Width and height of a letter of a name on the map, about."""
ROUNDS: Final = 60


@dataclass(frozen=True)
class Dot:
    """A node on the map, in map units from the top left. ``part`` is root, head (of a branch) or leaf."""

    node: NodeView
    part: str
    x: float
    y: float


@dataclass(frozen=True)
class Line:
    """A node joined to its parent; ``node`` is the lower end, whose reach it shows."""

    node: NodeView
    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Name:
    """A name on the map. ``anchor`` says which end of it x is: start, middle or end."""

    text: str
    x: float
    y: float
    anchor: str
    part: str


@dataclass(frozen=True)
class MapView:
    """The map: names over dots over lines."""

    dots: list[Dot]
    lines: list[Line]
    names: list[Name]


@dataclass(frozen=True)
class Group:
    """A branch of the province: its head, right under the root, and what stands behind it. ``head`` is None for
    the nodes that have nobody behind them, put together."""

    head: NodeView | None
    nodes: list[NodeView]


def draw(nodes: Sequence[NodeView], root: str, heads: Collection[str]) -> MapView:
    """The nodes that have coordinates, north up, in the equirectangular projection about their middle; where none has,
    all of them in a circle about the root."""
    placed = [(n, n.lat, n.lon) for n in nodes if n.lat is not None and n.lon is not None] or _circled(nodes, root)
    if not placed:
        return MapView([], [], [])
    parts = ["root" if n.id == root else "head" if n.id in heads else "leaf" for n, _, _ in placed]
    points = _laid_out(tuple((lat, lon) for _, lat, lon in placed), tuple(RADIUS[part] for part in parts))
    dots = [
        Dot(node, part, round(x, 1), round(y, 1))
        for (node, _, _), part, (x, y) in zip(placed, parts, points, strict=True)
    ]
    at = {dot.node.id: dot for dot in dots}
    lines = [
        Line(dot.node, dot.x, dot.y, at[dot.node.parent].x, at[dot.node.parent].y)
        for dot in dots
        if dot.node.parent in at
    ]
    return MapView(dots, lines, _names(tuple((dot.node.name, dot.part, dot.x, dot.y) for dot in dots)))


def _circled(nodes: Sequence[NodeView], root: str) -> list[tuple[NodeView, float, float]]:
    """Places for nodes that have none: the root in the middle, the branches around it, each about its head."""
    branches = groups(nodes, root)
    placed = [(node, 0.0, 0.0) for node in nodes if node.id == root]
    for i, group in enumerate(branches):
        turn = 2 * math.pi * i / len(branches)
        middle = math.cos(turn), math.sin(turn)
        if group.head is not None:
            placed.append((group.head, *middle))
        for j, node in enumerate(group.nodes):
            around = turn + math.pi * ((j + 1) / (len(group.nodes) + 1) - 0.5)
            placed.append((node, middle[0] + 0.5 * math.cos(around), middle[1] + 0.5 * math.sin(around)))
    return placed


@functools.lru_cache(maxsize=8)
def _laid_out(places: tuple[tuple[float, float], ...], radii: tuple[float, ...]) -> list[list[float]]:
    """Kept, since the places change with the register, some times a year, and finding room for 117 dots takes 40 ms."""
    points = _projected(places)
    _push_apart(points, radii)
    return points


def _projected(places: Sequence[tuple[float, float]]) -> list[list[float]]:
    south, north = min(lat for lat, _ in places), max(lat for lat, _ in places)
    west, east = min(lon for _, lon in places), max(lon for _, lon in places)
    squeeze = math.cos(math.radians((south + north) / 2))
    scale = min(
        (WIDTH - 2 * MARGIN) / max((east - west) * squeeze, 1e-6), (HEIGHT - 2 * MARGIN) / max(north - south, 1e-6)
    )
    return [
        [WIDTH / 2 + (lon - (west + east) / 2) * squeeze * scale, HEIGHT / 2 - (lat - (south + north) / 2) * scale]
        for lat, lon in places
    ]


def _push_apart(points: list[list[float]], radii: Sequence[float]) -> None:
    """Moves dots that overlap away from one another, in place; the same way each time."""
    for _ in range(ROUNDS):
        moved = False
        for i, a in enumerate(points):
            for j in range(i):
                b = points[j]
                dx, dy = a[0] - b[0], a[1] - b[1]
                apart = radii[i] + radii[j] + GAP
                if abs(dx) >= apart or abs(dy) >= apart:
                    continue
                distance = math.hypot(dx, dy)
                if distance >= apart - 0.01:
                    continue
                if distance < 0.01:  # on one spot: each in a direction of its own
                    dx, dy, distance = math.cos(i), math.sin(i), 1.0
                step = (apart - math.hypot(a[0] - b[0], a[1] - b[1])) / 2 / distance
                a[0] += dx * step
                a[1] += dy * step
                b[0] -= dx * step
                b[1] -= dy * step
                moved = True
        if not moved:
            return


Box = tuple[float, float, float, float]


@functools.lru_cache(maxsize=8)
def _names(dots: tuple[tuple[str, str, float, float], ...]) -> list[Name]:
    """The names of the root and the heads, each on the side of its dot where it covers least. Dots are name, part, x
    and y."""
    boxes: list[Box] = [
        (x - RADIUS[part], y - RADIUS[part], x + RADIUS[part], y + RADIUS[part]) for _, part, x, y in dots
    ]
    names: list[Name] = []
    for text, part, x, y in sorted((dot for dot in dots if dot[1] != "leaf"), key=lambda dot: dot[1] != "root"):
        away, middle = RADIUS[part] + 4, LETTER[1] * 0.35
        sides = [
            (Name(text, x, y - away, "middle", part), x - _width(text) / 2),
            (Name(text, x, y + away + LETTER[1] * 0.7, "middle", part), x - _width(text) / 2),
            (Name(text, x + away, y + middle, "start", part), x + away),
            (Name(text, x - away, y + middle, "end", part), x - away - _width(text)),
        ]
        name, left = min(sides, key=lambda side: _covered(_text_box(side[1], side[0]), boxes))
        names.append(name)
        boxes.append(_text_box(left, name))
    return names


def _width(text: str) -> float:
    return LETTER[0] * len(text)


def _text_box(left: float, name: Name) -> Box:
    return left, name.y - LETTER[1] * 0.8, left + _width(name.text), name.y + LETTER[1] * 0.2


def _covered(box: Box, others: Iterable[Box]) -> float:
    """The area of the others that a box lies upon, and of what hangs over the edge of the map, ten times."""
    area = 10 * (max(0.0, -box[0]) + max(0.0, box[2] - WIDTH)) * LETTER[1]
    for other in others:
        wide = min(box[2], other[2]) - max(box[0], other[0])
        high = min(box[3], other[3]) - max(box[1], other[1])
        area += max(wide, 0.0) * max(high, 0.0)
    return area


def groups(nodes: Iterable[NodeView], root: str) -> list[Group]:
    """The branches in the order of their heads, and last those nodes that have nobody behind them. The root is in
    none."""
    listed = [node for node in nodes if node.id != root]
    members: dict[str, list[NodeView]] = {}
    for node in listed:
        members.setdefault(node.branch or node.id, []).append(node)
    by_id = {node.id: node for node in listed}
    made: list[Group] = []
    alone: list[NodeView] = []
    for branch, inside in members.items():
        if len(inside) == 1:
            alone += inside
        else:
            made.append(Group(by_id.get(branch), [n for n in inside if n.id != branch]))
    return made + ([Group(None, alone)] if alone else [])


@functools.lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """A text for searching: lower case, without Vietnamese marks."""
    plain = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in plain if not unicodedata.combining(letter))
