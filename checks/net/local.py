"""This host's own end: the address that packets leave from, and whether the interface with it can send at all."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

import psutil

from checks.contract import Address
from checks.errors import ObserverError, from_os_error

_DISCARD: Final = 9
"""The port does not matter: nothing is sent."""


def leaving(address: Address, source: Address | None) -> str:
    """The address from which packets to another one leave. Raises ObserverError when the source is none of this host's,
    OSError when there is no route."""
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        if source is not None:
            try:
                probe.bind((str(source), 0))
            except OSError as error:
                if from_os_error(error, "").reason != "no-address":
                    raise
                raise ObserverError(
                    "no-address", f"source {source} is not an address of this agent's host: correct the job's source"
                ) from error
        probe.connect((str(address), _DISCARD))
        return str(probe.getsockname()[0])


def fault_towards(address: Address) -> ObserverError | None:
    """Why nothing can have left for an address; None when it can."""
    try:
        return fault(leaving(address, None))
    except OSError as error:
        known = from_os_error(error, str(address))
        return known if isinstance(known, ObserverError) else None


def fault(own: str) -> ObserverError | None:
    """Why nothing can have left from an address of this host; None when it can."""
    return judge(own, psutil.net_if_stats(), psutil.net_if_addrs())


def judge(own: str, states: Mapping[str, Any], addresses: Mapping[str, Sequence[Any]]) -> ObserverError | None:
    """:func:`fault`, from what psutil says of the interfaces. Pure."""
    for name, entries in addresses.items():
        if any(entry.address.partition("%")[0] == own for entry in entries) and name in states:
            if states[name].isup:
                return None
            return ObserverError(
                "interface-down",
                f"interface {name} of this agent's host, with {own}, has no link: see to its cable or switch port",
            )
    return None
