"""What a discovery finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Kind = Literal["router", "switch", "firewall", "server"]


class Device(msgspec.Struct, frozen=True, kw_only=True, tag_field="found", tag="device"):
    """One that answers SNMP. ``address`` is where it was asked, ``snmp`` how, secrets by name; ``facts`` are
    as the check ``snmp`` has them: model, serial, version, neighbours. ``addresses`` are those that it says it has,
    ``heard`` those that it says its neighbours have."""

    address: str
    kind: Kind
    name: str
    descr: str
    object_id: str
    profile: str
    snmp: Mapping[str, Any]
    facts: Mapping[str, str] = {}
    addresses: tuple[str, ...] = ()
    heard: tuple[str, ...] = ()


class Again(msgspec.Struct, frozen=True, tag_field="found", tag="again"):
    """One more address at which the device at ``device`` answers."""

    address: str
    device: str


class Host(msgspec.Struct, frozen=True, tag_field="found", tag="host"):
    """One that answers echo, but not SNMP as it was asked. ``why`` is a sentence."""

    address: str
    why: str


class Heard(msgspec.Struct, frozen=True, tag_field="found", tag="heard"):
    """An address that the device at ``heard_by`` says a neighbour has, and that did not answer, or was not asked."""

    address: str
    heard_by: str
    why: str


Found = Device | Again | Host | Heard
