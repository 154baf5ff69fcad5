"""Coverage now: of the offices that must be connected, how many are, and by what proof. Pure.

The denominator is the register, not what somebody configured: an office without an agent counts as not connected.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping

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
        """Strict: connected ÷ all that are required, in %. None where nothing is required."""
        return 100.0 * self.connected / self.required if self.required else None

    @property
    def percent_text(self) -> str:
        """As people read it. Rounded down, so that 100 % is said only when nothing is missing."""
        if self.percent is None:
            return "–"
        if self.connected == self.required:
            return "100 %"
        return f"{int(self.percent * 100) / 100:.2f} %".replace(".", ",")


class Coverage(msgspec.Struct, frozen=True):
    """Coverage at one moment: the whole, and by tier, by district-level node and by category."""

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

    def grouped(key: Callable[[str, str], str | None]) -> dict[str, Share]:
        groups: dict[str, list[Reach]] = {}
        for office, state in offices:
            name = key(office.node, office.category)
            if name is not None:
                groups.setdefault(name, []).append(state)
        return {name: _share(states) for name, states in groups.items()}

    return Coverage(
        at=now,
        total=_share(state for _, state in offices),
        by_tier=grouped(lambda node, _: register.nodes[node].tier),
        by_branch=grouped(lambda node, _: branch_of(register, node)),
        by_category=grouped(lambda _, category: category),
        nodes=nodes,
    )


def branch_of(register: Register, node: str) -> str | None:
    """The node right under the root that a node is, or stands behind; None for the root itself."""
    path = [node, *register.ancestors(node)]
    return path[-2] if len(path) > 1 else None


def _share(states: Iterable[Reach]) -> Share:
    found = list(states)
    return Share(len(found), found.count(Reach.CONNECTED), found.count(Reach.DOWN), found.count(Reach.UNOBSERVED))
