"""A Session-Reflector: sends each authentic test packet back with its own count and times (RFC 8762, section 4.3).

Stateful, it numbers its packets session by session, so that a sender can tell in which direction packets were lost,
and drops replays. Stateless, it repeats the sender's number and remembers nothing. What it drops it counts.

An answer is as long as what it answers, so nobody's traffic is amplified. A packet from a port of our own number is
dropped: two reflectors that were set upon each other would never stop.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
from collections.abc import Callable
from typing import Any, Final

from checks.stamp.datagram import Datagram, dropped, receive, tell_local_address, udp_socket
from checks.stamp.life import Life
from checks.stamp.packet import (
    ForgedError,
    Reflected,
    Sent,
    TruncatedError,
    base_bytes,
    read_sent,
    ssid_of,
    write_reflected,
)
from checks.stamp.table import FullError, ReplayedError, SessionTable
from checks.stamp.timestamp import estimate_of, ntp

PORT: Final = 862
"""RFC 8762, section 4.1."""

_CLOCK_ERROR: Final = estimate_of(1e-4).packed
"""How far our timestamps may be off beside the clock itself: a wait for the processor. We do not know whether the clock
follows an outer source, so we do not say that it does."""

_AT_ONCE: Final = 64
"""Packets that are answered before the rest of the process has its turn."""

_AT_MOST: Final = 16_384
"""Packets that are answered while somebody waits for it: more than the buffer holds."""

_BUFFER_BYTES: Final = 4 << 20
"""Asked of the kernel, which gives net.core.rmem_max at most: some 10,000 packets that wait while the process is busy,
a second of as many agents."""

KeyOf = Callable[[str, int], bytes | None]
"""The key of a source address and a Session Identifier, which is not proven yet; empty when they speak unauthenticated,
None when they are not known."""


@dataclasses.dataclass
class Counters:
    """What became of the packets: ``unknown`` are of senders without a key, ``full`` of new sessions beyond the bound,
    ``looped`` of another reflector; ``unsent`` are answers that the system would not send. Those ``dropped`` by the
    kernel for want of room were never seen: the sender takes them for lost on the line. They are counted as often as
    :meth:`Reflector.answer_all` is called."""

    reflected: int = 0
    forged: int = 0
    truncated: int = 0
    replayed: int = 0
    unknown: int = 0
    full: int = 0
    looped: int = 0
    unsent: int = 0
    dropped: int = 0


class Reflector:
    """Answers on a bound UDP socket, which it owns, within the running event loop. Get one from
    :func:`open_reflector`. It counts in ``counters``. Of the sessions of a stateful one ``most`` are remembered, each
    for ``idle`` s. ``life`` is told of what it answers, and keeps what was recorded from beginning a session."""

    def __init__(
        self,
        sock: socket.socket,
        key_of: KeyOf,
        *,
        counters: Counters | None = None,
        life: Life | None = None,
        stateful: bool = True,
        most: int = 65_536,
        idle: float = 900.0,
        wall: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.counters = counters if counters is not None else Counters()
        self.address: tuple[Any, ...] = sock.getsockname()
        self._sock = sock
        self._key_of = key_of
        self._life = life
        self._table = SessionTable(most, idle) if stateful else None
        self._wall = wall
        self._monotonic = monotonic
        self._dropped = 0
        asyncio.get_running_loop().add_reader(sock, self.answer_some)

    @property
    def sessions(self) -> int:
        """How many are remembered now."""
        return 0 if self._table is None else len(self._table)

    def close(self) -> None:
        """Stops, and closes the socket."""
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def answer_all(self) -> None:
        """Answers whatever waits, for a caller who is to judge by what has come; some at least when that is without
        end."""
        self._count_dropped()
        for _ in range(_AT_MOST // _AT_ONCE):
            if self.answer_some():
                return

    def _count_dropped(self) -> None:
        before, self._dropped = self._dropped, dropped(self._sock)
        self.counters.dropped += (self._dropped - before) & 0xFFFF_FFFF

    def answer_some(self) -> bool:
        """Answers the next packets; whether those were all that waited."""
        for _ in range(_AT_ONCE):
            try:
                datagram = receive(self._sock)
            except BlockingIOError:
                return True
            except OSError:
                continue  # an ICMP error for an answer whose sender is gone; reading it clears it
            packet = self.answer(datagram)
            if packet is not None:
                self._send(packet, datagram)
        return False

    def _send(self, packet: bytes, datagram: Datagram) -> None:
        try:
            if datagram.answer is None:
                self._sock.sendto(packet, datagram.source)
            else:
                self._sock.sendmsg([packet], [datagram.answer], 0, datagram.source)
        except OSError:
            self.counters.unsent += 1
        else:
            self.counters.reflected += 1

    def answer(self, datagram: Datagram) -> bytes | None:
        """The answer to a datagram; None when it is dropped, which is counted."""
        counters = self.counters
        host, port = datagram.source[:2]
        if port == self.address[1]:
            counters.looped += 1
            return None
        key = self._key_of(host, ssid_of(datagram.data))
        if key is None:
            counters.unknown += 1
            return None
        try:
            if not datagram.whole:
                raise TruncatedError
            packet = read_sent(datagram.data, key)
            new = self._life is None or self._life.is_new(packet.ssid, packet.timestamp)
            number = self._number(packet, host, port, new)
        except TruncatedError:
            counters.truncated += 1
        except ForgedError:
            counters.forged += 1
        except ReplayedError:
            counters.replayed += 1
        except FullError:
            counters.full += 1
        else:
            if new and self._life is not None:
                self._life.take(packet.ssid, packet.timestamp)
            return self._reflect(packet, number, datagram, key)
        return None

    def _number(self, packet: Sent, host: str, port: int, new: bool) -> int:
        if self._table is None:
            return packet.sequence
        now = self._monotonic()
        return self._table.count((host, port, packet.ssid), packet.sequence, packet.timestamp, now, may_begin=new)

    def _reflect(self, packet: Sent, number: int, datagram: Datagram, key: bytes) -> bytes:
        now = self._wall()
        # Later than now it was not received, whatever the kernel's clock said before it was set back.
        received = now if datagram.received is None else min(datagram.received, now)
        reflected = Reflected(
            number,
            ntp(now),
            _CLOCK_ERROR,
            packet.ssid,
            ntp(received),
            packet.sequence,
            packet.timestamp,
            packet.error_estimate,
            datagram.ttl,
        )
        return write_reflected(reflected, key, datagram.data[base_bytes(key) :])


def open_reflector(
    host: str,
    port: int,
    key_of: KeyOf,
    *,
    counters: Counters | None = None,
    life: Life | None = None,
    stateful: bool = True,
    most: int = 65_536,
) -> Reflector:
    """A reflector on an address of this host, or on all of a family (0.0.0.0, ::); port 0 takes a free one. It runs in
    the running event loop until it is closed. Raises OSError."""
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    sock = udp_socket(family)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        if address[0] in ("0.0.0.0", "::"):  # noqa: S104 - a comparison, not an address to bind to
            tell_local_address(sock)
        sock.bind(address)
        return Reflector(sock, key_of, counters=counters, life=life, stateful=stateful, most=most)
    except BaseException:
        sock.close()
        raise
