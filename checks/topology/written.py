"""The shape of topology.yaml, and how a node is made of its entry and its template."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Protocol, TypeVar

import msgspec

from checks.topology.model import (
    CheckEntry,
    Device,
    Id,
    Link,
    Name,
    Node,
    Office,
    Probe,
    Province,
    Service,
    Word,
)


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """What nodes of a sort have in common. ``measured_by`` is "self", "parent" or a node's id."""

    tier: str
    measured_by: str = "self"
    offices: tuple[Office, ...] = ()
    links: tuple[Link, ...] = ()
    devices: tuple[Device, ...] = ()
    services: tuple[Service, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    probe: Probe = Probe()


class NodeEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A node as written. Its offices, links, devices and services come after the template's, or replace those of the
    same id; its checks come after the template's."""

    id: Id
    name: Name
    template: str
    parent: str | None = None
    code: str = ""
    at: tuple[float, float] | None = None
    prefix: str = ""
    since: datetime.date | None = None
    until: datetime.date | None = None
    became: tuple[str, ...] = ()
    measured_by: str | None = None
    offices: tuple[Office, ...] = ()
    links: tuple[Link, ...] = ()
    devices: tuple[Device, ...] = ()
    services: tuple[Service, ...] = ()
    checks: tuple[CheckEntry, ...] = ()
    probe: Probe | None = None
    reflector: str = ""
    traps: str = ""


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    province: Province
    tiers: tuple[Word, ...]
    categories: tuple[Word, ...]
    templates: dict[Id, Template]
    nodes: tuple[NodeEntry, ...]


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


ItemT = TypeVar("ItemT", bound=_HasId)


def merged(common: Sequence[ItemT], own: Sequence[ItemT]) -> tuple[ItemT, ...]:
    """The template's items, those with an id of the node's own replaced, then the node's others."""
    replaced = {item.id: item for item in own}
    kept = [replaced.pop(item.id, item) for item in common]
    return (*kept, *(item for item in own if item.id in replaced))


def devices_of(entry: NodeEntry, template: Template) -> tuple[Device, ...]:
    """The devices of a node, each with its address. Raises ValueError, naming the device, when it has none."""
    return tuple(_addressed(device, entry.prefix) for device in merged(template.devices, entry.devices))


def _addressed(device: Device, prefix: str) -> Device:
    if (device.host is None) == (not device.address):
        raise ValueError(f"device {device.id}: expected an address, or host (its number in the prefix), and not both")
    if device.host is None:
        return device
    if not prefix:
        raise ValueError(f"device {device.id}: host {device.host} of what? Give the node a prefix, or this an address")
    network = ipaddress.ip_network(prefix)
    if device.host >= network.num_addresses - 1:
        raise ValueError(
            f"device {device.id}: host {device.host} is not in {prefix}: expected 1 to {network.num_addresses - 2}"
        )
    return msgspec.structs.replace(device, address=str(network[device.host]))


def node_of(entry: NodeEntry, template: Template) -> Node:
    """A node, whole. Raises ValueError for a device without an address."""
    return Node(
        id=entry.id,
        name=entry.name,
        template=entry.template,
        tier=template.tier,
        parent=entry.parent,
        measured_by=entry.measured_by or template.measured_by,
        code=entry.code,
        at=entry.at,
        prefix=entry.prefix,
        since=entry.since,
        until=entry.until,
        became=entry.became,
        offices=merged(template.offices, entry.offices),
        links=merged(template.links, entry.links),
        devices=devices_of(entry, template),
        services=merged(template.services, entry.services),
        checks=(*template.checks, *entry.checks),
        probe=entry.probe or template.probe,
        reflector=entry.reflector,
        traps=entry.traps,
    )
