"""BER as SNMP needs it: enough for a device that answers from a recording."""

from __future__ import annotations

import functools
import socket

Oid = tuple[int, ...]

INTEGER, OCTETS, NULL, OBJECT, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
GET, NEXT, RESPONSE, BULK, REPORT = 0xA0, 0xA1, 0xA2, 0xA5, 0xA8
NO_SUCH_INSTANCE, END_OF_VIEW = bytes((0x81, 0)), bytes((0x82, 0))


def tlv(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 128:
        return bytes((tag, size)) + content
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(digits))) + digits + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    return tlv(tag, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


@functools.lru_cache(maxsize=1 << 16)
def oid(numbers: Oid) -> bytes:
    octets = bytearray()
    for number in (numbers[0] * 40 + numbers[1], *numbers[2:]):
        digits = [number & 127]
        while number := number >> 7:
            digits.append(number & 127 | 128)
        octets += bytes(reversed(digits))
    return tlv(OBJECT, bytes(octets))


def read(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag and content of what begins here, and where it ends."""
    tag, size, begin = data[at], data[at + 1], at + 2
    if size & 128:
        count = size & 127
        size, begin = int.from_bytes(data[begin : begin + count], "big"), begin + count
    if begin + size > len(data):
        raise ValueError("cut short")
    return tag, data[begin : begin + size], begin + size


def children(data: bytes) -> list[tuple[int, bytes]]:
    """Everything inside a sequence."""
    found, at = [], 0
    while at < len(data):
        tag, content, at = read(data, at)
        found.append((tag, content))
    return found


def number(content: bytes) -> int:
    return int.from_bytes(content, "big", signed=True)


def numbers(content: bytes) -> Oid:
    """The numbers of an OBJECT IDENTIFIER."""
    found, value = list(divmod(content[0], 40)), 0
    for octet in content[1:]:
        value = value << 7 | octet & 127
        if not octet & 128:
            found.append(value)
            value = 0
    return tuple(found)


def value(tag: int, content: bytes | str | int) -> bytes:
    """A value by its tag: an int for the counting types, a dotted text for OIDs and addresses, octets for the rest."""
    if isinstance(content, int):
        return integer(content, tag)
    if isinstance(content, str):
        if tag == OBJECT:
            return oid(tuple(map(int, content.strip(".").split("."))))
        return tlv(tag, socket.inet_aton(content))
    return tlv(tag, content)
