"""Coverage now: of the offices that must be connected, how many are, and by what proof. Pure.

The denominator is the register, not what somebody configured: an office without an agent counts as not connected.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

import msgspec

from checks.topology import Register
from collector.evidence import Evidence

PROOF_WINDOW = 60.0
"""Seconds that a proof holds: an office-minute."""


class Reach(enum.Enum):
    """Whether a node's offices are connected. Excused comes with the ledger."""

    CONNECTED = "connected"
    DOWN = "down"
    UNOBSERVED = "unobserved"


class Share(msgspec.Struct, frozen=True):
    """How the required offices of a part of the province are."""

    required: int
    connected: int
    down: int
    unobserved: int

    @property
    def percent(self) -> float | None:
        """Strict: connected ÷ all that are required, in %, rounded down to two digits, so that 100 is said only when
        nothing is missing. None where nothing is required."""
        return self.connected * 10_000 // self.required / 100 if self.required else None


class Coverage(msgspec.Struct, frozen=True):
    """Coverage at one moment: the whole, and by tier, by branch (the node right under the
    root; the root itself for its own offices) and by category."""

    at: int
    total: Share
    by_tier: Mapping[str, Share]
    by_branch: Mapping[str, Share]
    by_category: Mapping[str, Share]
    nodes: Mapping[str, Reach]


def reach(evidence: Evidence, node: str, now: int, window: float = PROOF_WINDOW) -> Reach:
    """How a node is, by what was proven within ``window`` seconds before ``now`` (Unix ms)."""
    since = now - round(window * 1000)
    if evidence.proven_at(node) >= since:
        return Reach.CONNECTED
    if evidence.failing(node, since):
        return Reach.DOWN
    return Reach.UNOBSERVED


def coverage(register: Register, evidence: Evidence, now: int, window: float = PROOF_WINDOW) -> Coverage:
    """Coverage of the register at ``now`` (Unix ms)."""
    nodes = {node: reach(evidence, node, now, window) for node in register.nodes}
    place = {node: _PLACE[state] for node, state in nodes.items()}
    branches = {node: register.branch_of(node) for node in nodes}
    by_tier, by_branch, by_category = _Counts(), _Counts(), _Counts()
    for office in register.offices:
        at = place[office.node]
        by_tier[office.tier][at] += 1
        by_branch[branches[office.node]][at] += 1
        by_category[office.category][at] += 1
    return Coverage(
        at=now,
        total=_share([sum(column) for column in zip(*by_tier.values(), strict=True)] or [0, 0, 0]),
        by_tier=by_tier.shares(),
        by_branch=by_branch.shares(),
        by_category=by_category.shares(),
        nodes=nodes,
    )


_PLACE = {Reach.CONNECTED: 0, Reach.DOWN: 1, Reach.UNOBSERVED: 2}


class _Counts(dict[str, list[int]]):
    """How many offices of each group are connected, down and unobserved. A province has tens of thousands, and this is
    counted each second."""

    def __missing__(self, group: str) -> list[int]:
        counts = self[group] = [0, 0, 0]
        return counts

    def shares(self) -> dict[str, Share]:
        """The counts as shares."""
        return {group: _share(counts) for group, counts in self.items()}


def _share(counts: Sequence[int]) -> Share:
    connected, down, unobserved = counts
    return Share(connected + down + unobserved, connected, down, unobserved)
