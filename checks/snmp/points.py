"""What is read of a device again and again: instances found once, and how their values are to be understood. Pure."""

from __future__ import annotations

import functools
import ipaddress
import math
import re
from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from checks.snmp.reader import Value
from checks.snmp.tables import text
from checks.snmp.vocabulary import Class, Convert, Sensor, Severity, compiled

Values = Mapping[str, Value]

MAX_NAME: Final = 255
_NUMBER: Final = re.compile(r"\s*([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\.?\d)")


class Gauge(msgspec.Struct, frozen=True):
    """A number as read, in the unit of its kind. ``oid`` is where it came from."""

    kind: Class
    name: str
    value: float
    oid: str


class Pool(msgspec.Struct, frozen=True):
    """A pool of memory. ``percent`` is in use; ``used`` and ``total`` are bytes, None when only % is told."""

    name: str
    percent: float
    used: float | None
    total: float | None
    oid: str


class Condition(msgspec.Struct, frozen=True):
    """A state. ``word`` is what the MIB calls it, ``code`` its number there."""

    name: str
    severity: Severity
    word: str
    code: str
    oid: str


class Relation(msgspec.Struct, frozen=True):
    """A session with a peer. ``since`` is seconds since it came up; ``wanted`` is false when it was switched off."""

    kind: Literal["bgp", "bfd", "ospf", "ipsec"]
    name: str
    severity: Severity
    word: str
    code: str
    peer: str
    asn: int | None
    since: float | None
    wanted: bool
    oid: str


Reading = Gauge | Pool | Condition | Relation


class SensorPoint(msgspec.Struct, frozen=True):
    """Where a number is read. ``factor`` turns it into the unit of its kind; ``of`` is the OID of what it is a part of,
    or empty."""

    kind: Class
    name: str
    oid: str
    factor: float
    of: str
    rule: Sensor

    @property
    def oids(self) -> tuple[str, ...]:
        return (self.oid, self.of) if self.of else (self.oid,)

    def read(self, values: Values) -> Gauge | None:
        raw = decimal(taken(values.get(self.oid), self.rule.pattern))
        if raw is None or not self.rule.holds(raw):
            return None
        value = converted(raw * self.factor, self.rule.convert, decimal(values.get(self.of)))
        return None if value is None else Gauge(self.kind, self.name, value, self.oid)


class StatePoint(msgspec.Struct, frozen=True):
    """Where a state is read."""

    name: str
    oid: str
    states: Mapping[str, str]

    @property
    def oids(self) -> tuple[str, ...]:
        return (self.oid,)

    def read(self, values: Values) -> Condition | None:
        code = text(values.get(self.oid))
        severity, word = meaning(code, self.states)
        if not code or severity == "empty":
            return None
        return Condition(self.name, severity, word, code, self.oid)


class MemoryPoint(msgspec.Struct, frozen=True):
    """Where a pool of memory is read; what is empty the device does not tell. ``unit`` is bytes."""

    name: str
    used: str
    free: str
    total: str
    percent: str
    less: tuple[str, ...]
    unit: float
    idle: bool

    @property
    def oids(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.used, self.free, self.total, self.percent, *self.less)))

    def read(self, values: Values) -> Pool | None:
        def of(oid: str) -> float | None:
            number = decimal(values.get(oid)) if oid else None
            return None if number is None else unsigned(number)

        used, free, total, percent = map(of, (self.used, self.free, self.total, self.percent))
        if total is None and used is not None and free is not None:
            total = used + free
        if used is None and total is not None and free is not None:
            used = total - free
        if percent is not None:
            percent = 100 - percent if self.idle else percent
            used = total * percent / 100 if total else None
            return Pool(self.name, percent, _times(used, self.unit), _times(total or None, self.unit), self.percent)
        if used is not None and self.less:
            # The parts are not measured in the same moment as the whole, so they may be more.
            used = max(0.0, used - sum(of(oid) or 0.0 for oid in self.less))
        if used is None or not total:
            return None
        oid = self.used or self.free
        return Pool(self.name, 100 * used / total, used * self.unit, total * self.unit, oid)


class SessionPoint(msgspec.Struct, frozen=True):
    """Where a session is read. ``asn``, ``since`` and ``admin`` are OIDs, or empty."""

    kind: Literal["bgp", "bfd", "ospf", "ipsec"]
    name: str
    peer: str
    oid: str
    states: Mapping[str, str]
    asn: str
    since: str
    admin: str
    disabled: tuple[str, ...]

    @property
    def oids(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.oid, self.asn, self.since, self.admin)))

    def read(self, values: Values) -> Relation | None:
        code = text(values.get(self.oid))
        severity, word = meaning(code, self.states)
        if not code or severity == "empty":
            return None
        asn = decimal(values.get(self.asn))
        return Relation(
            self.kind,
            self.name,
            severity,
            word,
            code,
            self.peer,
            None if asn is None else int(unsigned(asn)),
            decimal(values.get(self.since)),
            text(values.get(self.admin)) not in self.disabled,
            self.oid,
        )


Point = SensorPoint | StatePoint | MemoryPoint | SessionPoint


def read_all(points: Iterable[Point], values: Values) -> tuple[Reading, ...]:
    """What the values say, in the order of the points."""
    return tuple(reading for point in points if (reading := point.read(values)) is not None)


def meaning(code: str, states: Mapping[str, str]) -> tuple[Severity, str]:
    """How bad a value is, and what it is called; a value that the profile does not know is its own name."""
    found = states.get(code, states.get("*"))
    if found is None:
        return "unknown", code
    severity, _, word = found.partition(" ")
    return severity, word or code  # type: ignore[return-value]  # the vocabulary admits no other


def taken(value: Value, pattern: str) -> Value:
    """What the group of a pattern matches in a value; the value itself without a pattern, None without a match."""
    if not pattern:
        return value
    matched = compiled(pattern).search(text(value))
    return matched[1] if matched else None


def decimal(value: Value) -> float | None:
    """A number, or what a text begins with: ``12.5 C`` is 12.5. None for anything else."""
    if isinstance(value, int | float):
        return float(value)
    if value is None:
        return None
    found = _NUMBER.match(text(value))
    return float(found[1]) if found else None


def unsigned(value: float) -> float:
    """A size or number that a device sent as a negative Integer32, because it has over 31 bits."""
    return value + 2**32 if -(2**31) <= value < 0 else value


def converted(value: float, how: Convert, of: float | None = None) -> float | None:
    """A value in the unit that is shown. None where it has none: no light at all has no dBm."""
    match how:
        case "idle":
            return 100 - value
        case "uW" | "W":
            return 10 * math.log10(value / (1000 if how == "uW" else 0.001)) if value > 0 else None
        case "fahrenheit":
            return (value - 32) / 1.8
        case "share":
            return 100 * value / of if of else None
        case "lost":
            return 100 * (of - value) / of if of else None
    return value


@functools.lru_cache(maxsize=4096)
def address_in(index: str, form: str) -> str:
    """The address in a part of an index: 4 numbers (``ipv4``), or an InetAddressType, a length and the numbers
    (``inet``). Empty when there is none."""
    numbers = [int(number) for number in index.split(".") if number]
    if form == "inet":
        if len(numbers) < 2:
            return ""
        numbers = numbers[2 : 2 + numbers[1]]
    elif form == "ipv4":
        numbers = numbers[:4]
    return address(bytes(numbers)) if all(number < 256 for number in numbers) else ""


def address(value: Value) -> str:
    """An IpAddress, an InetAddress in octets, or a text that holds one, in its usual form. Empty for none."""
    if isinstance(value, bytes) and len(value) in (4, 16, 8, 20):
        octets = value[:16] if len(value) >= 16 else value[:4]  # with a zone index behind it (RFC 4001, 4.1)
        if len(value) in (4, 16) or not value.isascii():
            return str(ipaddress.ip_address(octets))
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError:
        return ""


def words(value: Value) -> str:
    """A name, of at most MAX_NAME characters; octets that are no text, as a chassis' MAC address, in hexadecimal."""
    if isinstance(value, bytes):
        value = value.rstrip(b"\0")
        shown = text(value)
        if len(value) <= 8 and not (value.isascii() and shown) and not any(c.isalpha() for c in _decoded(value)):
            return value.hex(":")
        return shown[:MAX_NAME]
    return text(value)[:MAX_NAME]


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return ""


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
