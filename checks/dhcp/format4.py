"""DHCPv4 messages as bytes: RFC 2131 (message), RFC 2132 (options), RFC 3046 (relay agent information), RFC 3396 (long
options). Pure; no bytes make the parser raise."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address, IPv4Interface
from typing import Final

SERVER_PORT: Final = 67
CLIENT_PORT: Final = 68

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
"""Message types (RFC 2132, section 9.6)."""

_BOOTREQUEST, _BOOTREPLY = 1, 2
_COOKIE: Final = b"\x63\x82\x53\x63"
_FIXED_BYTES: Final = 236
_LEAST_BYTES: Final = 300  # what a BOOTP relay may insist on (RFC 1542, section 2.1)
_BROADCAST: Final = 0x8000

_PAD, _END = 0, 255
_MASK, _ROUTER, _DNS, _NAME, _DOMAIN, _NTP = 1, 3, 6, 12, 15, 42
_LEASE, _OVERLOAD, _TYPE, _SERVER, _WANTED, _MOST, _RENEW, _REBIND, _CLIENT = 51, 52, 53, 54, 55, 57, 58, 59, 61
_RELAY: Final = 82
_FILE, _SNAME = 1, 2  # bits of the option overload


@dataclasses.dataclass(frozen=True)
class Message:
    """A DHCP or BOOTP message. ``options`` are raw values by code, those that came in parts joined (RFC 3396).
    ``giaddr`` is the relay's address; 0.0.0.0 without one."""

    op: int
    xid: int
    chaddr: bytes
    ciaddr: IPv4Address
    yiaddr: IPv4Address
    siaddr: IPv4Address
    giaddr: IPv4Address
    options: Mapping[int, bytes]

    @property
    def is_reply(self) -> bool:
        """Whether a server sent it."""
        return self.op == _BOOTREPLY

    @property
    def kind(self) -> int | None:
        """The DHCP message type; None of plain BOOTP."""
        value = self.options.get(_TYPE, b"")
        return value[0] if len(value) == 1 else None

    @property
    def server(self) -> IPv4Address | None:
        """The server identifier."""
        return next(iter(self._addresses(_SERVER)), None)

    @property
    def routers(self) -> tuple[IPv4Address, ...]:
        """The default gateways, in order of preference."""
        return self._addresses(_ROUTER)

    @property
    def dns(self) -> tuple[IPv4Address, ...]:
        """The DNS servers, in order of preference."""
        return self._addresses(_DNS)

    @property
    def offered(self) -> IPv4Interface:
        """``yiaddr`` with the length of the subnet mask; /32 when there is no mask, or none that is one."""
        mask = next((int(mask) for mask in self._addresses(_MASK)), 0xFFFFFFFF)
        host = mask ^ 0xFFFFFFFF
        return IPv4Interface((int(self.yiaddr), 32 if host & (host + 1) else 32 - host.bit_length()))

    @property
    def lease(self) -> int | None:
        """The lease time in seconds; 4,294,967,295 is for ever."""
        value = self.options.get(_LEASE, b"")
        return int.from_bytes(value, "big") if len(value) == 4 else None

    @property
    def relay_information(self) -> Mapping[int, bytes]:
        """The suboptions of relay agent information: 1 the circuit id, 2 the remote id (RFC 3046). A relay takes them
        off before a client sees the answer."""
        return dict(_options(self.options.get(_RELAY, b""), pads=False))

    def _addresses(self, code: int) -> tuple[IPv4Address, ...]:
        value = self.options.get(code, b"")
        return tuple(IPv4Address(value[i : i + 4]) for i in range(0, len(value) - 3, 4))


def parse(payload: bytes) -> Message | None:
    """The message in a UDP payload; None when it is none. Options end where one is cut short."""
    if len(payload) < _FIXED_BYTES or payload[0] not in (_BOOTREQUEST, _BOOTREPLY):
        return None
    op, _, length, _, xid = struct.unpack_from("!BBBBI", payload)
    client, your, server, relay = (IPv4Address(payload[i : i + 4]) for i in range(12, 28, 4))
    options: dict[int, bytes] = {}
    if payload[_FIXED_BYTES : _FIXED_BYTES + 4] == _COOKIE:
        _join(options, payload[_FIXED_BYTES + 4 :])
        overload = options.get(_OVERLOAD, b"\0")[:1]
        if overload and overload[0] & _FILE:
            _join(options, payload[108:236])
        if overload and overload[0] & _SNAME:
            _join(options, payload[44:108])
    return Message(op, xid, payload[28 : 28 + min(length, 16)], client, your, server, relay, options)


def _join(options: dict[int, bytes], field: bytes) -> None:
    for code, value in _options(field, pads=True):
        options[code] = options.get(code, b"") + value


def _options(field: bytes, *, pads: bool) -> Iterator[tuple[int, bytes]]:
    """Code and value of each option. ``pads`` says that PAD and END mean what they mean in a message."""
    at = 0
    while at < len(field):
        code = field[at]
        if pads and code == _END:
            return
        if pads and code == _PAD:
            at += 1
            continue
        if at + 2 > len(field) or at + 2 + field[at + 1] > len(field):
            return
        yield code, field[at + 2 : at + 2 + field[at + 1]]
        at += 2 + field[at + 1]


def discover(xid: int, mac: bytes) -> bytes:
    """A DHCPDISCOVER from an Ethernet address: asks that the answer be broadcast, names its client by the address, and
    asks for what an office's computer would. A server takes note of it and leases nothing (RFC 2131, section 4.3.1)."""
    wanted = bytes((_MASK, _ROUTER, _DNS, _NAME, _DOMAIN, _NTP, _LEASE, _SERVER, _RENEW, _REBIND))
    options = b"".join(
        bytes((code, len(value))) + value
        for code, value in (
            (_TYPE, bytes((DISCOVER,))),
            (_CLIENT, b"\x01" + mac),
            (_MOST, struct.pack("!H", 1472)),
            (_WANTED, wanted),
        )
    )
    fixed = struct.pack("!BBBBIHH16x16s192x", _BOOTREQUEST, 1, 6, 0, xid, 0, _BROADCAST, mac)
    return (fixed + _COOKIE + options + bytes((_END,))).ljust(_LEAST_BYTES, b"\0")
