"""The topology of a lab's province, in the format of the one that is shipped: what the collector and its agents are
told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import yaml

from checks.stamp.reflector import PORT
from tests.lab.layout import Node, Role

_TIERS: Final = {
    "province": ("Cấp tỉnh", "Province", "Trung tâm"),
    "district": ("Cấp huyện", "District", "Huyện"),
    "commune": ("Cấp xã", "Commune", "Xã"),
}
_SNMP: Final = {"version": "2c", "community": "secret:snmp-community"}
_ROUTER: Final = {
    "id": "r1",
    "kind": "router",
    "host": 1,
    "checks": [{"check": "snmp", "interval": 10, "params": _SNMP}],
}
_OFFICE: Final = {"id": "committee", "vi": "Ủy ban nhân dân", "en": "People's Committee", "category": "agency"}
_PROVIDER: Final[dict[Role, str]] = {"primary": "isp-a", "backup": "isp-b"}


def topology_of(nodes: Sequence[Node], reflector: str) -> str:
    """YAML. Each node's agent keeps up a session with the collector's STAMP reflector, polls its router, measures each
    line to its far end, and its way to the centre, whichever line carries it."""
    written = {
        "province": {"name": "Tỉnh thử nghiệm", "name_en": "Lab province", "timezone": "Asia/Ho_Chi_Minh"},
        "tiers": [{"id": tier, "vi": vi, "en": en} for tier, (vi, en, _) in _TIERS.items()],
        "categories": [{"id": "agency", "vi": "Cơ quan", "en": "Agencies"}],
        "templates": {tier: _template(tier) for tier in _TIERS},
        "nodes": [_node(node, reflector) for node in nodes if node.tier in _TIERS],
    }
    return str(yaml.safe_dump(written, allow_unicode=True, sort_keys=False, width=120))


def _template(tier: str) -> dict[str, Any]:
    # All nodes are on one machine: its processor says nothing of a node.
    checks = [{"check": "host", "interval": 10, "params": {"cpu": {}}}]
    return {"tier": tier, "measured_by": "self", "checks": checks, "devices": [_ROUTER], "offices": [_OFFICE]}


def _node(node: Node, reflector: str) -> dict[str, Any]:
    centre = node.tier == "province"
    number = "" if centre else f" {node.name[1:]}"
    written = {
        "id": node.name,
        "name": _TIERS[node.tier][2] + number,
        "template": node.tier,
        "prefix": node.lan,
        "links": list(_links(node)),
    }
    if centre:
        return written | {"reflector": f"{reflector}:{PORT}"}
    way = {line.role: [line.far_address] for line in node.lines}
    params = {"reflector": reflector, "key": "secret:stamp", "source": node.host, "path": way}
    wan = {"check": "wan", "label": "centre", "target": reflector, "interval": 10, "params": params}
    return written | {"parent": node.parent, "checks": [wan]}


def _links(node: Node) -> Iterator[dict[str, Any]]:
    for line in node.lines:
        access = {"router": node.gateway, "name": line.device, "snmp": _SNMP}
        yield {
            "id": line.role,
            "kind": "wan",
            "role": line.role,
            "to": "tslcd1" if node.tier == "province" else "parent",
            "provider": _PROVIDER[line.role],
            "address": line.far_address,
            "checks": [{"check": "wan", "interval": 10, "params": {"interface": access, "mtu": {"expected": 1500}}}],
        }
