"""The words that a device profile (``profiles/*.toml``) is written in. A closed vocabulary: there is nothing to run.

A profile lists *rules*. A rule names the column of a table (or one instance) where something is read, and beside it
where its name stands and what its numbers mean. Columns are written as references:

=========================  ===========================================================================
``1.3.6.1.2.1.2.2.1.2``    the column, at the index of the row
``1.3.6.1.2.1.1.3.0``      one instance: no column ends in 0
``1.3.6.1.2.1.25.2.3.1.5@1``  the column at index 1, whatever the row
``1.3.6…1[0]``, ``[2:]``     the column at a part of the row's index, counted as Python does
``1.3.6…7 < 1.3.6…2``        the column at the index that another column holds
=========================  ===========================================================================
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Final, Literal

import msgspec

_OID: Final = r"[0-2](?:\.(?:0|[1-9][0-9]*)){3,}"
_PART: Final = r"-?[0-9]+|-?[0-9]*:-?[0-9]*"
_REF: Final = rf"^({_OID})(?:@([0-9.]+)|\[({_PART})\]| < ({_OID}))?$"

Reference = Annotated[str, msgspec.Meta(pattern=_REF)]
Prefix = Annotated[str, msgspec.Meta(pattern=rf"^{_OID}$")]
Pattern = Annotated[str, msgspec.Meta(min_length=1)]


class Ref(msgspec.Struct, frozen=True):
    """A reference, taken apart. ``at`` is a fixed index, ``part`` a slice of the row's, ``via`` a column whose value is
    the index."""

    column: str
    at: str | None = None
    part: tuple[int | None, int | None] | None = None
    via: str | None = None

    def instance(self, index: str) -> str:
        """The OID to read for a row; empty where its index is too short to have the part. For ``via`` that is the
        instance of the column that points onward."""
        if self.at is not None:
            return f"{self.column}.{self.at}"
        if self.via is not None:
            return f"{self.via}.{index}"
        part = cut(index, self.part)
        return f"{self.column}.{part}" if part else ""


def cut(index: str, part: tuple[int | None, int | None] | None) -> str:
    """A part of an index, in dotted form."""
    return index if part is None else ".".join(index.split(".")[slice(*part)])


def slice_of(text: str) -> tuple[int | None, int | None]:
    """``2`` → (2, 3), ``-1`` → (-1, None), ``1:`` → (1, None)."""
    first, colon, last = text.partition(":")
    if not colon:
        only = int(first)
        return only, only + 1 if only != -1 else None
    return int(first) if first else None, int(last) if last else None


@functools.lru_cache(maxsize=4096)
def ref(text: str) -> Ref:
    """A reference from its text. Raises ValueError."""
    found = re.match(_REF, text)
    if found is None:
        raise ValueError(f"{text!r} is no reference: expected OID, OID@INDEX, OID[PART] or OID < OID")
    column, at, part, via = found.groups()
    if column.endswith(".0") and at is None and part is None:
        return Ref(column[:-2], at="0")
    return Ref(column, at, slice_of(part) if part else None, via)


Class = Literal[
    "cpu", "load", "load_average", "temperature", "fanspeed", "voltage", "current", "power", "dbm", "percent",
    "humidity", "frequency", "count", "loss", "delay", "snr", "ber", "chromatic_dispersion", "quality_factor",
    "runtime", "signal", "airflow",
]  # fmt: skip
"""What a number measures; its metric and unit are in :data:`checks.snmp.report.METRICS`."""

Severity = Literal["ok", "warn", "crit", "unknown", "absent", "empty"]
Status = Annotated[str, msgspec.Meta(pattern=r"^(ok|warn|crit|unknown|absent|empty)( [^ ].*)?$")]
"""How bad a value is, then what the MIB calls it: ``crit failed``. A part that is not fitted is ``absent``; a row that
stands for nothing, as a chassis' every slot, is ``empty`` and left out."""

Convert = Literal["", "idle", "uW", "W", "fahrenheit", "share", "lost"]
"""``idle``: % of time not busy, so 100 less it. ``uW``, ``W``: micro- and watts of light, shown in dBm.
``share``: % of what ``of`` holds; ``lost``: what is missing of it, in %."""

Form = Annotated[str, msgspec.Meta(pattern=rf"^(ipv4|inet)\[({_PART})\]$")]
"""An address in an index: ``ipv4`` is 4 numbers, ``inet`` a type and a length before them (RFC 4001, 4.1)."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What every rule has.

    ``name`` are references, of which the first that is not empty names the row; ``label`` is made of it:
    ``{name}`` and ``{index}`` are filled in. ``index`` is a regular expression on the row's index, ``where`` and
    ``unless`` hold such on its columns: all of the first must be found, none of the second. ``gives`` is a word for
    what the rule finds; a rule is left out where another before it gave one of those in whose absence alone it is to
    be read: ``lacking``.
    """

    name: tuple[Reference, ...] = ()
    label: str = ""
    index: str = ""
    where: dict[Reference, Pattern] = {}
    unless: dict[Reference, Pattern] = {}
    gives: str = ""
    lacking: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for pattern in (self.index, *self.where.values(), *self.unless.values()):
            compiled(pattern)
        unknown = set(re.findall(r"\{(.*?)\}", self.label)) - {"name", "index"}
        if unknown:
            raise ValueError(f"label {self.label!r}: expected {{name}} and {{index}} alone, got {sorted(unknown)}")


@functools.lru_cache(maxsize=4096)
def compiled(pattern: str) -> re.Pattern[str]:
    """A regular expression. Raises ValueError."""
    try:
        return re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error


def one_group(pattern: str) -> None:
    """Raises ValueError unless a pattern has one group, or is empty."""
    if pattern and compiled(pattern).groups != 1:
        raise ValueError(f"pattern {pattern!r}: expected one group")


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One of the classes of a table that mixes them: a row is of it when its text in ``by`` matches."""

    match: Pattern
    kind: Class
    divide: float = 1.0

    def __post_init__(self) -> None:
        compiled(self.match)


class Sensor(Rule, frozen=True):
    """A number. ``value`` is an integer, or a text that begins with a number, or has it where the group of ``pattern``
    is.

    It is divided by ``divide``, and multiplied by ten to the power that ``precision`` (negative) and ``scale``
    (an EntitySensorDataScale: 9 is units) hold. A value in ``absent`` or outside ``above`` < value < ``below``, before
    the division, is none. Either ``kind`` says what all rows are, or ``kinds`` by the text of ``by``.
    """

    value: Reference
    pattern: str = ""
    kind: Class | None = None
    by: Reference | None = None
    kinds: tuple[Kind, ...] = ()
    divide: float = 1.0
    scale: Reference | None = None
    precision: Reference | None = None
    of: Reference | None = None
    absent: tuple[float, ...] = ()
    above: float | None = None
    below: float | None = None
    convert: Convert = ""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if (self.kind is None) == (self.by is None) or bool(self.kinds) != (self.by is not None):
            raise ValueError("expected either kind, or by and kinds")
        one_group(self.pattern)
        if (self.of is not None) != (self.convert in ("share", "lost")):
            raise ValueError("of and convert share or lost go together")
        if not self.divide or not all(kind.divide for kind in self.kinds):
            raise ValueError("divide must not be 0")

    def holds(self, value: float) -> bool:
        """Whether a value as the device sends it is a reading, or says that there is none."""
        if value in self.absent:
            return False
        return (self.above is None or value > self.above) and (self.below is None or value < self.below)


class State(Rule, frozen=True):
    """A state: what each value of the column means."""

    value: Reference
    states: dict[str, Status]

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if not self.states:
            raise ValueError("states must say what the values mean")


class Memory(Rule, frozen=True):
    """A pool of memory: any two of ``used``, ``free`` and ``total``, or ``percent`` with or without ``total``.

    The first of used, percent, free that is given tells which rows there are. ``less`` is in use but can be had back
    at once (buffers, caches). ``unit`` is bytes, or a column that holds them.
    """

    used: Reference | None = None
    free: Reference | None = None
    total: Reference | None = None
    percent: Reference | None = None
    less: tuple[Reference, ...] = ()
    unit: float | Reference = 1.0
    convert: Literal["", "idle"] = ""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        if self.percent is None and sum(one is not None for one in (self.used, self.free, self.total)) < 2:
            raise ValueError("expected two of used, free and total, or percent")

    @property
    def leads(self) -> str:
        """The reference that tells which rows there are."""
        lead = self.used or self.percent or self.free
        assert lead is not None
        return lead


class Session(Rule, frozen=True):
    """A relation with a peer: what each value of ``value`` means. ``address`` is where the peer's address stands, in
    the index, or ``peer`` the column that holds it. ``asn`` is its autonomous system, ``since`` the seconds since the
    session came up. ``admin`` is what the operator wants, ``disabled`` the values of it that mean: not this one."""

    kind: Literal["bgp", "bfd", "ospf", "ipsec"]
    value: Reference
    states: dict[str, Status]
    address: Form | None = None
    peer: Reference | None = None
    asn: Reference | None = None
    since: Reference | None = None
    admin: Reference | None = None
    disabled: tuple[str, ...] = ()


class Neighbour(Rule, frozen=True):
    """Who is at the other end of a cable: ``value`` is the column of the neighbour's name, which ``name`` may better,
    ``port`` its port, ``local`` the interface here."""

    kind: Literal["lldp", "cdp", "mndp"]
    value: Reference
    port: tuple[Reference, ...] = ()
    local: tuple[Reference, ...] = ()


class Fact(Rule, frozen=True):
    """A text that identifies the device. ``pattern`` takes its first group out of the value."""

    fact: Literal["model", "serial", "version"]
    value: Reference
    pattern: str = ""

    def __post_init__(self) -> None:
        Rule.__post_init__(self)
        one_group(self.pattern)


AnyRule = Sensor | State | Memory | Session | Neighbour | Fact


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """Which devices a profile is for: those whose sysObjectID begins with one of ``match`` (the longest wins) or, where
    that tells nothing of the vendor, whose sysDescr ``descr`` is found in. A profile with neither is for others to
    ``include``; ``moved`` says where this vendor has put the objects of those it includes."""

    vendor: str
    match: tuple[Prefix, ...] = ()
    descr: str = ""
    include: tuple[str, ...] = ()
    moved: dict[Prefix, Prefix] = {}

    def __post_init__(self) -> None:
        compiled(self.descr)


class Profile(Head, frozen=True, forbid_unknown_fields=True):
    """What a vendor's devices show."""

    sensor: tuple[Sensor, ...] = ()
    state: tuple[State, ...] = ()
    memory: tuple[Memory, ...] = ()
    session: tuple[Session, ...] = ()
    neighbour: tuple[Neighbour, ...] = ()
    fact: tuple[Fact, ...] = ()

    @property
    def rules(self) -> tuple[AnyRule, ...]:
        """All of them, of what changes fastest first."""
        return (*self.sensor, *self.memory, *self.session, *self.state, *self.neighbour, *self.fact)
