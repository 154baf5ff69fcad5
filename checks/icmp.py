"""ICMP echo for asyncio: one socket per process and family, shared by all runs (RFC 792, RFC 4443).

A raw socket where this process may open one (CAP_NET_RAW): it alone shows the errors that routers send. Else a
datagram ICMP socket, which Linux gives to the groups of the sysctl net.ipv4.ping_group_range.

An answer is ours when it brings back the random cookie and the count that we sent; 16 bits of identifier and 16 of
sequence number are too few to tell apart the pings of a busy host.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import socket
import struct
import time
import weakref
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

from checks import icmp_format as wire
from checks.contract import Address
from checks.errors import ObserverError

_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h; Python's socket module does not name it
_SOL_RAW, _ICMP_FILTER, _ICMP6_FILTER = 255, 1, 1  # linux/icmp.h, linux/icmpv6.h
_MAX_PACKET: Final = 65_535
_GROUPS: Final = Path("/proc/sys/net/ipv4/ping_group_range")


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer: ``rtt`` in seconds, and the address that sent it."""

    rtt: float
    source: str


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An ICMP error instead of an answer: what it says in words, and the address that says so."""

    words: str
    source: str


Probe = asyncio.Future[Reply | Refusal]


@dataclasses.dataclass(frozen=True)
class _Sent:
    probe: Probe
    count: int
    monotonic: float
    wall: int


class Pinger:
    """Echo requests over one socket of one family. Get one from :func:`pinger`."""

    def __init__(self, family: int, sock: socket.socket, *, raw: bool, cookie: bytes) -> None:
        self.raw = raw
        self._format = wire.V6 if family == socket.AF_INET6 else wire.V4
        self._sock = sock
        self._cookie = cookie
        self._identifier = int.from_bytes(cookie[:2], "big")
        self._count = int.from_bytes(cookie[2:4], "big")
        self._sent: dict[int, _Sent] = {}
        asyncio.get_running_loop().add_reader(sock, self._readable)

    def send(self, address: Address, size: int) -> Probe:
        """Sends one echo request with ``size`` bytes of data (at least 16) and returns the future of its end. Whoever
        gives up on it cancels it. Raises OSError when it cannot be sent."""
        self._count += 1
        sequence = self._count & 0xFFFF
        data = wire.data(self._cookie, self._count, size)
        packet = wire.echo_request(self._format, self._identifier, sequence, data)
        probe: Probe = asyncio.get_running_loop().create_future()
        self._sent[sequence] = _Sent(probe, self._count, time.monotonic(), time.time_ns())
        probe.add_done_callback(lambda _: self._forget(sequence, probe))
        try:
            self._sock.sendto(packet, (str(address), 0))
        except OSError:
            probe.cancel()
            raise
        return probe

    def close(self) -> None:
        """Gives up on everything under way, and the socket with it."""
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()
        for sent in list(self._sent.values()):
            sent.probe.cancel()

    def _forget(self, sequence: int, probe: Probe) -> None:
        sent = self._sent.get(sequence)
        if sent is not None and sent.probe is probe:
            del self._sent[sequence]

    def _readable(self) -> None:
        """Takes what has arrived, at most 64 packets, so that a flood leaves time for the rest of the agent."""
        for _ in range(64):
            try:
                packet, control, _flags, source = self._sock.recvmsg(_MAX_PACKET, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that the kernel holds for an earlier packet; reading it clears it
            message = wire.parse(self._format, packet, with_header=self.raw and self._format is wire.V4)
            if message is not None:
                self._settle(message, str(source[0]), _kernel_time(control))

    def _settle(self, message: wire.Message, source: str, received: int | None) -> None:
        sent = self._sent.get(message.sequence)
        if sent is None or sent.probe.done():
            return
        if message.data and not wire.is_data_of(message.data, self._cookie, sent.count):
            return
        if message.error is not None:
            # A router may quote no more than the header (RFC 792): then the identifier must do.
            if message.data or message.identifier == self._identifier:
                sent.probe.set_result(Refusal(message.error, source))
        elif message.data:
            sent.probe.set_result(Reply(_rtt(sent, received), source))


def _rtt(sent: _Sent, received: int | None) -> float:
    """Seconds since sending. The kernel's receive time leaves out our own delay; it is of the wall clock, so it is
    taken only when the monotonic clock bears it out."""
    upper = time.monotonic() - sent.monotonic
    if received is None:
        return upper
    exact = (received - sent.wall) / 1e9
    return exact if 0 < exact <= upper else upper


def _kernel_time(control: list[tuple[int, int, bytes]]) -> int | None:
    """Unix ns of SO_TIMESTAMPNS's struct timespec, of two 64-bit words; None where it is of another form."""
    for level, kind, value in control:
        if (level, kind, len(value)) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS, 16):
            seconds, nanoseconds = struct.unpack("@qq", value)
            return int(seconds) * 1_000_000_000 + int(nanoseconds)
    return None


class _Shared:
    """The pingers in use of one event loop, by family, each with the number of its users."""

    def __init__(self) -> None:
        self.pingers: dict[int, Pinger] = {}
        self.users: dict[int, int] = {}


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = weakref.WeakKeyDictionary()


@contextlib.asynccontextmanager
async def pinger(family: int) -> AsyncIterator[Pinger]:
    """The pinger of a family (AF_INET or AF_INET6) for the length of a ``with``; it closes with its last user, so that
    an idle agent is not woken by other programs' ICMP. Raises ObserverError when it may not be opened."""
    shared = _shared.setdefault(asyncio.get_running_loop(), _Shared())
    if family not in shared.pingers:
        shared.pingers[family] = open_pinger(family)
    shared.users[family] = shared.users.get(family, 0) + 1
    try:
        yield shared.pingers[family]
    finally:
        shared.users[family] -= 1
        if not shared.users[family]:
            shared.pingers.pop(family).close()


def open_pinger(family: int, make: Callable[..., socket.socket] = socket.socket) -> Pinger:
    """A pinger of one's own, with the best socket that ``make`` gives. Raises ObserverError."""
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
        if kind == socket.SOCK_RAW:
            _filter(sock, family)
        return Pinger(family, sock, raw=kind == socket.SOCK_RAW, cookie=secrets.token_bytes(8))
    raise ObserverError("no-permission", lacking(_GROUPS.read_text().split() if _GROUPS.exists() else []))


def lacking(groups: list[str]) -> str:
    """Which permission is missing, and how to give it. ``groups`` is what ping_group_range holds."""
    now = f" (now {' '.join(groups)})" if groups else ""
    return (
        "this agent may not send ICMP: give its service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW), "
        f"or put its group into the sysctl net.ipv4.ping_group_range{now}"
    )


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
