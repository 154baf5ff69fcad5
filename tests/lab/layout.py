"""What a province is made of: nodes, the lines between them, and the addresses that follow.

    10.70.n.0/30   the primary line of node n to its parent: .1 is the parent's end, .2 its own
    10.71.n.0/30   its backup line, if it has one
    10.79.0.n      the loopback of its router
    10.80.n.0/24   its LAN: .1 is the router, .2 the host of the office

The centre is node 1, the backbone above it 9, districts are 11 and on, communes 101 and on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final, Literal

Role = Literal["primary", "backup"]
Tier = Literal["backbone", "province", "district", "commune"]

LINES: Final = "10.70.0.0/15"
LOOPBACKS: Final = "10.79.0.0/24"
LANS: Final = "10.80.0.0/16"
LAN: Final = "lan"
"""The device in a LAN, of the router as of the office's host."""


@dataclasses.dataclass(frozen=True)
class Access:
    """A line between the routers of two nodes: of ``node``, whose it is, and of ``to``, which is nearer the centre."""

    node: str
    to: str
    role: Role
    number: int

    @property
    def device(self) -> str:
        """Its device at the node."""
        return "wan0" if self.role == "primary" else "wan1"

    @property
    def far_device(self) -> str:
        """Its device at the other end."""
        return f"to-{self.node}" if self.role == "primary" else f"to-{self.node}-b"

    @property
    def address(self) -> str:
        """Its address at the node."""
        return f"{self._net}.2"

    @property
    def far_address(self) -> str:
        """Its address at the other end."""
        return f"{self._net}.1"

    @property
    def _net(self) -> str:
        return f"10.{70 if self.role == 'primary' else 71}.{self.number}"


@dataclasses.dataclass(frozen=True)
class Node:
    """A place with a router, and an office's host behind it where ``office`` says so. ``backup`` is where its second
    line ends."""

    name: str
    number: int
    tier: Tier
    parent: str | None = None
    backup: str | None = None
    office: bool = True

    @property
    def loopback(self) -> str:
        """The router's own address."""
        return f"10.79.0.{self.number}"

    @property
    def lan(self) -> str:
        """The prefix of its LAN."""
        return f"10.80.{self.number}.0/24"

    @property
    def gateway(self) -> str:
        """The router's address in the LAN."""
        return f"10.80.{self.number}.1"

    @property
    def host(self) -> str:
        """The address of the office's host."""
        return f"10.80.{self.number}.2"

    @property
    def lines(self) -> tuple[Access, ...]:
        """The lines that are this node's."""
        ends: tuple[tuple[Role, str | None], ...] = (("primary", self.parent), ("backup", self.backup))
        return tuple(Access(self.name, to, role, self.number) for role, to in ends if to is not None)


def describe(districts: int, communes: int, *, offices: bool = True) -> tuple[Node, ...]:
    """A centre below the backbone, districts, and communes shared out among them. The first commune of each district
    has a backup line, to the centre."""
    if not 1 <= districts <= 89 or not districts <= communes <= 154:
        raise ValueError(f"1 to 89 districts and as many to 154 communes, not {districts} and {communes}")
    parents = [f"d{i * districts // communes + 1}" for i in range(communes)]
    backups = [
        None if parent == before else "centre" for before, parent in zip([None, *parents], parents, strict=False)
    ]
    return (
        Node("tslcd1", 9, "backbone", office=False),
        Node("centre", 1, "province", "tslcd1", office=offices),
        *(Node(f"d{i}", 10 + i, "district", "centre", office=offices) for i in range(1, districts + 1)),
        *(
            Node(f"c{i}", 100 + i, "commune", parent, backup, offices)
            for i, (parent, backup) in enumerate(zip(parents, backups, strict=True), 1)
        ),
    )


@dataclasses.dataclass(frozen=True)
class End:
    """A line as one of its two routers sees it: by which device, its own address, and that across the line."""

    line: Access
    device: str
    address: str
    peer: str


def ends_at(name: str, nodes: Sequence[Node]) -> tuple[End, ...]:
    """The ends of lines at a node, those of its own lines first."""
    lines = [line for node in nodes for line in node.lines]
    own = [End(line, line.device, line.address, line.far_address) for line in lines if line.node == name]
    others = [End(line, line.far_device, line.far_address, line.address) for line in lines if line.to == name]
    return (*own, *others)
