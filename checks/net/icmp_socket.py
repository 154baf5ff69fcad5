"""The sockets of ICMP echo: how this process may open one, and what is asked of it (ip(7), RFC 3542)."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Final

from checks.contract import Address
from checks.errors import ObserverError
from checks.net import error_queue
from checks.net import icmp_format as wire

_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; Python's socket module does not name it
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1  # linux/icmp.h, linux/icmpv6.h
_IP_PKTINFO: Final = 8  # linux/in.h
_MTU_DISCOVER: Final = {
    int(socket.AF_INET): (int(socket.IPPROTO_IP), 10),  # IP_MTU_DISCOVER
    int(socket.AF_INET6): (int(socket.IPPROTO_IPV6), 23),  # IPV6_MTU_DISCOVER, linux/in6.h
}
_PROBE: Final = 3
"""IP_PMTUDISC_PROBE, IPV6_PMTUDISC_PROBE."""
_IPV6_DONTFRAG: Final = 62
_GROUPS: Final = Path("/proc/sys/net/ipv4/ping_group_range")

Control = tuple[int, int, bytes]


def open_socket(
    family: int, make: Callable[..., socket.socket] = socket.socket, *, whole: bool = False
) -> tuple[socket.socket, bool]:
    """The best socket that ``make`` gives, not blocking, and whether it is a raw one. A ``whole`` one's packets are
    never cut up, and may be larger than the path's MTU as this host knows it. Raises ObserverError."""
    protocol = socket.IPPROTO_ICMPV6 if family == socket.AF_INET6 else socket.IPPROTO_ICMP
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        try:
            sock = make(family, kind, protocol)
        except PermissionError:
            continue
        except OSError as error:
            raise ObserverError("no-icmp", f"this host gives no ICMP socket: {error.strerror}") from error
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        if whole:
            _never_cut(sock, family)
        if kind == socket.SOCK_RAW:
            _filter(sock, family)
        else:
            sock.setsockopt(*error_queue.OPTIONS[family], 1)
        return sock, kind == socket.SOCK_RAW
    raise ObserverError("no-permission", lacking(_GROUPS.read_text().split() if _GROUPS.exists() else []))


def lacking(groups: list[str]) -> str:
    """Which permission is missing, and how to give it. ``groups`` is what ping_group_range holds."""
    now = f" (now {' '.join(groups)})" if groups else ""
    return (
        "this agent may not send ICMP: give its service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW), "
        f"or put its group into the sysctl net.ipv4.ping_group_range{now}"
    )


def _never_cut(sock: socket.socket, family: int) -> None:
    sock.setsockopt(*_MTU_DISCOVER[family], _PROBE)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)


def _filter(sock: socket.socket, family: int) -> None:
    """Lets in answers and errors alone: a raw socket otherwise gets every ICMP packet of the host. A set bit keeps a
    type out, in both families."""
    passing = (wire.V6 if family == socket.AF_INET6 else wire.V4).types
    if family == socket.AF_INET:
        mask = 0xFFFFFFFF
        for kind in passing:
            mask &= ~(1 << kind)
        sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", mask))
    else:
        words = [0xFFFFFFFF] * 8
        for kind in passing:
            words[kind >> 5] &= ~(1 << (kind & 31))
        sock.setsockopt(socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("@8I", *words))


def control_messages(family: int, ttl: int | None, source: Address | None) -> list[Control]:
    """The control messages that give a packet its time to live and its source (ip(7), RFC 3542)."""
    control = []
    v6 = family == socket.AF_INET6
    level = int(socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP)
    if ttl is not None:
        control.append((level, int(socket.IPV6_HOPLIMIT if v6 else socket.IP_TTL), struct.pack("@i", ttl)))
    if source is not None and v6:
        control.append((level, int(socket.IPV6_PKTINFO), source.packed + bytes(4)))  # any interface
    elif source is not None:
        control.append((level, _IP_PKTINFO, bytes(4) + source.packed + bytes(4)))
    return control


def kernel_time(control: list[Control]) -> int | None:
    """Unix ns of SO_TIMESTAMPNS's struct timespec, of two 64-bit words; None where it is of another form."""
    for level, kind, value in control:
        if (level, kind, len(value)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, 16):
            seconds, nanoseconds = struct.unpack("@qq", value)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None
