"""DHCPv6 messages and router advertisements as bytes: RFC 8415 (messages and options), RFC 3646 (DNS), RFC 4861
(router advertisement), RFC 8106 (its DNS option). Pure; no bytes make a parser raise."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Sequence
from ipaddress import IPv6Address, IPv6Network
from typing import Final

SERVER_PORT: Final = 547
CLIENT_PORT: Final = 546

SOLICIT, ADVERTISE, REQUEST, CONFIRM, RENEW, REBIND, REPLY = range(1, 8)
RELEASE, DECLINE, RECONFIGURE, INFORMATION_REQUEST, RELAY_FORW, RELAY_REPL = range(8, 14)
"""Message types (RFC 8415, section 7.3)."""

_CLIENT, _SERVER, _IA_NA, _IA_TA, _IAADDR, _WANTED, _PREFERENCE, _ELAPSED, _RELAYED = range(1, 10)
_STATUS, _DNS, _DOMAINS, _IA_PD, _IAPREFIX = 13, 23, 24, 25, 26
_LONGEST_CHAIN: Final = 8  # HOP_COUNT_LIMIT, RFC 8415, section 7.6

_ADVERTISEMENT: Final = 134
_RA_SOURCE, _RA_PREFIX, _RA_DNS = 1, 3, 25
_HOPS_OF_THE_LINK: Final = 255
_SUCCESS: Final = 0

Options = Sequence[tuple[int, bytes]]


@dataclasses.dataclass(frozen=True)
class Status:
    """A status code option: 0 success, 2 no addresses available, 6 no prefixes available; with the server's words."""

    code: int
    words: str


@dataclasses.dataclass(frozen=True)
class Message:
    """A message between client and server. ``xid`` has 24 bits."""

    kind: int
    xid: int
    options: Options

    @property
    def server(self) -> bytes:
        """The server's DUID; empty without one."""
        return _first(self.options, _SERVER)

    @property
    def client(self) -> bytes:
        """The client's DUID; empty without one."""
        return _first(self.options, _CLIENT)

    @property
    def addresses(self) -> tuple[IPv6Address, ...]:
        """The addresses in all identity associations."""
        inner = self._within(_IA_NA, 12) + self._within(_IA_TA, 4)
        return tuple(IPv6Address(value[:16]) for code, value in inner if code == _IAADDR and len(value) >= 24)

    @property
    def prefixes(self) -> tuple[IPv6Network, ...]:
        """The delegated prefixes (section 21.22)."""
        return tuple(
            _network(value[9:25], value[8])
            for code, value in self._within(_IA_PD, 12)
            if code == _IAPREFIX and len(value) >= 25
        )

    @property
    def valid_lifetimes(self) -> tuple[int, ...]:
        """Seconds, of each of ``addresses``."""
        inner = self._within(_IA_NA, 12) + self._within(_IA_TA, 4)
        return tuple(
            int.from_bytes(value[20:24], "big") for code, value in inner if code == _IAADDR and len(value) >= 24
        )

    @property
    def dns(self) -> tuple[IPv6Address, ...]:
        """The DNS servers, in order of preference."""
        return _addresses(_first(self.options, _DNS))

    @property
    def refusal(self) -> Status | None:
        """The first status that is not success, of the message or of an association."""
        everywhere = (*self.options, *self._within(_IA_NA, 12), *self._within(_IA_TA, 4), *self._within(_IA_PD, 12))
        for code, value in everywhere:
            if code == _STATUS and len(value) >= 2 and (number := int.from_bytes(value[:2], "big")) != _SUCCESS:
                return Status(number, value[2:].decode(errors="replace"))
        return None

    def _within(self, association: int, header: int) -> list[tuple[int, bytes]]:
        """The options inside those of a code, behind their fixed part."""
        return [inner for code, value in self.options if code == association for inner in _options(value[header:])]


@dataclasses.dataclass(frozen=True)
class Relayed:
    """A message between relay and server (section 9), with what it carries; ``message`` is None when that is cut
    short, or no message."""

    kind: int
    hops: int
    link: IPv6Address
    peer: IPv6Address
    message: Message | Relayed | None


@dataclasses.dataclass(frozen=True)
class Advertisement:
    """A router advertisement. ``lifetime`` in seconds as a default router: 0 says that it is none."""

    lifetime: int
    managed: bool
    prefixes: tuple[IPv6Network, ...]
    dns: tuple[IPv6Address, ...]


def parse(payload: bytes, depth: int = 0) -> Message | Relayed | None:
    """The message in a UDP payload; None when it is none. Options end where one is cut short. ``depth`` is the number
    of relays around it; more than 8 are not looked through."""
    if len(payload) < 4 or not SOLICIT <= payload[0] <= RELAY_REPL:
        return None
    if payload[0] < RELAY_FORW:
        return Message(payload[0], int.from_bytes(payload[1:4], "big"), tuple(_options(payload[4:])))
    if len(payload) < 34 or depth > _LONGEST_CHAIN:
        return None
    inner = parse(_first(tuple(_options(payload[34:])), _RELAYED), depth + 1)
    return Relayed(payload[0], payload[1], IPv6Address(payload[2:18]), IPv6Address(payload[18:34]), inner)


def parse_advertisement(icmp: bytes, hops: int) -> Advertisement | None:
    """The router advertisement in an ICMPv6 message that came with a hop limit; None when it is none, or came from
    another link (RFC 4861, section 6.1.2)."""
    if len(icmp) < 16 or icmp[0] != _ADVERTISEMENT or icmp[1] != 0 or hops != _HOPS_OF_THE_LINK:
        return None
    prefixes: list[IPv6Network] = []
    dns: list[IPv6Address] = []
    at = 16
    while at + 2 <= len(icmp) and icmp[at + 1]:
        option = icmp[at : at + icmp[at + 1] * 8]
        if len(option) < icmp[at + 1] * 8:
            break
        if option[0] == _RA_PREFIX and len(option) >= 32:
            prefixes.append(_network(option[16:32], option[2]))
        elif option[0] == _RA_DNS:
            dns.extend(_addresses(option[8:]))
        at += len(option)
    lifetime = int.from_bytes(icmp[6:8], "big")
    return Advertisement(lifetime, bool(icmp[5] & 0x80), tuple(prefixes), tuple(dns))


def _options(field: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(field):
        code, length = struct.unpack_from("!HH", field, at)
        if at + 4 + length > len(field):
            return
        yield code, field[at + 4 : at + 4 + length]
        at += 4 + length


def _first(options: Options, code: int) -> bytes:
    return next((value for found, value in options if found == code), b"")


def _addresses(value: bytes) -> tuple[IPv6Address, ...]:
    return tuple(IPv6Address(value[i : i + 16]) for i in range(0, len(value) - 15, 16))


def _network(address: bytes, length: int) -> IPv6Network:
    return IPv6Network((address, min(length, 128)), strict=False)


def duid(mac: bytes) -> bytes:
    """The DUID of an Ethernet address (type 3, DUID-LL, RFC 8415, section 11.4)."""
    return struct.pack("!HH", 3, 1) + mac


def solicit(xid: int, mac: bytes) -> bytes:
    """A Solicit that asks for one address, for a client named by an Ethernet address. Without rapid commit a server
    answers with an Advertise and leases nothing."""
    options = b"".join(
        struct.pack("!HH", code, len(value)) + value
        for code, value in (
            (_CLIENT, duid(mac)),
            (_IA_NA, struct.pack("!4sII", mac[-4:], 0, 0)),
            (_WANTED, struct.pack("!HH", _DNS, _DOMAINS)),
            (_ELAPSED, struct.pack("!H", 0)),
        )
    )
    return bytes((SOLICIT,)) + xid.to_bytes(3, "big") + options
