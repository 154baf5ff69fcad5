"""What a province's network is made of: nodes, and at each its offices, links, devices, services, checks."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Final, Literal

import msgspec

from checks.contract import Network

Id = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[a-z0-9][a-z0-9._-]*\Z",
        extra={"expected": "small letters, digits, '.', '_' or '-', beginning with a letter or digit"},
    ),
]
Name = Annotated[str, msgspec.Meta(min_length=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]

FROM_PARENT: Final = "from-parent"
OWN_HOST: Final = "agent"
_ADDRESS: Final = "{address}"
WITH_CENTRE: Final = "centre"
WITH_PARENT: Final = "parent"
TRAPS: Final = "receiver"


class Period(msgspec.Struct, frozen=True):
    """Days from ``since`` to the day before ``until``; None is without bound."""

    since: datetime.date | None = None
    until: datetime.date | None = None

    def __contains__(self, day: datetime.date) -> bool:
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    @property
    def first(self) -> datetime.date:
        """The first day."""
        return self.since or datetime.date.min

    @property
    def end(self) -> datetime.date:
        """The day after the last."""
        return self.until or datetime.date.max

    def __str__(self) -> str:
        words = [f"from {self.since}" if self.since else "", f"until {self.until}" if self.until else ""]
        return " ".join(filter(None, words)) or "always"


class CheckEntry(msgspec.Struct, frozen=True):
    """A check to run. ``target`` is what the check takes, in place of the owner's address; ``{address}`` in it stands
    for that address. ``interval``, ``deadline`` and ``retry`` are seconds; ``label`` tells apart two entries of one
    check on one owner. A text "secret:NAME" among the params stands for a secret that the collector keeps."""

    check: str
    label: Id | None = None
    target: str = ""
    interval: Seconds = 60.0
    deadline: Seconds | None = None
    retry: Seconds | None = None
    params: dict[str, Any] = {}


class Office(msgspec.Struct, frozen=True):
    """An agency of a node that must be connected. ``id`` is unique within its node."""

    id: Id
    vi: Name
    category: str
    en: str = ""
    code: str = ""
    since: datetime.date | None = None
    until: datetime.date | None = None

    @property
    def period(self) -> Period:
        """The days on which it must be connected, if its node is in force."""
        return Period(self.since, self.until)


class Link(msgspec.Struct, frozen=True):
    """What joins a node to its parent, or the centre to a network beyond. ``address`` is the far end that a probe
    reaches. Links that name one ``circuit`` or ``provider`` may fail together."""

    id: Id
    kind: Literal["wan", "vpn"]
    role: Literal["primary", "backup"] = "primary"
    to: Literal["parent", "tslcd1", "internet"] = "parent"
    provider: str = ""
    circuit: str = ""
    address: str = ""
    checks: tuple[CheckEntry, ...] = ()


class Device(msgspec.Struct, frozen=True):
    """A device. In the file it has an ``address``, or it is the ``host``-th address of its node's prefix; in a
    :class:`Topology` the address is always there."""

    id: Id
    kind: Literal["router", "switch", "firewall", "server"]
    host: Annotated[int, msgspec.Meta(ge=1)] | None = None
    address: str = ""
    checks: tuple[CheckEntry, ...] = ()


class Service(msgspec.Struct, frozen=True):
    """Something reached by name and port. ``level`` is the security level of its information system, 1 to 5
    (Decree 85/2016/NĐ-CP)."""

    id: Id
    address: Name
    vi: str = ""
    en: str = ""
    level: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    checks: tuple[CheckEntry, ...] = ()


class Probe(msgspec.Struct, frozen=True):
    """How the agent of a node's parent pings the node's router. Seconds. ``off`` for a router that answers no ping."""

    interval: Seconds = 10.0
    deadline: Seconds | None = None
    retry: Seconds | None = None
    off: bool = False


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A place with an agent, or measured by another's. ``at`` is (latitude, longitude) in degrees, WGS 84. ``checks``
    are those that the node's own agent, if it has one, makes of itself. ``became`` are the ids of its successors.
    ``reflector`` is the host:port to which agents send STAMP packets: that of the root, where the collector sends them
    back, all of them; that of another node, where its agent does, those of its children. ``traps`` is the host:port at
    which its agent receives the SNMP notifications of the devices that it polls."""

    id: str
    name: str
    tier: str
    parent: str | None
    measured_by: str
    template: str = ""
    code: str = ""
    at: tuple[float, float] | None = None
    prefix: str = ""
    since: datetime.date | None = None
    until: datetime.date | None = None
    became: tuple[str, ...] = ()
    offices: tuple[Office, ...] = ()
    links: tuple[Link, ...] = ()
    devices: tuple[Device, ...] = ()
    services: tuple[Service, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    probe: Probe = Probe()
    reflector: str = ""
    traps: str = ""

    @property
    def period(self) -> Period:
        """The days on which it is in force."""
        return Period(self.since, self.until)

    @property
    def network(self) -> Network | None:
        """Its LAN."""
        return ipaddress.ip_network(self.prefix) if self.prefix else None

    @property
    def router(self) -> Device | None:
        """Its first router."""
        return next((device for device in self.devices if device.kind == "router"), None)

    @property
    def has_agent(self) -> bool:
        """Whether an agent runs here."""
        return self.measured_by == "self"

    @property
    def measurer(self) -> str | None:
        """The id of the node that measures it, which may itself be measured by another; its own when it has an
        agent; None for a root that says "parent"."""
        return {"self": self.id, "parent": self.parent}.get(self.measured_by, self.measured_by)


class Bound(msgspec.Struct, frozen=True):
    """A check entry with what it is bound to. ``owner`` is "device r1", "" for the node's own agent. ``at_node`` says
    that the target stands at the node: it is a device's own address."""

    entry: CheckEntry
    owner: str
    label: str
    target: str
    at_node: bool = False


def checks_of(node: Node) -> Iterator[Bound]:
    """Every check entry of a node, bound to its target and given its label, in the order of the file."""
    for entry in node.checks:
        yield Bound(entry, "", entry.label or OWN_HOST, entry.target)
    owners: Iterable[Device | Link | Service] = (*node.devices, *node.links, *node.services)
    for owner in owners:
        for entry in owner.checks:
            label = f"{owner.id}-{entry.label}" if entry.label else owner.id
            template = entry.target or _ADDRESS
            target = template.replace(_ADDRESS, owner.address)
            at_node = isinstance(owner, Device) and _ADDRESS in template
            yield Bound(entry, f"{type(owner).__name__.lower()} {owner.id}", label, target, at_node)


class Province(msgspec.Struct, frozen=True):
    """``timezone`` is an IANA name: calendar periods are in it."""

    name: Name
    name_en: Name
    timezone: str


class Word(msgspec.Struct, frozen=True):
    """A tier or an office category, in both languages."""

    id: Id
    vi: Name
    en: Name
