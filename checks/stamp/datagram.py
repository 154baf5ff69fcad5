"""UDP with what STAMP must know of each packet: when the kernel received it, with which TTL, and at which address."""

from __future__ import annotations

import dataclasses
import socket
import struct
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

# linux/in.h and asm-generic/socket.h; Python's socket module does not name them.
_IP_PKTINFO: Final = 8
_IP_RECVTTL: Final = 12
_SO_TIMESTAMPNS: Final = 35
_SO_MEMINFO: Final = 55

_TTL: Final = 255
"""As TWAMP's sender does (RFC 5357, section 4.1.2), so that the reflected TTL tells the hops."""

_BYTES: Final = 9216
"""The longest packet that is taken: a jumbo frame."""

_CONTROL_BYTES: Final = 256
# Plain ints: the socket module's are enumerations, which are slow to calculate with.
_SOL_SOCKET: Final = int(socket.SOL_SOCKET)
_IPPROTO_IP: Final = int(socket.IPPROTO_IP)
_IPPROTO_IPV6: Final = int(socket.IPPROTO_IPV6)
_IP_TTL: Final = int(socket.IP_TTL)
_IPV6_HOPLIMIT: Final = int(socket.IPV6_HOPLIMIT)
_IPV6_PKTINFO: Final = int(socket.IPV6_PKTINFO)
_MSG_TRUNC: Final = int(socket.MSG_TRUNC)
_TIMESPEC: Final = struct.Struct("@qq")
_INT: Final = struct.Struct("@i")
_MEMINFO: Final = struct.Struct("@9I")

Control = tuple[int, int, bytes]


class Datagram(NamedTuple):
    """What was received. ``source`` is as the socket module gives it. ``received`` is the kernel's Unix time in ns,
    None when it did not say. ``ttl`` is 0 when not known. ``answer`` makes a reply leave from the address that this
    was sent to; None where the socket is bound to one. ``whole`` is false when it was longer than is taken."""

    data: bytes
    source: tuple[Any, ...]
    received: int | None
    ttl: int
    answer: Control | None
    whole: bool


def udp_socket(family: int) -> socket.socket:
    """A UDP socket, not blocking, that sends with TTL 255 and says what :class:`Datagram` holds."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, _TTL)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTTL, 1)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, _TTL)
    return sock


def tell_local_address(sock: socket.socket) -> None:
    """Lets the datagrams of a socket that is bound to every address say which one they were sent to."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)


def dropped(sock: socket.socket) -> int:
    """How many datagrams the kernel has dropped since the socket was made, nearly always for want of room in its
    buffer; of 32 bits. Asked for, as SK_MEMINFO_DROPS (linux/sock_diag.h): SO_RXQ_OVFL would say the same with each
    datagram, and of the last ones only with the next."""
    return int(_MEMINFO.unpack(sock.getsockopt(_SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[8])


def receive(sock: socket.socket) -> Datagram:
    """The next datagram. Raises BlockingIOError when there is none, OSError for an ICMP error that came back."""
    data, control, flags, source = sock.recvmsg(_BYTES, _CONTROL_BYTES)
    received: int | None = None
    ttl = 0
    answer: Control | None = None
    for level, kind, value in control:
        if level == _SOL_SOCKET:
            if kind == _SO_TIMESTAMPNS and len(value) == _TIMESPEC.size:
                seconds, nanoseconds = _TIMESPEC.unpack(value)
                received = seconds * 1_000_000_000 + nanoseconds
        elif (level == _IPPROTO_IP and kind == _IP_TTL) or (level == _IPPROTO_IPV6 and kind == _IPV6_HOPLIMIT):
            (ttl,) = _INT.unpack(value)
        elif level == _IPPROTO_IP and kind == _IP_PKTINFO:
            # struct in_pktinfo: interface, address it arrived at, address in its header. Any interface may send.
            answer = (level, kind, bytes(4) + value[4:8] + bytes(4))
        elif level == _IPPROTO_IPV6 and kind == _IPV6_PKTINFO:
            # struct in6_pktinfo: address, interface; of a link-local one the source's scope says the interface.
            answer = (level, kind, value[:16] + bytes(4))
    return Datagram(data, source, received, ttl, answer, not flags & _MSG_TRUNC)


@dataclasses.dataclass(frozen=True)
class SteadyClock:
    """Unix time in ns that starts at the wall clock and then never jumps: it goes on with the monotonic clock."""

    wall: Callable[[], int] = time.time_ns
    monotonic: Callable[[], int] = time.monotonic_ns
    offset: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", min(self._compared() for _ in range(5))[1])

    def _compared(self) -> tuple[int, int]:
        """How long it took to read the clocks, and how far they are apart: right to half of that."""
        before, wall, after = self.monotonic(), self.wall(), self.monotonic()
        return after - before, wall - (before + after) // 2

    def now(self) -> int:
        """The time."""
        return self.monotonic() + self.offset

    @property
    def apart(self) -> int:
        """By how many ns the wall clock has been set since: ahead of this, or behind it."""
        return self.wall() - self.now()

    def of(self, received: int | None) -> int:
        """The time of the kernel's time stamp of something just received; now, where that cannot be right."""
        age = self.wall() - received if received is not None else 0
        return self.now() - (age if 0 <= age < 1_000_000_000 else 0)
