"""Resource records: their types, and their data as people write it (RFC 1035, sections 3.3 and 5.1)."""

from __future__ import annotations

import dataclasses
import ipaddress
import struct
from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, Literal, get_args

from checks.dns.name import read, to_wire

Type = Literal["A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "MX", "NS", "PTR", "SOA", "SRV", "TXT"]

TYPES: Final[Mapping[str, int]] = {
    "A": 1,
    "NS": 2,
    "CNAME": 5,
    "SOA": 6,
    "PTR": 12,
    "MX": 15,
    "TXT": 16,
    "AAAA": 28,
    "SRV": 33,
    "DS": 43,
    "DNSKEY": 48,
    "CAA": 257,
}
"""IANA's registry of DNS parameters."""

assert set(TYPES) == set(get_args(Type))


@dataclasses.dataclass(frozen=True)
class Record:
    """A record: ``name`` as :func:`checks.dns.name.read` gives it, ``type`` its number, ``ttl`` in s, ``data`` as text,
    in the form of :func:`normal`."""

    name: str
    type: int
    ttl: int
    data: str


def read_data(message: bytes, at: int, length: int, kind: int) -> str:
    """The data of a record at a place of a message, as text. Types that are not known are shown as RFC 3597,
    section 5, has it. Raises ValueError, IndexError or struct.error when it is malformed."""
    reader = _READERS.get(kind)
    if reader is None:
        return f"\\# {length} {message[at : at + length].hex()}".strip()
    return reader(message, at, length)


def normal(kind: Type, text: str) -> str:
    """Data that a person wrote, in the one form in which it can be compared: addresses shortest, names in lower case
    without the last dot, text without quotes. Raises ValueError that says what was expected."""
    try:
        match kind:
            case "A":
                return str(ipaddress.IPv4Address(text))
            case "AAAA":
                return str(ipaddress.IPv6Address(text))
            case "NS" | "CNAME" | "PTR":
                return _name(text)
            case "MX" | "SRV":
                *numbers, name = text.split()
                if len(numbers) == (1 if kind == "MX" else 3):
                    return " ".join([*(str(int(number)) for number in numbers), _name(name)])
                raise ValueError(f"{text!r}: expected {_FORMS[kind]}")
            case "SOA":
                primary, contact, *numbers = text.split()
                return " ".join([_name(primary), _name(contact), *(str(int(number)) for number in numbers)])
            case "TXT":
                return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
            case "DS" | "DNSKEY" | "CAA":
                return " ".join(text.split())
    except ValueError as error:
        raise ValueError(f"{kind} record: {error}") from error


_FORMS: Final = {"MX": "a preference and a name", "SRV": "priority, weight, port and a name"}


def _name(text: str) -> str:
    return read(to_wire(text), 0)[0]


def _a(message: bytes, at: int, length: int) -> str:
    return str(ipaddress.IPv4Address(message[at : at + length]))


def _aaaa(message: bytes, at: int, length: int) -> str:
    return str(ipaddress.IPv6Address(message[at : at + length]))


def _one_name(message: bytes, at: int, _: int) -> str:
    return read(message, at)[0]


def _mx(message: bytes, at: int, _: int) -> str:
    return f"{int.from_bytes(message[at : at + 2])} {read(message, at + 2)[0]}"


def _srv(message: bytes, at: int, _: int) -> str:
    """RFC 2782."""
    priority, weight, port = struct.unpack_from("!3H", message, at)
    return f"{priority} {weight} {port} {read(message, at + 6)[0]}"


def _soa(message: bytes, at: int, _: int) -> str:
    primary, at = read(message, at)
    contact, at = read(message, at)
    numbers = struct.unpack_from("!5I", message, at)
    return " ".join([primary, contact, *map(str, numbers)])


def _txt(message: bytes, at: int, length: int) -> str:
    """The strings of a TXT joined, as those who use them do (RFC 7208, section 3.3)."""
    said, end = b"", at + length
    while at < end:
        said += message[at + 1 : min(at + 1 + message[at], end)]
        at += 1 + message[at]
    return said.decode(errors="replace")


def _caa(message: bytes, at: int, length: int) -> str:
    """RFC 8659, section 4.1."""
    flags, size = message[at], message[at + 1]
    tag = message[at + 2 : at + 2 + size].decode("ascii", "replace")
    return f'{flags} {tag} "{message[at + 2 + size : at + length].decode(errors="replace")}"'


def _ds(message: bytes, at: int, length: int) -> str:
    """RFC 4034, section 5.3."""
    tag, algorithm, digest = struct.unpack_from("!HBB", message, at)
    return f"{tag} {algorithm} {digest} {message[at + 4 : at + length].hex().upper()}"


def _dnskey(message: bytes, at: int, length: int) -> str:
    """RFC 4034, section 2.2."""
    flags, protocol, algorithm = struct.unpack_from("!HBB", message, at)
    return f"{flags} {protocol} {algorithm} {b64encode(message[at + 4 : at + length]).decode()}"


_READERS: Final[Mapping[int, Callable[[bytes, int, int], str]]] = {
    TYPES["A"]: _a,
    TYPES["AAAA"]: _aaaa,
    TYPES["CAA"]: _caa,
    TYPES["CNAME"]: _one_name,
    TYPES["DNSKEY"]: _dnskey,
    TYPES["DS"]: _ds,
    TYPES["MX"]: _mx,
    TYPES["NS"]: _one_name,
    TYPES["PTR"]: _one_name,
    TYPES["SOA"]: _soa,
    TYPES["SRV"]: _srv,
    TYPES["TXT"]: _txt,
}
