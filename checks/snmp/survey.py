"""What a device has of what its profile names: rules in, points out.

A survey walks one column of each rule and asks for what belongs to its rows by GET. It is done when the device is first
seen and anew now and then; between, its points are read by GET alone. A slow device is surveyed over several runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec

from checks.errors import CheckError
from checks.snmp.points import (
    MemoryPoint,
    Point,
    SensorPoint,
    SessionPoint,
    StatePoint,
    Values,
    address,
    address_in,
    decimal,
    taken,
    words,
)
from checks.snmp.reader import SnmpReader, Value
from checks.snmp.rows import Row, Rows
from checks.snmp.vocabulary import (
    AnyRule,
    Class,
    Fact,
    Memory,
    Neighbour,
    Sensor,
    Session,
    State,
    compiled,
    cut,
    ref,
    slice_of,
)

MAX_POINTS: Final = 2000
"""Of one device; more rows than this are left out."""
PATIENCE: Final = 300.0
"""Seconds before a rule is read anew because rows of it are gone: a tunnel that was rekeyed has another index."""


class Adjacency(msgspec.Struct, frozen=True):
    """A neighbour on a cable, as LLDP or CDP heard it: ``local`` is the interface here."""

    kind: str
    local: str
    name: str
    port: str


class Identity(msgspec.Struct, frozen=True):
    """A text that identifies the device: its model, serial number or software version."""

    fact: str
    text: str


Found = Point | Adjacency | Identity


class Survey:
    """How far the reading of a profile has come. It lives in the job's memory."""

    def __init__(self, rules: Sequence[AnyRule]) -> None:
        self._rules = tuple(rules)
        self._found: dict[int, tuple[Found, ...]] = {}
        self._silent: dict[int, str] = {}
        self._todo: list[int] = []
        self._began: float | None = None
        self._read_at: dict[int, float] = {}

    @property
    def silent(self) -> tuple[str, ...]:
        """Columns that the device answered nothing about, although it answers."""
        return tuple(self._silent.values())

    @property
    def complete(self) -> bool:
        """Whether every rule was read once."""
        return not self._todo and self._began is not None

    @property
    def found(self) -> Iterator[Found]:
        """What was found, in the order of the rules."""
        for place in sorted(self._found):
            yield from self._found[place]

    def due(self, now: float, every: float) -> bool:
        """Whether there is something to do: what is left, or everything anew after so many seconds."""
        return bool(self._todo) or self._began is None or now - self._began >= every

    async def advance(self, reader: SnmpReader, now: Callable[[], float], until: float) -> None:
        """Reads rules until a moment, one at least, beginning anew when all are done."""
        if not self._todo:
            self._todo, self._began = list(range(len(self._rules))), now()
        rows = Rows(reader)
        scalars = [one for place in self._todo if (one := ref(leading(self._rules[place]))).at is not None]
        with contextlib.suppress(CheckError):  # it is met again, and told, where one of them is read
            await rows.get(one.instance("") for one in scalars)  # dozens of them in a request
        while self._todo:
            place = self._todo[0]
            try:
                self._found[place] = await self._read(place, rows)
                self._silent.pop(place, None)
            except CheckError as error:
                if not error.answered:
                    raise
                self._skip(place)
            self._todo.pop(0)
            self._read_at[place] = now()
            if now() >= until:
                return

    def look_again(self, values: Values, now: float) -> None:
        """Has the rules read anew of which the device shows a row no more."""
        for place, found in self._found.items():
            gone = any(isinstance(one, Point) and one.oids[0] not in values for one in found)
            if gone and place not in self._todo and now - self._read_at[place] >= PATIENCE:
                self._todo.append(place)

    def give_up(self) -> None:
        """Leaves the rule that took too long until the next survey."""
        if self._todo:
            self._skip(self._todo.pop(0))

    def _skip(self, place: int) -> None:
        self._found.setdefault(place, ())
        self._silent[place] = leading(self._rules[place])

    async def _read(self, place: int, rows: Rows) -> tuple[Found, ...]:
        rule = self._rules[place]
        if any(self._found.get(other) and self._rules[other].gives in rule.lacking for other in range(place)):
            return ()
        others = [one for other, found in self._found.items() if other != place for one in found]
        # BGP4-MIB lists again what the maker's own table tells better.
        told = {(one.kind, one.peer) for one in others if isinstance(one, SessionPoint) and one.peer}
        found = [
            one
            for one in await _read(rule, rows)
            if not (isinstance(one, SessionPoint) and (one.kind, one.peer) in told)
        ]
        return tuple(found)[: max(0, MAX_POINTS - len(others))]


def leading(rule: AnyRule) -> str:
    """The reference whose instances are a rule's rows."""
    return rule.leads if isinstance(rule, Memory) else rule.value


async def _read(rule: AnyRule, rows: Rows) -> list[Found]:
    leads = await rows.of(ref(leading(rule)))
    if isinstance(rule, Sensor):  # of a table of all there is, most rows have no such sensor: ask no more of them
        leads = {index: lead for index, lead in leads.items() if _holds(rule, lead)}
    if not leads:
        return []
    values = await rows.look_up((*rule.where, *rule.unless), leads)
    passed = [i for i in leads if compiled(rule.index).search(i) and Row(i, values).passes(rule)]
    more = await rows.look_up((*rule.name, *_asides(rule)), passed)
    found: list[Found] = []
    for index in passed:
        row = Row(index, more)
        point = _found(rule, row, leads[index])
        # Only what can be read now: a table lists sockets without a module, and modules without a sensor.
        if point is not None:
            found.append(point)
    return found


def _holds(rule: Sensor, lead: Value) -> bool:
    value = decimal(taken(lead, rule.pattern))
    return value is not None and rule.holds(value)


def _asides(rule: AnyRule) -> tuple[str, ...]:
    """What is looked up once of each row, beside its name."""
    match rule:
        case Sensor():
            return tuple(filter(None, (rule.by, rule.scale, rule.precision)))
        case Memory():
            return (rule.unit,) if isinstance(rule.unit, str) else ()
        case Session():
            return (rule.peer,) if rule.peer else ()
        case Neighbour():
            return (*rule.port, *rule.local)
    return ()


def _found(rule: AnyRule, row: Row, lead: Value) -> Found | None:
    match rule:
        case Sensor():
            return _sensor(rule, row)
        case State():
            point = StatePoint(row.name(rule), row.oid(rule.value), rule.states)
            return point if point.read({point.oid: lead}) is not None else None
        case Memory():
            return _memory(rule, row)
        case Session():
            return _session(rule, row)
        case Neighbour():
            name = row.first(rule.name) or words(lead)
            local = row.first(rule.local) or cut(row.index, (1, 2)) or row.index  # LLDP's begins with a time
            return Adjacency(rule.kind, local, name, row.first(rule.port)) if name else None
        case Fact():
            return _identity(rule, words(lead))


def _sensor(rule: Sensor, row: Row) -> SensorPoint | None:
    kind: Class | None = rule.kind
    divide = rule.divide
    if rule.by is not None:
        by = words(row.value(rule.by))
        one = next((one for one in rule.kinds if compiled(one.match).search(by)), None)
        kind, divide = (one.kind, rule.divide * one.divide) if one is not None else (None, 1.0)
    if kind is None:
        return None
    exponent = 0.0
    if rule.scale is not None:
        exponent += 3 * ((decimal(row.value(rule.scale)) or 9) - 9)
    if rule.precision is not None:
        exponent -= decimal(row.value(rule.precision)) or 0
    if not -40 < exponent < 40:
        return None
    return SensorPoint(
        kind,
        row.name(rule),
        row.oid(rule.value),
        # 10^-3 is no binary fraction: a quotient of integers is nearer than a product.
        10**exponent / divide if exponent >= 0 else 1 / (divide * 10**-exponent),
        row.oid(rule.of),
        rule,
    )


def _memory(rule: Memory, row: Row) -> MemoryPoint | None:
    unit = decimal(row.value(rule.unit)) if isinstance(rule.unit, str) else rule.unit
    return MemoryPoint(
        row.name(rule),
        row.oid(rule.used),
        row.oid(rule.free),
        row.oid(rule.total),
        row.oid(rule.percent),
        tuple(row.oid(less) for less in rule.less),
        unit or 1.0,
        rule.convert == "idle",
    )


def _session(rule: Session, row: Row) -> SessionPoint:
    peer = address(row.value(rule.peer)) or words(row.value(rule.peer))
    if rule.address is not None:
        form, _, part = rule.address[:-1].partition("[")
        peer = address_in(cut(row.index, slice_of(part)), form)
    return SessionPoint(
        rule.kind,
        row.name(rule) if rule.name or rule.label else peer or row.index,
        peer,
        row.oid(rule.value),
        rule.states,
        row.oid(rule.asn),
        row.oid(rule.since),
        row.oid(rule.admin),
        rule.disabled,
    )


def _identity(rule: Fact, value: str) -> Identity | None:
    found = words(taken(value, rule.pattern))
    return Identity(rule.fact, found) if found else None


async def read_points(reader: SnmpReader, points: Iterable[Point]) -> Values:
    """The values of the points now, in as few requests as it takes."""
    return await reader.get(list(dict.fromkeys(oid for point in points for oid in point.oids)))
