"""Coverage now: of the offices that must be connected, how many are, and by what proof. Pure.

The denominator is the register, not what somebody configured: an office without an agent counts as not connected.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping

import msgspec

from checks.topology import Register, RegisteredOffice
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
    offices = [(office, nodes[office.node]) for office in register.offices]

    def grouped(key: Callable[[RegisteredOffice], str]) -> dict[str, Share]:
        groups: dict[str, list[Reach]] = {}
        for office, state in offices:
            groups.setdefault(key(office), []).append(state)
        return {name: _share(states) for name, states in groups.items()}

    return Coverage(
        at=now,
        total=_share(state for _, state in offices),
        by_tier=grouped(lambda office: office.tier),
        by_branch=grouped(lambda office: register.branch_of(office.node)),
        by_category=grouped(lambda office: office.category),
        nodes=nodes,
    )


def _share(states: Iterable[Reach]) -> Share:
    found = list(states)
    return Share(len(found), found.count(Reach.CONNECTED), found.count(Reach.DOWN), found.count(Reach.UNOBSERVED))
