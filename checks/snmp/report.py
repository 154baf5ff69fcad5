"""From what a profile reads to metrics, facts and findings. Pure."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from checks.levels import Levels, judge
from checks.model import Metric, State
from checks.snmp.judge import Finding
from checks.snmp.points import Condition, Gauge, Pool, Reading, Relation
from checks.snmp.survey import Adjacency, Found, Identity
from checks.snmp.vocabulary import Class, Severity, compiled

METRICS: Final[Mapping[Class, tuple[str, str]]] = {
    "cpu": ("system.cpu.utilization", "%"),
    "load": ("load", "%"),
    "load_average": ("system.cpu.load_average.1m", "1"),
    "temperature": ("hw.temperature", "Cel"),
    "fanspeed": ("hw.fan.speed", "1/min"),
    "voltage": ("hw.voltage", "V"),
    "current": ("hw.current", "A"),
    "power": ("hw.power", "W"),
    "dbm": ("optical.power", "dBm"),
    "percent": ("hw.percent", "%"),
    "humidity": ("hw.humidity", "%"),
    "frequency": ("hw.frequency", "Hz"),
    "count": ("count", "1"),
    "loss": ("probe.loss", "%"),
    "delay": ("optical.group_delay", "s"),
    "snr": ("optical.snr", "dB"),
    "ber": ("optical.bit_error_ratio", "1"),
    "chromatic_dispersion": ("optical.chromatic_dispersion", "ps/nm"),
    "quality_factor": ("optical.q_factor", "dB"),
    "runtime": ("hw.battery.time_left", "min"),
    "signal": ("wireless.signal", "dBm"),
    "airflow": ("hw.airflow", "m3/min"),
}
"""Of each class of sensor: its metric, by OpenTelemetry's name where there is one, and the unit."""

STATES: Final[Mapping[Severity, State]] = {
    "ok": State.OK,
    "absent": State.OK,
    "empty": State.OK,
    "unknown": State.OK,  # a part that cannot tell is not a device that cannot be asked
    "warn": State.WARN,
    "crit": State.CRIT,
}


def metrics(readings: Sequence[Reading]) -> Iterator[Metric]:
    """The numbers. Where several things of a kind share a name, each gets the end of its OID behind it."""
    tally = Counter((_family(reading), reading.name) for reading in readings)
    for reading in readings:
        name = reading.name
        if tally[_family(reading), name] > 1:
            name = f"{name}#{reading.oid.rpartition('.')[2]}"
        yield from _metrics(reading, name)


def _family(reading: Reading) -> str:
    return reading.kind if isinstance(reading, Gauge | Relation) else type(reading).__name__


def _metrics(reading: Reading, name: str) -> Iterator[Metric]:
    match reading:
        case Gauge():
            metric, unit = METRICS[reading.kind]
            yield Metric(metric, reading.value, unit, name)
        case Pool():
            yield Metric("system.memory.utilization", reading.percent, "%", name)
            if reading.used is not None and reading.total is not None:
                yield Metric("system.memory.usage", reading.used, "By", name)
                yield Metric("system.memory.limit", reading.total, "By", name)
        case Condition():
            if reading.severity != "absent":
                yield Metric("hw.state", float(STATES[reading.severity].rank), "1", name)
        case Relation():
            yield Metric(f"{reading.kind}.up", float(reading.severity == "ok"), "1", name)
            if reading.since is not None and reading.severity == "ok":
                yield Metric(f"{reading.kind}.uptime", reading.since, "s", name)


def facts(found: Iterable[Found]) -> dict[str, str]:
    """What identifies: the device itself, and who its neighbours are."""
    facts: dict[str, str] = {}
    for one in found:
        if isinstance(one, Identity):
            facts.setdefault(one.fact, one.text)
        elif isinstance(one, Adjacency):
            key, text = f"{one.kind} {one.local}", f"{one.name} {one.port}".strip()
            facts[key] = f"{facts[key]}, {text}" if key in facts and text not in facts[key] else text
    return facts


def findings(
    readings: Iterable[Reading],
    levels: Mapping[str, Levels],
    ignore: str,
    up_before: frozenset[str],
    previous: Mapping[str, State],
) -> Iterator[Finding]:
    """What an operator must know. ``levels`` are for "cpu", "memory" and "temperature"; ``ignore`` is a regular
    expression on the names of what is not judged; ``up_before`` are the OIDs of the sessions that were up in an earlier
    run; ``previous`` has the states of the levels in the last run."""
    for reading in readings:
        if ignore and compiled(ignore).search(reading.name):
            continue
        match reading:
            case Condition() if STATES[reading.severity] is not State.OK:
                yield Finding(STATES[reading.severity], "hardware", f"{reading.name} is {reading.word}")
            case Relation() if is_down(reading) and reading.oid in up_before:
                yield Finding(State.CRIT, "session-down", f"{session_of(reading)} is {reading.word}")
            case Pool():
                yield from _level(f"memory {reading.name}", reading.percent, levels, previous)
            case Gauge() if reading.kind in levels:
                yield from _level(f"{reading.kind} {reading.name}", reading.value, levels, previous)


def _level(
    subject: str, value: float, levels: Mapping[str, Levels], previous: Mapping[str, State]
) -> Iterator[Finding]:
    kind, _, name = subject.partition(" ")
    state = judge(value, levels[kind], previous.get(subject, State.OK))
    if state is not State.OK:
        unit = "°C" if kind == "temperature" else "%"
        yield Finding(state, kind, f"{kind} of {name} is {value:.3g} {unit}", subject)


def is_down(relation: Relation) -> bool:
    """Whether a session that its operator wants is not up."""
    return relation.wanted and relation.severity in ("warn", "crit")


def session_of(relation: Relation) -> str:
    """How messages name a session: ``bgp 10.0.0.1``."""
    return f"{relation.kind} {relation.name}"


def still_up(readings: Iterable[Reading], before: frozenset[str]) -> frozenset[str]:
    """The sessions, by their OIDs, that are up, or were and are still to be told of. Names may be shared: two phases of
    one IPsec tunnel have one."""
    relations = (reading for reading in readings if isinstance(reading, Relation))
    return frozenset(one.oid for one in relations if one.severity == "ok" or (one.wanted and one.oid in before))


def required(wanted: Sequence[str], readings: Sequence[Reading], told: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with sessions that must be up, by name or peer address. ``told`` are the OIDs of those of which
    :func:`findings` tells."""
    relations = [reading for reading in readings if isinstance(reading, Relation)]
    for want in wanted:
        found = [one for one in relations if want in (one.name, one.peer, session_of(one))]
        for one in found:
            if one.severity != "ok" and not (is_down(one) and one.oid in told):
                yield Finding(State.CRIT, "session-down", f"{session_of(one)} is {one.word}, must be up")
        if not found:
            known = [name for one in relations for name in (one.name, one.peer) if name]
            near = difflib.get_close_matches(want, known, n=1)
            hint = f": did you mean {near[0]!r}?" if near else ""
            yield Finding(State.CRIT, "session-gone", f"the device has no session {want!r}{hint}")
