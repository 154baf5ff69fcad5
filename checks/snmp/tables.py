"""From rows to typed values: the system group and the interfaces. Pure."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from checks.snmp import mib
from checks.snmp.reader import Value


class System(msgspec.Struct, frozen=True):
    """The system group (RFC 3418). ``up_time`` (sysUpTime) and ``host_up_time`` (hrSystemUptime) are in hundredths of a
    second, modulo 2^32, ``engine_time`` (snmpEngineTime) in seconds; None when not told."""

    descr: str
    object_id: str
    up_time: int | None
    name: str
    location: str
    if_number: int
    host_up_time: int | None = None
    engine_time: int | None = None


class Count(msgspec.Struct, frozen=True):
    """What a counter showed. ``bits`` is 32 or 64: where it wraps."""

    value: int
    bits: int


class Interface(msgspec.Struct, frozen=True):
    """One row of ifTable and ifXTable. ``name`` is unique on the device, ``descr`` what it is called at length, where
    that was asked for. ``admin`` and ``oper`` are the numbers of
    ifAdminStatus and ifOperStatus, 0 when not told; ``speed`` is in bit/s, 0 when unknown. ``counters`` go by the name
    of the rate that is made of them; ``discontinuity`` is ifCounterDiscontinuityTime."""

    index: int
    name: str
    alias: str
    admin: int
    oper: int
    speed: float
    discontinuity: int
    counters: Mapping[str, Count]
    descr: str = ""


COUNTERS: Final = {
    "ifInBits": (mib.IF_HC_IN_OCTETS, mib.IF_IN_OCTETS),
    "ifOutBits": (mib.IF_HC_OUT_OCTETS, mib.IF_OUT_OCTETS),
    "ifInErrors": (None, mib.IF_IN_ERRORS),
    "ifOutErrors": (None, mib.IF_OUT_ERRORS),
    "ifInDiscards": (None, mib.IF_IN_DISCARDS),
    "ifOutDiscards": (None, mib.IF_OUT_DISCARDS),
}
"""Of which counters a rate is made: the 64-bit one, and the 32-bit one where that is missing."""


def text(value: Value) -> str:
    """A DisplayString or SnmpAdminString as text on one line; bytes that are not UTF-8 are taken for Latin-1."""
    if value is None:
        return ""
    words = _decoded(value) if isinstance(value, bytes) else str(value)
    if not words.isprintable():
        words = "".join(c if c.isprintable() else " " for c in words)
    return " ".join(words.split())


def _decoded(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def number(value: Value) -> int | None:
    """A number that is not negative; None for anything else."""
    return value if isinstance(value, int) and value >= 0 else None


def parse_system(values: Mapping[str, Value]) -> System:
    """The system group from what :data:`checks.snmp.mib.SYSTEM` was answered with."""
    return System(
        descr=text(values.get(mib.SYS_DESCR)),
        object_id=text(values.get(mib.SYS_OBJECT_ID)),
        up_time=number(values.get(mib.SYS_UP_TIME)),
        name=text(values.get(mib.SYS_NAME)),
        location=text(values.get(mib.SYS_LOCATION)),
        if_number=number(values.get(mib.IF_NUMBER)) or 0,
        host_up_time=number(values.get(mib.HR_SYSTEM_UP_TIME)),
        engine_time=number(values.get(mib.SNMP_ENGINE_TIME)),
    )


def index_of(oid: str) -> int:
    """The ifIndex of an instance: the last sub-identifier."""
    return int(oid.rpartition(".")[2])


def name_interfaces(if_names: Mapping[int, str], if_descrs: Mapping[int, str]) -> dict[int, str]:
    """ifIndex → a name that is unique on the device: ifName, or ifDescr, or the ifIndex. Where several interfaces
    share a name, each gets ``#ifIndex`` behind it."""
    indexes = sorted(if_names.keys() | if_descrs.keys())
    names = {index: if_names.get(index) or if_descrs.get(index) or str(index) for index in indexes}
    tally = Tally(names.values())
    return {index: name if tally[name] == 1 else f"{name}#{index}" for index, name in names.items()}


def parse_interfaces(names: Mapping[int, str], values: Mapping[str, Value]) -> tuple[Interface, ...]:
    """The interfaces with these ifIndexes, from the values of their instances by OID."""
    return tuple(_interface(index, name, values) for index, name in names.items())


def _interface(index: int, name: str, values: Mapping[str, Value]) -> Interface:
    def of(column: str) -> int | None:
        return number(values.get(f"{column}.{index}"))

    return Interface(
        index=index,
        name=name,
        alias=text(values.get(f"{mib.IF_ALIAS}.{index}")),
        admin=of(mib.IF_ADMIN_STATUS) or 0,
        oper=of(mib.IF_OPER_STATUS) or 0,
        speed=speed(of(mib.IF_SPEED), of(mib.IF_HIGH_SPEED)),
        discontinuity=of(mib.IF_COUNTER_DISCONTINUITY_TIME) or 0,
        counters={
            rate: count
            for rate, (high, low) in COUNTERS.items()
            if (count := _count(of(high) if high else None, of(low))) is not None
        },
        descr=text(values.get(f"{mib.IF_DESCR}.{index}")),
    )


def _count(high: int | None, low: int | None) -> Count | None:
    if high is not None:
        return Count(high, 64)
    return None if low is None else Count(low, 32)


def speed(if_speed: int | None, if_high_speed: int | None) -> float:
    """bit/s; 0 when unknown. ifSpeed is exact as far as it reaches, ifHighSpeed counts in Mbit/s (RFC 2863, 3.1.7).
    Ports that are down show 4294967295 or thereabouts in it on some firewalls: no port is so fast."""
    if if_speed and if_speed != mib.UNKNOWN_SPEED:
        return float(if_speed)
    if if_high_speed and if_high_speed * 1e6 <= mib.MAX_SPEED:
        return if_high_speed * 1e6
    return 0.0


def without_64_bits(interfaces: Iterable[int], values: Mapping[str, Value]) -> list[int]:
    """The ifIndexes of which a 64-bit octet counter was not answered."""
    return [i for i in interfaces if any(f"{column}.{i}" not in values for column in mib.HC_OCTETS)]
