"""Who must be connected, on which day: the topology over all time, and the register of one day.

What is not in the register is not in any percentage; what is cannot be left out of one.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import functools
from collections.abc import Mapping

import msgspec

from checks.topology.model import Node, Province, Word


class RegisteredOffice(msgspec.Struct, frozen=True):
    """An office in force on a day. ``id`` is ``node/office``, unique in the province."""

    id: str
    node: str
    tier: str
    category: str
    vi: str
    en: str = ""
    code: str = ""


@dataclasses.dataclass(frozen=True)
class Register:
    """Who must be connected on one day: the nodes in force by id, in the order of the file, and their offices."""

    day: datetime.date
    province: Province
    tiers: tuple[Word, ...]
    categories: tuple[Word, ...]
    nodes: Mapping[str, Node]
    root: Node

    @functools.cached_property
    def offices(self) -> tuple[RegisteredOffice, ...]:
        """All offices, node by node."""
        return tuple(
            RegisteredOffice(f"{node.id}/{o.id}", node.id, node.tier, o.category, o.vi, o.en, o.code)
            for node in self.nodes.values()
            for o in node.offices
            if self.day in o.period
        )

    @functools.cached_property
    def _children(self) -> Mapping[str, tuple[Node, ...]]:
        found: dict[str, list[Node]] = {}
        for node in self.nodes.values():
            if node.parent is not None:
                found.setdefault(node.parent, []).append(node)
        return {parent: tuple(children) for parent, children in found.items()}

    def children(self, node_id: str) -> tuple[Node, ...]:
        """The nodes whose parent it is."""
        return self._children.get(node_id, ())

    def ancestors(self, node_id: str) -> tuple[Node, ...]:
        """Its parent, that one's parent, … to the root."""
        found = []
        parent = self.nodes[node_id].parent
        while parent is not None:
            found.append(self.nodes[parent])
            parent = found[-1].parent
        return tuple(found)

    def descendants(self, node_id: str) -> tuple[Node, ...]:
        """All nodes behind it, parents before their children."""
        found = list(self.children(node_id))
        for node in found:
            found.extend(self.children(node.id))
        return tuple(found)

    def branch_of(self, node_id: str) -> str:
        """The child of the root that it is or is behind: its district, while there are any. The root's is itself."""
        line = (self.nodes[node_id], *self.ancestors(node_id))
        return line[max(0, len(line) - 2)].id

    def agent_of(self, node_id: str) -> str:
        """The id of the node whose agent measures it."""
        node = self.nodes[node_id]
        while not node.has_agent:
            node = self.nodes[node.measurer or self.root.id]
        return node.id

    @functools.cached_property
    def agents(self) -> tuple[str, ...]:
        """The ids of the nodes with an agent."""
        return tuple(node.id for node in self.nodes.values() if node.has_agent)

    def offices_by_tier(self) -> Mapping[str, int]:
        """How many offices each tier has, in the order of the tiers; 0 where none."""
        counts = collections.Counter(office.tier for office in self.offices)
        return {tier.id: counts[tier.id] for tier in self.tiers}

    def offices_by_category(self) -> Mapping[str, int]:
        """How many offices each category has, in the order of the categories; 0 where none."""
        counts = collections.Counter(office.category for office in self.offices)
        return {category.id: counts[category.id] for category in self.categories}

    def offices_by_branch(self) -> Mapping[str, int]:
        """How many offices the root itself and each of its branches have."""
        counts = collections.Counter(self.branch_of(office.node) for office in self.offices)
        return {node.id: counts[node.id] for node in (self.root, *self.children(self.root.id))}


class Topology(msgspec.Struct, frozen=True):
    """The whole file, over all time. The same node id may stand several times, with periods that do not meet."""

    province: Province
    tiers: tuple[Word, ...]
    categories: tuple[Word, ...]
    nodes: tuple[Node, ...]

    def on(self, day: datetime.date) -> Register:
        """The register of a day. Raises ValueError when no node is in force."""
        nodes = {node.id: node for node in self.nodes if day in node.period}
        root = next((node for node in nodes.values() if node.parent is None), None)
        if root is None:
            raise ValueError(f"the topology has no node in force on {day}: see since and until")
        return Register(day, self.province, self.tiers, self.categories, nodes, root)

    def changes(self) -> tuple[datetime.date, ...]:
        """The days on which the register differs from the day before."""
        periods = [p for node in self.nodes for p in (node.period, *(office.period for office in node.offices))]
        return tuple(sorted({day for p in periods for day in (p.since, p.until) if day is not None}))
