"""ICMP echo for asyncio: one socket per process and family, shared by all runs (RFC 792, RFC 4443).

A raw socket where this process may open one (CAP_NET_RAW). Else a datagram ICMP socket, which Linux gives to the groups
of the sysctl net.ipv4.ping_group_range; there the errors that routers send come by the socket's error queue.

An answer is ours when it brings back the random cookie and the count that we sent; 16 bits of identifier and 16 of
sequence number are too few to tell apart the pings of a busy host.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import socket
import time
import weakref
from collections.abc import AsyncIterator
from typing import Final

from checks.contract import Address
from checks.net import error_queue
from checks.net import icmp_format as wire
from checks.net.icmp_socket import Control, control_messages, kernel_time, open_socket

_MAX_PACKET: Final = 65_535


@dataclasses.dataclass(frozen=True)
class Reply:
    """An answer: ``rtt`` in seconds, and the address that sent it."""

    rtt: float
    source: str


@dataclasses.dataclass(frozen=True)
class Refusal:
    """An ICMP error instead of an answer: what it says in words, and the address that says so. ``expired``: the time to
    live was used up there. ``mtu`` is of :class:`checks.net.icmp_format.Error`."""

    words: str
    source: str
    expired: bool = False
    mtu: int | None = None


Probe = asyncio.Future[Reply | Refusal]


@dataclasses.dataclass(frozen=True)
class _Sent:
    probe: Probe
    count: int
    monotonic: float
    wall: int


class Pinger:
    """Echo requests over one socket of one family. Get one from :func:`pinger`."""

    def __init__(self, family: int, sock: socket.socket, raw: bool, *, cookie: bytes) -> None:
        self.raw = raw
        self._family = family
        self._format = wire.V6 if family == socket.AF_INET6 else wire.V4
        self._sock = sock
        self._cookie = cookie
        self._identifier = int.from_bytes(cookie[:2], "big")
        self._count = int.from_bytes(cookie[2:4], "big")
        self._sent: dict[int, _Sent] = {}
        asyncio.get_running_loop().add_reader(sock, self._readable)

    def send(self, address: Address, size: int, *, ttl: int | None = None, source: Address | None = None) -> Probe:
        """Sends one echo request with ``size`` bytes of data (at least 16) and returns the future of its end. Whoever
        gives up on it cancels it. ``ttl`` and ``source`` (an address of this host) are the system's choice when None.
        Raises OSError when it cannot be sent."""
        self._count += 1
        sequence = self._count & 0xFFFF
        data = wire.data(self._cookie, self._count, size)
        packet = wire.echo_request(self._format, self._identifier, sequence, data)
        probe: Probe = asyncio.get_running_loop().create_future()
        self._sent[sequence] = _Sent(probe, self._count, time.monotonic(), time.time_ns())
        probe.add_done_callback(lambda _: self._forget(sequence, probe))
        try:
            self._emit(packet, control_messages(self._family, ttl, source), str(address))
        except OSError:
            probe.cancel()
            raise
        return probe

    def _emit(self, packet: bytes, control: list[Control], address: str) -> None:
        try:
            self._sock.sendmsg([packet], control, 0, (address, 0))
        except OSError:
            if self.raw:
                raise
            # Perhaps the ICMP error of an earlier packet, said instead of sending; having said so the kernel sends.
            self._sock.sendmsg([packet], control, 0, (address, 0))

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
        if not self.raw:
            self._read_errors()
        for _ in range(64):
            try:
                packet, control, _flags, source = self._sock.recvmsg(_MAX_PACKET, 64)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that the kernel holds for an earlier packet; reading it clears it
            message = wire.parse(self._format, packet, with_header=self.raw and self._format is wire.V4)
            if message is not None:
                self._settle(message, str(source[0]), kernel_time(control))

    def _read_errors(self) -> None:
        """Takes what is in the error queue. While anything is, the socket counts as readable."""
        for _ in range(64):
            try:
                quoted, control, *_ = self._sock.recvmsg(_MAX_PACKET, error_queue.CONTROL_BYTES, socket.MSG_ERRQUEUE)
            except OSError:
                return
            queued = error_queue.parse(control)
            if queued is not None:
                said = wire.error(self._format, queued.kind, queued.code, queued.mtu)
                message = wire.about(self._format, quoted, said)
                if message is not None:
                    self._settle(message, queued.source, None)

    def _settle(self, message: wire.Message, source: str, received: int | None) -> None:
        sent = self._sent.get(message.sequence)
        if sent is None or sent.probe.done():
            return
        if message.data and not wire.is_data_of(message.data, self._cookie, sent.count):
            return
        if message.error is not None:
            # A router may quote no more than the header (RFC 792): then the identifier must do. A datagram socket's is
            # not ours but the system's, which gives us the errors about that alone.
            if message.data or not self.raw or message.identifier == self._identifier:
                said = message.error
                sent.probe.set_result(Refusal(said.words, source, said.expired, said.mtu))
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


class _Shared:
    """The pingers in use of one event loop, by family and kind, each with the number of its users."""

    def __init__(self) -> None:
        self.pingers: dict[tuple[int, bool], Pinger] = {}
        self.users: dict[tuple[int, bool], int] = {}


_shared: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Shared] = weakref.WeakKeyDictionary()


@contextlib.asynccontextmanager
async def pinger(family: int, *, whole: bool = False) -> AsyncIterator[Pinger]:
    """The pinger of a family (AF_INET or AF_INET6) for the length of a ``with``; it closes with its last user, so that
    an idle agent is not woken by other programs' ICMP. A ``whole`` one's packets are never cut up, whatever this host
    believes of the path's MTU. Raises ObserverError when it may not be opened."""
    shared = _shared.setdefault(asyncio.get_running_loop(), _Shared())
    key = (family, whole)
    if key not in shared.pingers:
        shared.pingers[key] = open_pinger(family, whole=whole)
    shared.users[key] = shared.users.get(key, 0) + 1
    try:
        yield shared.pingers[key]
    finally:
        shared.users[key] -= 1
        if not shared.users[key]:
            shared.pingers.pop(key).close()


def open_pinger(family: int, *, whole: bool = False) -> Pinger:
    """A pinger of one's own. Raises ObserverError."""
    return Pinger(family, *open_socket(family, whole=whole), cookie=secrets.token_bytes(8))
