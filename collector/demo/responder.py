"""An SNMPv2c command responder without sockets: a datagram and a moment in, a datagram out (RFC 3416, 4.2).

BER and the SNMP types are pysnmp's and pyasn1's. pysnmp's own ``Message`` makes an object for every field of every
variable, 0.2 ms of CPU each; here the variables are encoded one by one, those that never change once, and a list of
names that is asked again and again is decoded once.
"""

from __future__ import annotations

import functools
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]  # pyasn1 ships no types
from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]  # pyasn1 ships no types
from pyasn1.type import namedtype, tag, univ  # type: ignore[import-untyped]  # pyasn1 ships no types
from pysnmp.proto import rfc1905  # type: ignore[import-untyped]  # pysnmp ships no types

Oid = tuple[int, ...]
Value = Any
"""A value of one of pysnmp's SNMP types (``pysnmp.proto.rfc1902``)."""

MAX_BYTES: Final = 1400
"""The largest answer: it fits one packet through any tunnel."""
_ENVELOPE: Final = 48
"""What an answer takes at most beside the community and the variables: heads and three integers."""

_V2C: Final = 1
_TOO_BIG: Final = 1
_NO_ACCESS: Final = 6


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is asked, and since when the device runs: Unix ms, ``at`` ≥ ``booted_at``."""

    at: int
    booted_at: int


Read = Callable[[Moment], Value]


class View:
    """The variables of a device in the order of their names. A value is either constant or read at each answer."""

    def __init__(self, variables: Mapping[Oid, Value | Read]) -> None:
        self.names: Final[tuple[Oid, ...]] = tuple(sorted(variables))
        self._place = {name: place for place, name in enumerate(self.names)}
        self._objects = frozenset(name[:-1] for name in self.names)
        self._reads: list[Read | None] = []
        self._encoded: list[Any] = []
        for name in self.names:
            value = variables[name]
            self._reads.append(value if callable(value) else None)
            encoded_name = _encoded_name(name)
            self._encoded.append(encoded_name if callable(value) else _variable(encoded_name, value))

    def get(self, name: Oid, moment: Moment) -> Any:
        """The encoded variable of exactly this name, or noSuchInstance or noSuchObject under it (RFC 3416, 4.2.1)."""
        place = self._place.get(name)
        if place is not None:
            return self._read(place, moment)
        known = any(name[:end] in self._objects for end in range(len(name), 0, -1))
        return _variable(_encoded_name(name), rfc1905.noSuchInstance if known else rfc1905.noSuchObject)

    def next(self, name: Oid, moment: Moment) -> tuple[Oid, Any]:
        """The first variable after a name, with its name; or the same name with endOfMibView (RFC 3416, 4.2.2)."""
        place = bisect_right(self.names, name)
        if place < len(self.names):
            return self.names[place], self._read(place, moment)
        return name, _variable(_encoded_name(name), rfc1905.endOfMibView)

    def ends_at(self, name: Oid) -> bool:
        """Whether nothing comes after a name."""
        return not self.names or name >= self.names[-1]

    def _read(self, place: int, moment: Moment) -> Any:
        read = self._reads[place]
        return self._encoded[place] if read is None else _variable(self._encoded[place], read(moment))


def respond(datagram: bytes, community: bytes, view: View, moment: Moment) -> bytes | None:
    """The answer to a datagram. None, which is silence, when it is not a request in SNMPv2c with this community."""
    try:
        message, _ = decoder.decode(datagram, asn1Spec=_REQUEST)
        kind = message["data"].getName()
        pdu = message["data"][kind]
        names = _names_in(bytes(pdu["variables"]))
    except (PyAsn1Error, ValueError, IndexError):  # IndexError: pyasn1, where an indefinite length does not end
        return None
    if int(message["version"]) != _V2C or bytes(message["community"]) != community:
        return None
    request_id, room = int(pdu["request-id"]), MAX_BYTES - _ENVELOPE - len(community)
    if kind == "set":
        echo = [_variable(_encoded_name(name), univ.Null("")) for name in names]
        return _response(community, request_id, echo, _NO_ACCESS, 1 if names else 0)
    if kind == "bulk":
        rows = _bulk(view, names, int(pdu["second"]), int(pdu["third"]), moment)
        return _response(community, request_id, list(_fitting(rows, room)))
    if kind == "get":
        variables = [view.get(name, moment) for name in names]
    else:
        variables = [view.next(name, moment)[1] for name in names]
    if sum(map(len, variables)) > room:
        return _response(community, request_id, [], _TOO_BIG)
    return _response(community, request_id, variables)


def _bulk(view: View, names: Sequence[Oid], non_repeaters: int, repetitions: int, moment: Moment) -> Iterator[Any]:
    """The variables of a GetBulk (RFC 3416, 4.2.3), as many as were asked for."""
    once = max(0, min(non_repeaters, len(names)))
    for name in names[:once]:
        yield view.next(name, moment)[1]
    row = list(names[once:])
    for _ in range(max(0, repetitions) if row else 0):
        ended = all(map(view.ends_at, row))
        for column, name in enumerate(row):
            row[column], variable = view.next(name, moment)
            yield variable
        if ended:
            return


def _fitting(variables: Iterator[Any], room: int) -> Iterator[Any]:
    for variable in variables:
        room -= len(variable)
        if room < 0:
            return
        yield variable


# The wire. A list of variables is held as encoded bytes (ANY), which pyasn1 passes through as they are.


def _pdu(number: int) -> Any:
    """A PDU (RFC 3416, 3). The second and third fields are error-status and error-index, or those of a GetBulk."""
    return univ.Sequence(
        componentType=namedtype.NamedTypes(
            namedtype.NamedType("request-id", univ.Integer()),
            namedtype.NamedType("second", univ.Integer()),
            namedtype.NamedType("third", univ.Integer()),
            namedtype.NamedType("variables", univ.Any()),
        )
    ).subtype(implicitTag=tag.Tag(tag.tagClassContext, tag.tagFormatConstructed, number))


def _message(data: Any) -> Any:
    return univ.Sequence(
        componentType=namedtype.NamedTypes(
            namedtype.NamedType("version", univ.Integer()),
            namedtype.NamedType("community", univ.OctetString()),
            namedtype.NamedType("data", data),
        )
    )


_REQUEST: Final = _message(
    univ.Choice(
        componentType=namedtype.NamedTypes(
            namedtype.NamedType("get", _pdu(0)),
            namedtype.NamedType("next", _pdu(1)),
            namedtype.NamedType("set", _pdu(3)),
            namedtype.NamedType("bulk", _pdu(5)),
        )
    )
)
_RESPONSE: Final = _message(_pdu(2))
_VARIABLES: Final = univ.SequenceOf(
    componentType=univ.Sequence(
        componentType=namedtype.NamedTypes(
            namedtype.NamedType("name", univ.ObjectIdentifier()),
            namedtype.NamedType("value", univ.Any()),
        )
    )
)


@functools.lru_cache(maxsize=2048)
def _names_in(variables: bytes) -> tuple[Oid, ...]:
    """The names in an encoded VarBindList. Raises PyAsn1Error."""
    return tuple(tuple(variable["name"]) for variable in decoder.decode(variables, asn1Spec=_VARIABLES)[0])


@functools.lru_cache(maxsize=8192)
def _encoded_name(name: Oid) -> Any:
    return univ.Any(encoder.encode(univ.ObjectIdentifier(name)))


def _variable(name: Any, value: Value) -> Any:
    """A VarBind, encoded, of an encoded name."""
    pair = univ.Sequence()
    pair[0], pair[1] = name, value
    return univ.Any(encoder.encode(pair))


def _response(community: bytes, request_id: int, variables: Sequence[Any], status: int = 0, index: int = 0) -> bytes:
    listed = univ.SequenceOf(componentType=univ.Any())
    listed.extend(variables)
    message = _RESPONSE.clone()
    message["version"], message["community"] = _V2C, community
    pdu = message["data"]
    pdu["request-id"], pdu["second"], pdu["third"] = request_id, status, index
    pdu["variables"] = encoder.encode(listed)
    return bytes(encoder.encode(message))
