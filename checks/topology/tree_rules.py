"""What must hold of the nodes together, on every day: one root, parents in force, no cycle, no shared prefix, an agent
for everyone."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence

from checks.located import Document, Place
from checks.topology.model import Node, Period


def examine(document: Document, nodes: Sequence[Node]) -> None:
    """Notes every broken rule in the document. ``nodes`` are in the order of the file."""
    by_id: dict[str, list[tuple[int, Node]]] = {}
    for i, node in enumerate(nodes):
        by_id.setdefault(node.id, []).append((i, node))
    _unique(document, by_id)
    _roots(document, nodes)
    for i, node in enumerate(nodes):
        if node.parent is not None:
            _in_force(document, ("nodes", i, "parent"), node, by_id[node.parent])
        if node.reflector and node.parent is not None and not node.has_agent:
            message = "no agent runs here to reflect: write measured_by: self, or leave the reflector out"
            document.problem(("nodes", i, "reflector"), message)
        if node.traps and not node.has_agent:
            message = "no agent runs here to receive them: write measured_by: self, or leave traps out"
            document.problem(("nodes", i, "traps"), message)
        if node.measured_by not in ("self", "parent"):
            _in_force(document, ("nodes", i, "measured_by"), node, by_id[node.measured_by])
    if not document.problems:  # the chains can be followed
        for day in _days(nodes):
            today = {node.id: (i, node) for i, node in enumerate(nodes) if day in node.period}
            _chains(document, today)
            _prefixes(document, today)


def _days(nodes: Sequence[Node]) -> list[datetime.date]:
    """A day of each stretch of time in which the same nodes are in force."""
    return sorted({node.period.first for node in nodes} | {node.until for node in nodes if node.until is not None})


def _overlap(a: Period, b: Period) -> bool:
    return a.first < b.end and b.first < a.end


def _unique(document: Document, by_id: Mapping[str, Sequence[tuple[int, Node]]]) -> None:
    for found in by_id.values():
        for (_, a), (i, b) in itertools.combinations(found, 2):
            if _overlap(a.period, b.period):
                message = f"id {b.id!r} stands twice for the same days: rename one, or set since and until"
                document.problem(("nodes", i, "id"), message)


def _roots(document: Document, nodes: Sequence[Node]) -> None:
    roots = [(i, node) for i, node in enumerate(nodes) if node.parent is None]
    if not roots:
        document.problem(("nodes",), "no root: expected one node without a parent, the centre")
    for (_, first), (i, second) in itertools.combinations(roots, 2):
        if _overlap(first.period, second.period):
            document.problem(("nodes", i), f"a second root beside {first.id!r}: give it a parent")


def _in_force(document: Document, at: Place, node: Node, entries: Sequence[tuple[int, Node]]) -> None:
    """Notes when the node that is named at a place, which has these entries, is away while this one is in force."""
    periods = sorted((other.period for _, other in entries), key=lambda period: period.first)
    reached = node.period.first
    for period in periods:
        if period.first <= reached:
            reached = max(reached, period.end)
    if reached < node.period.end:
        when = ", ".join(map(str, periods))
        name = entries[0][1].id
        document.problem(at, f"{name} is in force {when}, this node {node.period}: correct since or until of one")


def _chains(document: Document, today: Mapping[str, tuple[int, Node]]) -> None:
    for role in ("parent", "measured_by"):
        ended: set[str] = set()  # ids whose chain is known to end, or noted
        for node_id in today:
            line: list[str] = []
            step: str | None = node_id
            while step is not None and step not in ended and step not in line:
                line.append(step)
                step = _next(today[step][1], role)
            if step is not None and step not in ended:
                cycle = " → ".join((*line[line.index(step) :], step))
                what = "a cycle of parents" if role == "parent" else "nobody measures it"
                hint = "correct one of them" if role == "parent" else "one of them needs measured_by: self"
                document.problem(("nodes", today[step][0], role), f"{what}: {cycle}: {hint}")
            elif step is None and role == "measured_by" and not today[line[-1]][1].has_agent:
                message = "measured by its parent, and has none: the root needs measured_by: self"
                document.problem(("nodes", today[line[-1]][0], role), message)
            ended.update(line)


def _next(node: Node, role: str) -> str | None:
    if role == "parent":
        return node.parent
    return None if node.has_agent else node.measurer


def _prefixes(document: Document, today: Mapping[str, tuple[int, Node]]) -> None:
    found = [(network, i, node.id) for i, node in today.values() if (network := node.network) is not None]
    found.sort(key=lambda entry: (entry[0].version, int(entry[0].network_address), entry[0].prefixlen, entry[1]))
    widest = None
    for entry in found:
        network, i, _ = entry
        if widest is not None and widest[0].version == network.version and network[0] in widest[0]:
            document.problem(("nodes", i, "prefix"), f"{network} overlaps {widest[0]} of node {widest[2]}")
        else:
            widest = entry
