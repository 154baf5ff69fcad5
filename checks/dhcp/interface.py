"""The network interfaces of this host, and the one that a target names."""

from __future__ import annotations

import dataclasses
import difflib
import socket
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from checks.errors import ObserverError


@dataclasses.dataclass(frozen=True)
class Interface:
    """An Ethernet interface that is up. ``link_local`` is its IPv6 address of that kind; empty without one."""

    name: str
    mac: bytes
    link_local: str


def find(name: str) -> Interface:
    """The interface of a name. Raises ObserverError as :func:`choose`."""
    return choose(name, psutil.net_if_stats(), psutil.net_if_addrs())


def choose(name: str, states: Mapping[str, Any], addresses: Mapping[str, Sequence[Any]]) -> Interface:
    """The interface of a name, from what psutil says of all. Raises ObserverError when there is none of that name
    (with the near match), when it is down or without a link, or when it is not Ethernet."""
    if name not in states:
        near = difflib.get_close_matches(name, states, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(states)) or 'none'}"
        raise ObserverError("no-interface", f"this host has no interface {name!r}: {hint}")
    flags = states[name].flags.split(",")
    if "up" not in flags:
        raise ObserverError("interface-down", f"interface {name} is down: bring it up on the agent's host")
    if not states[name].isup:
        raise ObserverError("interface-down", f"interface {name} has no link: see to its cable or switch port")
    of = {entry.family: entry.address for entry in reversed(addresses.get(name, ()))}
    mac = bytes.fromhex(of.get(psutil.AF_LINK, "").replace(":", ""))
    if "loopback" in flags or len(mac) != 6:
        raise ObserverError("not-ethernet", f"interface {name} is not Ethernet: expected one of an office's LAN")
    link_local = next(
        (
            entry.address.partition("%")[0]
            for entry in addresses[name]
            if entry.family == socket.AF_INET6 and entry.address.startswith("fe80:")
        ),
        "",
    )
    return Interface(name, mac, link_local)
