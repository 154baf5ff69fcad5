"""What a node's SNMP jobs tell of its devices: who they are, how busy, how warm, with whom they speak. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from checks.model import State
from collector.view import JobView, MetricView
from collector.web.bars import Bar, bars
from collector.web.figures import quantity, span
from collector.web.folding import Folded, folded
from collector.web.words import Words

ABOUT: Final = (("Model", "model"), ("Serial number", "serial"), ("Version", "version"))
"""Phrases of the page with the facts that they head."""
SESSIONS: Final = ("bgp", "ospf", "bfd", "ipsec")
NEIGHBOURS: Final = ("lldp", "cdp", "mndp")
CPU, MEMORY, STATE = "system.cpu.utilization", "system.memory.utilization", "hw.state"
USED, LIMIT = "system.memory.usage", "system.memory.limit"
BUSIEST: Final = 4
"""Processors that are seen at once; a chassis has dozens."""
FIRST: Final = ("hw.temperature", "hw.fan.speed", "hw.power")
"""What is looked for first among the sensors, in this order; other hardware, then the rest, comes behind it."""
_STATES: Final = {state.rank: state.value for state in State}


@dataclass(frozen=True)
class Sensor:
    """A part of the device: all that is measured of it in one line, and its ``state`` where the device tells one."""

    name: str
    values: str
    state: str

    @property
    def well(self) -> bool:
        return self.state in ("", State.OK.value)


@dataclass(frozen=True)
class Session:
    """A session with a peer. ``word`` is the MIB's, ``uptime`` how long it is up; empty when that is not told."""

    kind: str
    name: str
    word: str
    uptime: str
    state: str

    @property
    def well(self) -> bool:
        return self.state != State.WARN.value


@dataclass(frozen=True)
class Neighbour:
    """Who is on the cable of an interface, as heard by ``protocol``."""

    protocol: str
    interface: str
    text: str
    well: bool = True


@dataclass(frozen=True)
class Device:
    """A device as the page shows it. What was not measured is empty."""

    job: JobView
    name: str
    about: tuple[tuple[str, str], ...]
    uptime: str
    processors: Folded[Bar]
    memory: Folded[Bar]
    sensors: Folded[Sensor]
    sessions: Folded[Session]
    neighbours: Folded[Neighbour]


def devices(jobs: Iterable[JobView], words: Words) -> list[Device]:
    """The devices that answered, each with something to show beyond its interfaces."""
    made = (_device(job, words) for job in jobs if job.check == "snmp" and job.answered)
    return [one for one in made if _tells(one)]


def shown_elsewhere(job: JobView, fact: str) -> bool:
    """Whether a fact has its place among the devices and interfaces, and need not be listed again."""
    kind, _, name = fact.partition(" ")
    told = {key for _, key in ABOUT}
    return job.check == "snmp" and (fact in told or (bool(name) and kind in (*SESSIONS, *NEIGHBOURS, "interface")))


def _tells(device: Device) -> bool:
    folds = (device.processors, device.memory, device.sensors, device.sessions, device.neighbours)
    return bool(device.about or device.uptime or any(fold.shown for fold in folds))


def _device(job: JobView, words: Words) -> Device:
    language = words.first
    processors = sorted(bars(job.metrics, CPU, "", "", language), key=lambda bar: -bar.percent)
    up = next((metric.value for metric in job.metrics if metric.name == "system.uptime"), None)
    return Device(
        job=job,
        name=job.facts.get("sysName", ""),
        about=tuple((phrase, job.facts[fact]) for phrase, fact in ABOUT if fact in job.facts),
        uptime="" if up is None else span(up, words),
        processors=folded(processors, BUSIEST),
        memory=folded(bars(job.metrics, MEMORY, USED, LIMIT, language)),
        sensors=folded(_sensors(job.metrics, words)),
        sessions=folded(_sessions(job, words)),
        neighbours=folded(_neighbours(job.facts)),
    )


def _sensors(metrics: Iterable[MetricView], words: Words) -> Iterator[Sensor]:
    parts: dict[str, dict[str, MetricView]] = {}
    for metric in metrics:
        if metric.instance and not _has_its_place(metric.name):
            # A device may tell of one sensor in two of its tables.
            parts.setdefault(metric.instance, {}).setdefault(metric.name, metric)
    for name, found in sorted(parts.items(), key=lambda part: min(map(_place, part[1]))):
        state = found.pop(STATE, None)
        values = (quantity(one.value, one.unit, words.first) for one in found.values())
        told = "" if state is None else _STATES.get(int(state.value), State.UNKNOWN.value)
        yield Sensor(name, " · ".join(values), told)


def _place(metric: str) -> int:
    if metric in FIRST:
        return FIRST.index(metric)
    return len(FIRST) if metric.startswith("hw.") else len(FIRST) + 1


def _has_its_place(metric: str) -> bool:
    return metric.startswith("if") or metric in (CPU, MEMORY, USED, LIMIT) or metric.partition(".")[0] in SESSIONS


def _sessions(job: JobView, words: Words) -> Iterator[Session]:
    values = {(metric.name, metric.instance): metric.value for metric in job.metrics}
    for (metric, name), value in values.items():
        kind, _, what = metric.partition(".")
        if kind in SESSIONS and what == "up":
            up = value == 1
            # Sessions that share a name are told apart by an OID's end, which facts do not have.
            word = job.facts.get(f"{kind} {name}", "up" if up else "not up").partition(" since ")[0]
            since = values.get((f"{kind}.uptime", name))
            state = State.OK.value if up else "" if word.endswith(", disabled") else State.WARN.value
            yield Session(kind.upper(), name, word, "" if since is None else span(since, words), state)


def _neighbours(facts: Mapping[str, str]) -> Iterator[Neighbour]:
    for fact, text in facts.items():
        protocol, _, interface = fact.partition(" ")
        if protocol in NEIGHBOURS and interface:
            yield Neighbour(protocol.upper(), interface, text)
