"""What was found, as entries to paste into topology.yaml. Pure."""

from __future__ import annotations

import ipaddress
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

import yaml

from checks.topology import Node
from collector.discovery.found import Again, Device, Found, Heard, Host
from collector.discovery.known import Province

_CHECKS: Final = ({"check": "snmp", "interval": 60, "deadline": 20}, {"check": "ping", "interval": 30})
"""As in the topology that is shipped."""
_LONGEST: Final = 110

FoundT = TypeVar("FoundT", bound=Found)


def entries(found: Sequence[Found], province: Province) -> str:
    """YAML: the devices that the province does not have, by node; as comments those that it has, the hosts that answer
    echo alone, and whom the devices hear of."""
    again: dict[str, list[str]] = {device.address: [] for device in _of(found, Device)}
    for one in _of(found, Again):
        again[one.device].append(one.address)
    parts: list[str] = []
    new: list[Device] = []
    for device in _of(found, Device):
        known = province.device(device.address, *again[device.address], *device.addresses)
        if known is None:
            new.append(device)
        else:
            parts.append(f"# {device.address} {device.name}: is there already, device {known.id} of node {known.node}")
    parts += _new(new, again, province)
    parts += _listed("Answer echo, but not SNMP", [(one, one.why) for one in _of(found, Host)], province)
    parts += _listed(
        "Heard of by LLDP, CDP or MNDP", [(one, f"by {one.heard_by}: {one.why}") for one in _of(found, Heard)], province
    )
    return "\n".join([*parts, ""]) if parts else "# Nothing was found.\n"


def _of(found: Iterable[Found], kind: type[FoundT]) -> list[FoundT]:
    """Those of a kind, in the order of their addresses."""
    return sorted((one for one in found if isinstance(one, kind)), key=lambda one: _order(one.address))


def _order(address: str) -> tuple[int, int]:
    one = ipaddress.ip_address(address)
    return one.version, int(one)


def _new(devices: Iterable[Device], again: Mapping[str, Sequence[str]], province: Province) -> Iterator[str]:
    at: dict[str, list[Device]] = {}
    nodes: dict[str, Node | None] = {}
    for device in devices:
        node = province.node(device.address)
        key = node.id if node is not None else ""
        nodes[key] = node
        at.setdefault(key, []).append(device)
    if at:
        yield "devices:"
    for key, there in at.items():
        node = nodes[key]
        if node is not None:
            yield f"  # Of node {node.id}, {node.name}, {node.prefix}:"
        elif len(at) > 1:
            yield "  # In no node's prefix:"
        taken = _ids(node) if node is not None else set()
        for device in there:
            yield from _entry(device, _new_id(device, taken), again[device.address])


def _ids(node: Node) -> set[str]:
    return {one.id for things in (node.devices, node.links, node.services) for one in things}


def _entry(device: Device, name: str, again: Sequence[str]) -> Iterator[str]:
    yield f"  - id: {_scalar(name)}"
    for line in _remarks(device, again):
        yield f"    # {line}"[:_LONGEST]
    yield f"    kind: {device.kind}"
    yield f"    address: {_scalar(device.address)}"
    yield "    checks:"
    for check in _CHECKS:
        params = {"params": dict(device.snmp)} if check["check"] == "snmp" else {}
        yield f"      - {_flow({**check, **params})}"


def _remarks(device: Device, again: Sequence[str]) -> Iterator[str]:
    about = dict(device.facts)
    told = (device.name, *(about.pop(fact, "") for fact in ("model", "serial", "version")), device.descr)
    yield ", ".join(filter(None, told))
    if again:
        yield f"answers at {', '.join(again)} too"
    for local, neighbour in about.items():  # "lldp eth0": "r2 eth1"
        yield f"{local} - {neighbour}"


def _listed(title: str, rows: Sequence[tuple[Host | Heard, str]], province: Province) -> Iterator[str]:
    if rows:
        yield f"# {title}:"
    for one, why in rows:
        known = province.device(one.address)
        there = f" (device {known.id} of node {known.node})" if known is not None else ""
        yield f"#   {one.address}{there}: {why}"


def _new_id(device: Device, taken: set[str]) -> str:
    """An id as the topology wants it, that no other thing of the node has: of the host's name without its domain, or
    of its kind."""
    name = re.sub(r"[^a-z0-9._-]+", "-", device.name.lower()).strip("._-").partition(".")[0] or device.kind
    numbered = (f"{name}-{number}" for number in itertools.count(2))
    chosen = next(one for one in itertools.chain([name], numbered) if one not in taken)
    taken.add(chosen)
    return chosen


def _flow(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=10_000).strip()


def _scalar(text: str) -> str:
    """A text that YAML reads as this text: of an id "on" or "12e3" it would make something else."""
    return _flow({"_": text}).removeprefix("{_: ").removesuffix("}")
