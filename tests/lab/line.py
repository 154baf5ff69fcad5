"""An access line between two routers, and what can be wrong with it.

The faults are made where the provider's network is, between the two routers: they keep their settings, and see no more
of a fault than routers do.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Final, Literal

from tests.lab.layout import Access
from tests.lab.link import PLAIN, Counts, Link, Shape, link
from tests.lab.netns import Namespace

Way = Literal["to-node", "to-parent"]
"""A direction: to the node whose line it is, or away from it."""

WAYS: Final[tuple[Way, Way]] = ("to-node", "to-parent")
_ANY: Final = 65_535
"""Bytes that no packet exceeds."""


@dataclasses.dataclass
class Line:
    """A line of a running province. ``provider`` is the namespace where its two ports are joined, ``undo`` what ends
    with the province, if not before."""

    access: Access
    provider: Namespace
    undo: contextlib.ExitStack
    _emulator: Link | None = None

    def cut(self) -> None:
        """As a fibre that is cut: neither end has a carrier."""
        self.provider.batch(f"link set dev {port} down" for port in self.ports)

    def blackhole(self, *ways: Way, above: int | None = None) -> None:
        """The carrier stays, the frames vanish: all of them, or the IP packets of more than ``above`` bytes, of which
        nobody tells the sender. Without ``ways``, in both directions."""
        rule = "drop" if above is None else f"ip length > {above} drop"
        chains = [
            f'chain {way} {{ type filter hook egress device "{self._out(way)}" priority 0; {rule}; }};'
            for way in ways or WAYS
        ]
        self._filter(chains)

    def limit(self, rate: int, *ways: Way, queue: float = 0.05) -> None:
        """At most ``rate`` bit/s: what comes faster waits up to ``queue`` s, and is lost after. Without ``ways``, in
        both directions."""
        for way in ways or WAYS:
            self._qdisc(way, "tbf", "rate", f"{rate}bit", "burst", "16kb", "latency", f"{queue * 1e3:g}ms")

    def shape(self, to_node: Shape = PLAIN, to_parent: Shape = PLAIN) -> Counts:
        """Delay, jitter and loss of each direction, for every frame from now on; what was relayed before, to the node
        counted as forward. The first time, a link emulator takes the place of the plain joint: frames of a few tenths
        of a second are lost."""
        if self._emulator is None:
            self.provider.batch(f"link set dev {port} nomaster" for port in self.ports)
            self._emulator = self.undo.enter_context(link(self.provider, *reversed(self.ports)))
        return self._emulator.shape(to_node, to_parent)

    def mend(self) -> None:
        """Undoes every fault."""
        self._filter(())
        for way in WAYS:
            self._qdisc(way, "noqueue")
        self.undo.close()
        self._emulator = None
        self.provider.batch(join(self))

    @property
    def joint(self) -> str:
        """The bridge of the provider that joins the two ports."""
        return f"{self.access.node}-{self.access.device}"

    @property
    def ports(self) -> tuple[str, str]:
        """The provider's two devices: towards the node, towards its parent."""
        return f"{self.joint}-n", f"{self.joint}-p"

    def _out(self, way: Way) -> str:
        """The port by which frames leave."""
        return self.ports[WAYS.index(way)]

    def _filter(self, chains: Iterable[str]) -> None:
        table = f"netdev {self.joint}"
        # Added first, so that it can be deleted whether it was there or not.
        self.provider("nft", f"add table {table}; delete table {table}; table {table} {{ {' '.join(chains)} }}")

    def _qdisc(self, way: Way, *words: str) -> None:
        self.provider("tc", "qdisc", "replace", "dev", self._out(way), "root", *words)


def lay(line: Line, node: Namespace, parent: Namespace) -> Iterable[str]:
    """The lines for ip that make a line's devices, without addresses: at both routers, and at the provider."""
    inside = line.provider.name
    ends = ((node, line.access.device), (parent, line.access.far_device))
    yield f"link add name {line.joint} netns {inside} type bridge forward_delay 0 mcast_snooping 0"
    for (router, device), port in zip(ends, line.ports, strict=True):
        # The kernel cuts segments before the line, so that packets on it are as long as they would be on a wire.
        yield f"link add name {device} netns {router.name} gso_max_segs 1 type veth peer name {port} netns {inside}"


def join(line: Line) -> Iterable[str]:
    """The lines for ip, at the provider, that join the two ports."""
    yield f"link set dev {line.joint} up"
    for port in line.ports:
        yield f"link set dev {port} master {line.joint} up"
