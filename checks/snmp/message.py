"""The outside of an SNMPv3 message (RFC 3412, 6; RFC 3414, 2.4): what is read before anything in it may be believed.
Pure."""

from __future__ import annotations

from typing import Final

import msgspec

AUTH: Final = 1
PRIV: Final = 2
"""Of msgFlags."""

_INTEGER, _OCTETS, _OBJECT, _SEQUENCE, _REPORT = 0x02, 0x04, 0x06, 0x30, 0xA8
_USM_STATS: Final = bytes.fromhex("2b060106030f0101")
"""1.3.6.1.6.3.15.1.1, usmStats, as BER writes it."""


class Message(msgspec.Struct, frozen=True):
    """One message. ``level`` is AUTH and PRIV of its flags. ``mac`` is msgAuthenticationParameters and ``mac_at`` where
    they begin. ``report`` is the usmStats counter, 1 to 6, of a Report that is not encrypted; 0 for anything else."""

    id: int
    level: int
    engine: bytes
    boots: int
    time: int
    user: bytes
    mac: bytes
    mac_at: int
    report: int


def parse(data: bytes) -> Message:
    """The message of a datagram. Raises ValueError when it is none of SNMPv3 with the User-based Security Model."""
    message = _Elements(data, 0, len(data)).inside(_SEQUENCE)
    if message.number() != 3:
        raise ValueError("not SNMPv3")
    head = message.inside(_SEQUENCE)
    number, _, flags = head.number(), head.number(), head.take(_OCTETS)
    if len(flags) != 1 or head.number() != 3:
        raise ValueError("not the User-based Security Model")
    security = message.inside(_OCTETS).inside(_SEQUENCE)
    engine, boots, time, user = security.take(_OCTETS), security.number(), security.number(), security.take(_OCTETS)
    mac = security.take(_OCTETS)
    level = flags[0] & (AUTH | PRIV)
    report = 0 if level & PRIV else _report(message.inside(_SEQUENCE))
    return Message(number, level, engine, boots, time, user, mac, security.begin - len(mac), report)


def _report(scoped: _Elements) -> int:
    """Which usmStats counter the first variable of a ScopedPDU is, if that holds a Report."""
    scoped.take(_OCTETS)
    scoped.take(_OCTETS)
    if scoped.tag != _REPORT:
        return 0
    pdu = scoped.inside(_REPORT)
    for _ in range(3):
        pdu.number()
    name = pdu.inside(_SEQUENCE).inside(_SEQUENCE).take(_OBJECT)
    return name[len(_USM_STATS)] if name.startswith(_USM_STATS) and len(name) > len(_USM_STATS) else 0


class _Elements:
    """The elements of BER (X.690) between two places of a datagram, taken one after the other."""

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self.begin = begin
        self._data, self._end = data, end

    @property
    def tag(self) -> int:
        """Of the next element; -1 at the end."""
        return self._data[self.begin] if self.begin < self._end else -1

    def inside(self, tag: int) -> _Elements:
        """The elements in the next one."""
        begin = self._step(tag)
        return _Elements(self._data, begin, self.begin)

    def take(self, tag: int) -> bytes:
        """The content of the next element."""
        begin = self._step(tag)
        return self._data[begin : self.begin]

    def number(self) -> int:
        return int.from_bytes(self.take(_INTEGER), signed=True)

    def _step(self, tag: int) -> int:
        """Goes past the next element, and says where its content begins."""
        if self.tag != tag or self.begin + 2 > self._end:
            raise ValueError(f"expected an element {tag:#04x} at octet {self.begin}")
        size, begin = self._data[self.begin + 1], self.begin + 2
        if size & 0x80:
            more = size & 0x7F
            size, begin = int.from_bytes(self._data[begin : begin + more]), begin + more
        if begin + size > self._end:
            raise ValueError(f"the element at octet {self.begin} is cut off")
        self.begin = begin + size
        return begin
