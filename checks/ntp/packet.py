"""NTP packets of client and server (RFC 5905, section 7.3), and what the four times of an exchange say (section 8)."""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from checks.stamp.timestamp import NANOSECONDS, unix_of

PORT: Final = 123
UNSYNCHRONIZED: Final = 3
"""The leap indicator of a server that has no time to give."""

_VERSION: Final = 4
_CLIENT: Final = 3
_SERVER: Final = 4
_PACKET: Final = struct.Struct("!BBbbII4sQQQQ")
_SHORT: Final = 1 << 16
_NTP_FORM: Final = 0  # an Error Estimate field without the bit that says PTP


def request(cookie: int) -> bytes:
    """A client's packet. In place of our time it carries a random number of 64 bits, which the server sends back: that
    tells nobody our clock, and an answer without it is not to us (RFC 5905, section 8: the origin timestamp)."""
    return _PACKET.pack(_VERSION << 3 | _CLIENT, 0, 0, 0, 0, 0, b"", 0, 0, 0, cookie)


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a server says. ``leap`` is 1 or 2 when a leap second is near, 3 when it is not synchronised; ``stratum`` is
    0 in a kiss-o'-death, whose code is the ``reference``, and of a server that is not synchronised. ``root_delay`` and
    ``root_dispersion`` are seconds to the reference clock; ``received`` and ``sent`` the server's NTP timestamps."""

    leap: int
    version: int
    stratum: int
    precision: int
    root_delay: float
    root_dispersion: float
    reference: bytes
    origin: int
    received: int
    sent: int

    @property
    def kiss(self) -> str:
        """The code of a kiss-o'-death (RFC 5905, section 7.4); empty when there is none."""
        return _ascii(self.reference) if self.stratum == 0 else ""

    @property
    def clock(self) -> str:
        """What a server of stratum 1 follows: GPS, PPS, LOCL, …; empty at other strata."""
        return _ascii(self.reference) if self.stratum == 1 else ""


def _ascii(code: bytes) -> str:
    return "".join(chr(byte) for byte in code.rstrip(b"\0 ") if 0x20 < byte < 0x7F)


def parse(data: bytes, cookie: int) -> Reply | None:
    """A server's reply to the request with this cookie; None when it is not one. Extension fields and a MAC behind it
    are not looked at."""
    if len(data) < _PACKET.size:
        return None
    first, stratum, _, precision, delay, dispersion, reference, _, origin, received, sent = _PACKET.unpack_from(data)
    if first & 7 != _SERVER or origin != cookie:
        return None
    version = first >> 3 & 7
    return Reply(
        first >> 6, version, stratum, precision, delay / _SHORT, dispersion / _SHORT, reference, origin, received, sent
    )


@dataclasses.dataclass(frozen=True)
class Sample:
    """``offset`` is by how many seconds the server's clock is ahead of ours, ``delay`` the round trip in seconds. The
    offset is right to within half the delay."""

    offset: float
    delay: float

    @property
    def error(self) -> float:
        """The most by which an unequal way there and back can have falsified the offset, in seconds."""
        return self.delay / 2


def sample(reply: Reply, left: int, came: int) -> Sample:
    """The clock offset and delay (RFC 5905, section 8) of a reply to a packet that left and came back at these Unix
    times in ns."""
    there, back = (unix_of(stamp, _NTP_FORM, left) for stamp in (reply.received, reply.sent))
    offset = ((there - left) + (back - came)) / 2
    delay = (came - left) - (back - there)
    return Sample(offset / NANOSECONDS, max(delay, 0) / NANOSECONDS)


def root_distance(reply: Reply, measured: Sample) -> float:
    """The most by which the server's time can be wrong as seen from here, in seconds: the synchronization distance of
    RFC 5905, section 11.2, without what drifts while the packet travels."""
    return (reply.root_delay + measured.delay) / 2 + reply.root_dispersion
