"""ICMP echo and the errors about it, as bytes: RFC 792 for IPv4, RFC 4443 for IPv6. Pure; no bytes make it raise."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Mapping
from typing import Final

HEADER_BYTES: Final = 8
MIN_DATA_BYTES: Final = 16
"""The cookie and the count."""


@dataclasses.dataclass(frozen=True)
class Format:
    """The numbers in which the two families differ. ``errors`` maps a type to the words of its codes; ``protocol`` is
    ICMP's own number in the IP header. ``expired`` is the type and code of "time to live exceeded", ``too_big`` those
    of "packet too big", whose MTU is ``mtu``: where it begins, and its form."""

    request: int
    reply: int
    protocol: int
    checksum: bool
    errors: Mapping[int, Mapping[int, str]]
    expired: tuple[int, int]
    too_big: tuple[int, int]
    mtu: tuple[int, str]

    @property
    def types(self) -> tuple[int, ...]:
        """What is worth receiving."""
        return (self.reply, *self.errors)


V4: Final = Format(
    request=8,
    reply=0,
    protocol=1,
    checksum=True,
    errors={
        3: {
            0: "network unreachable",
            1: "host unreachable",
            2: "protocol unreachable",
            3: "port unreachable",
            4: "packet too big",
            9: "network forbidden by a filter",
            10: "host forbidden by a filter",
            13: "forbidden by a filter",
        },
        11: {0: "routing loop: time to live exceeded", 1: "fragments lost on the way"},
    },
    expired=(11, 0),
    too_big=(3, 4),
    mtu=(6, "!H"),  # RFC 1191, section 4
)
V6: Final = Format(
    request=128,
    reply=129,
    protocol=58,
    checksum=False,  # the kernel fills it in (RFC 3542, section 3.1)
    errors={
        1: {
            0: "network unreachable",
            1: "forbidden by a filter",
            3: "host unreachable",
            4: "port unreachable",
            5: "forbidden by a filter",
            6: "network unreachable",
        },
        2: {0: "packet too big"},
        3: {0: "routing loop: hop limit exceeded", 1: "fragments lost on the way"},
    },
    expired=(3, 0),
    too_big=(2, 0),
    mtu=(4, "!I"),
)


@dataclasses.dataclass(frozen=True)
class Error:
    """What an ICMP error says, in words. ``expired``: the packet's time to live was used up. ``mtu`` is how large a
    packet may be, when it was too big; 0 of a router that does not say (RFC 1191, section 5), else None."""

    words: str
    expired: bool = False
    mtu: int | None = None


@dataclasses.dataclass(frozen=True)
class Message:
    """An echo reply (``error`` is None), or an error about an echo request, with what either brings back of the
    request; ``data`` of an error may be short or empty."""

    identifier: int
    sequence: int
    data: bytes
    error: Error | None = None


def checksum(packet: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(packet) % 2:
        packet += b"\0"
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def data(cookie: bytes, count: int, size: int) -> bytes:
    """An echo's data: 8 bytes of cookie, 8 of count, then filling.

    The low half of the count, which is the sequence number too, is written inverted: the checksum then stays the same
    from one request to the next, and routers that balance by it keep to one path (Augustin et al., "Avoiding traceroute
    anomalies with Paris traceroute", IMC 2006).
    """
    return (cookie + struct.pack("!Q", count ^ 0xFFFF)).ljust(size, b"\x55")


def is_data_of(content: bytes, cookie: bytes, count: int) -> bool:
    """Whether echoed data, perhaps cut short by a router's quote, is that of this cookie and count."""
    mark = data(cookie, count, 0)
    return content[: len(mark)] == mark[: len(content)] and len(content) >= len(cookie)


def echo_request(form: Format, identifier: int, sequence: int, content: bytes) -> bytes:
    """The packet of a request. On a datagram socket the kernel puts its own identifier and checksum."""
    packet = struct.pack("!BBHHH", form.request, 0, 0, identifier, sequence) + content
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:] if form.checksum else packet


def parse(form: Format, packet: bytes, *, with_header: bool) -> Message | None:
    """What a packet says about an echo request; None when it is about something else or broken. ``with_header`` says
    that it starts with an IPv4 header, as on a raw IPv4 socket."""
    if with_header:
        packet = packet[_header_bytes(packet) :]
    if len(packet) < HEADER_BYTES:
        return None
    kind, code, _, identifier, sequence = struct.unpack_from("!BBHHH", packet)
    if kind == form.reply and code == 0:
        return Message(identifier, sequence, packet[HEADER_BYTES:])
    if kind not in form.errors:
        return None
    at, shape = form.mtu
    # RFC 4884: extensions may follow; they come after the first 128 bytes, beyond cookie and count.
    said = error(form, kind, code, struct.unpack_from(shape, packet, at)[0])
    return about(form, _quoted(form, packet[HEADER_BYTES:]), said)


def about(form: Format, quoted: bytes, said: Error) -> Message | None:
    """An error about the ICMP message that it quotes; None when that is no echo request."""
    if len(quoted) < HEADER_BYTES or quoted[0] != form.request:
        return None
    identifier, sequence = struct.unpack_from("!HH", quoted, 4)
    return Message(identifier, sequence, quoted[HEADER_BYTES:], said)


def error(form: Format, kind: int, code: int, mtu: int) -> Error:
    """What an error of these type and code says; ``mtu`` is the field that only "packet too big" has."""
    words = form.errors.get(kind, {}).get(code, f"unreachable (ICMP type {kind}, code {code})")
    return Error(words, (kind, code) == form.expired, mtu if (kind, code) == form.too_big else None)


def _quoted(form: Format, quote: bytes) -> bytes:
    """The ICMP message in an error's quote of an IP packet; empty when it quotes something else. An IPv6 extension
    header before it is not looked through: we send none."""
    if form is V6:
        return quote[40:] if len(quote) > 40 and quote[6] == form.protocol else b""
    return quote[_header_bytes(quote) :] if len(quote) > 20 and quote[9] == form.protocol else b""


def _header_bytes(packet: bytes) -> int:
    """The length of an IPv4 header; all of the packet when it is none."""
    length = (packet[0] & 0xF) * 4 if packet and packet[0] >> 4 == 4 else 0
    return length if length >= 20 else len(packet)
