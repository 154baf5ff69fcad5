"""DNS messages: a query as bytes, and a response from bytes (RFC 1035, section 4; RFC 6891 for EDNS)."""

from __future__ import annotations

import dataclasses
import struct
from typing import Final

from checks.dns.name import read, to_wire
from checks.dns.record import TYPES, Record, read_data

UDP_BYTES: Final = 1232
"""What a response over UDP may take without being broken into fragments on the way (DNS flag day 2020)."""

RCODES: Final = {
    0: "NOERROR",
    1: "FORMERR",
    2: "SERVFAIL",
    3: "NXDOMAIN",
    4: "NOTIMP",
    5: "REFUSED",
    9: "NOTAUTH",
    16: "BADVERS",
    23: "BADCOOKIE",
}
"""IANA's registry of DNS parameters."""

_HEADER: Final = struct.Struct("!6H")
_RECORD: Final = struct.Struct("!HHIH")
_IN: Final = 1
_OPT: Final = 41
_QR, _AA, _TC, _RD, _RA, _AD = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080, 0x0020
_DO: Final = 0x8000  # of the OPT record's flags (RFC 3225)
_EDE: Final = 15


@dataclasses.dataclass(frozen=True)
class Query:
    """What is asked. With ``dnssec`` the response says by its AD bit whether it was validated (RFC 6840, section 5.7);
    without ``edns`` it is a query as before 1999."""

    id: int
    name: str
    type: str
    recursion: bool = True
    dnssec: bool = False
    edns: bool = True

    def pack(self) -> bytes:
        """The message. Raises ValueError when the name is none."""
        flags = (_RD if self.recursion else 0) | (_AD if self.dnssec else 0)
        header = _HEADER.pack(self.id, flags, 1, 0, 0, int(self.edns))
        question = to_wire(self.name) + struct.pack("!HH", TYPES[self.type], _IN)
        return header + question + (self._opt() if self.edns else b"")

    def _opt(self) -> bytes:
        """RFC 6891, section 6.1.2: a record of the root whose class is our buffer and whose TTL holds flags."""
        return b"\0" + _RECORD.pack(_OPT, UDP_BYTES, _DO if self.dnssec else 0, 0)


@dataclasses.dataclass(frozen=True)
class Response:
    """What a server answered. ``question`` is what it says it was asked: name and type, None without one.
    ``extended`` are the Extended DNS Errors: their code and text (RFC 8914). ``edns`` says that it speaks EDNS."""

    id: int
    rcode: int
    question: tuple[str, int] | None
    answer: tuple[Record, ...] = ()
    authoritative: bool = False
    truncated: bool = False
    recursion: bool = False
    authentic: bool = False
    edns: bool = False
    extended: tuple[tuple[int, str], ...] = ()

    @property
    def rcode_name(self) -> str:
        """NOERROR, NXDOMAIN, …; the number where it has no name."""
        return RCODES.get(self.rcode, f"RCODE{self.rcode}")

    def data(self, name: str, kind: str) -> tuple[Record, ...]:
        """The records of a type at the end of the chain of aliases that begins at a name (RFC 1034, section 3.6.2)."""
        at = read(to_wire(name), 0)[0]
        aliases = {record.name: record.data for record in self.answer if record.type == TYPES["CNAME"]}
        for _ in aliases:
            if kind == "CNAME" or at not in aliases:
                break
            at = aliases[at]
        return tuple(record for record in self.answer if record.type == TYPES[kind] and record.name == at)


def answers(query: Query, response: Response) -> bool:
    """Whether a response is to this query, and not a late or forged one (RFC 5452, section 9.1)."""
    asked = (read(to_wire(query.name), 0)[0], TYPES[query.type])
    return response.id == query.id and response.question in (asked, None if response.rcode else asked)


def parse(message: bytes) -> Response:
    """A response from bytes; of one that is truncated, what is whole. Raises ValueError that says what is wrong."""
    try:
        return _parse(message)
    except (IndexError, struct.error) as error:
        raise ValueError("a message that is cut off") from error


def _parse(message: bytes) -> Response:
    number, flags, questions, answer_count, authority_count, additional_count = _HEADER.unpack_from(message)
    if not flags & _QR:
        raise ValueError("a query, not a response")
    at, question = _HEADER.size, None
    for _ in range(questions):
        name, at = read(message, at)
        kind, _class = struct.unpack_from("!HH", message, at)
        question, at = question or (name, kind), at + 4
    found = Response(
        number,
        flags & 0xF,
        question,
        authoritative=bool(flags & _AA),
        truncated=bool(flags & _TC),
        recursion=bool(flags & _RA),
        authentic=bool(flags & _AD),
    )
    if found.truncated:
        return found  # it is asked again over TCP
    answer = []
    for index in range(answer_count + authority_count + additional_count):
        name, at = read(message, at)
        kind, of_class, ttl, length = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        if at + length > len(message):
            raise ValueError("a record that is cut off")
        if kind == _OPT:
            found = dataclasses.replace(
                found,
                edns=True,
                rcode=found.rcode | ttl >> 24 << 4,
                extended=_extended(message[at : at + length]),
            )
        elif index < answer_count and of_class == _IN:
            answer.append(Record(name, kind, ttl, read_data(message, at, length, kind)))
        at += length
    return dataclasses.replace(found, answer=tuple(answer))


def _extended(options: bytes) -> tuple[tuple[int, str], ...]:
    found, at = [], 0
    while at + 4 <= len(options):
        code, length = struct.unpack_from("!HH", options, at)
        value = options[at + 4 : at + 4 + length]
        if code == _EDE and len(value) >= 2:
            found.append((int.from_bytes(value[:2]), value[2:].decode(errors="replace").rstrip("\0")))
        at += 4 + length
    return tuple(found)
