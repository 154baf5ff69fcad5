"""The error queue of a Linux socket (ip(7), IP_RECVERR): ICMP errors about what it sent, without any capability.

Pure; no bytes make it raise. Each entry is a control message, struct sock_extended_err (linux/errqueue.h) with the
address of whoever sent the error behind it, beside the payload that the error quoted.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
import struct
import sys
from collections.abc import Iterable
from typing import Final

# Of linux/in.h and linux/in6.h; Python's socket module does not name them.
_IP_RECVERR: Final = 11
_IPV6_RECVERR: Final = 25

OPTIONS: Final = {
    int(socket.AF_INET): (int(socket.IPPROTO_IP), _IP_RECVERR),
    int(socket.AF_INET6): (int(socket.IPPROTO_IPV6), _IPV6_RECVERR),
}
"""The option of a family's socket that turns its queue on; the control messages carry the same two numbers."""

CONTROL_BYTES: Final = 512

_ENTRY: Final = struct.Struct("@IBBBxII")
"""errno, origin, type, code, info (the MTU, where it is "packet too big"), data."""

_BY_ICMP: Final = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6; 1 is this host itself
_ADDRESS_AT: Final = {int(socket.AF_INET): slice(4, 8), int(socket.AF_INET6): slice(8, 24)}


@dataclasses.dataclass(frozen=True)
class Queued:
    """An ICMP error: its type and code, the MTU that it may name, and the address that sent it."""

    kind: int
    code: int
    mtu: int
    source: str


def parse(control: Iterable[tuple[int, int, bytes]]) -> Queued | None:
    """The ICMP error that control messages tell of; None when they tell of none, or of one of this host's own."""
    for level, kind, value in control:
        if (level, kind) in OPTIONS.values() and len(value) > _ENTRY.size:
            _errno, origin, type_, code, info, _data = _ENTRY.unpack_from(value)
            source = _address(value[_ENTRY.size :])
            if origin in _BY_ICMP and source:
                return Queued(type_, code, info, source)
    return None


def _address(sockaddr: bytes) -> str:
    """The address of a struct sockaddr_in or sockaddr_in6; empty when it is neither."""
    if len(sockaddr) < 2:
        return ""
    at = _ADDRESS_AT.get(int.from_bytes(sockaddr[:2], sys.byteorder))
    return str(ipaddress.ip_address(sockaddr[at])) if at and len(sockaddr) >= at.stop else ""
