"""The check ``snmp``: fetch, then hand to tables, rates, judge and report."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from checks.contract import Check, Clock, Context, Target
from checks.errors import TargetError
from checks.model import Metric, Outcome, State
from checks.snmp import mib, rates, report, standing
from checks.snmp.access import access_of
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.inventory import Inventory, read_inventory
from checks.snmp.judge import Finding, Thresholds, conclude, interface_metrics, levels, required
from checks.snmp.params import SnmpParams
from checks.snmp.pysnmp_reader import PysnmpReader
from checks.snmp.rates import Snapshot
from checks.snmp.reader import Access, SnmpReader
from checks.snmp.tables import (
    Interface,
    System,
    index_of,
    name_interfaces,
    parse_interfaces,
    parse_system,
    text,
    without_64_bits,
)

__all__ = ["CHECK", "ReaderFactory", "Reading", "SnmpParams", "fetch", "poll", "run"]

ReaderFactory = Callable[[Access, Clock], SnmpReader]

ENGINES: Final[Mapping[str, ReaderFactory]] = {"gufo": GufoReader, "pysnmp": PysnmpReader}
_SHARE: Final = 0.9
"""The part of a run's time that one request with all its tries may take."""


async def run(target: Target, params: SnmpParams, ctx: Context) -> Outcome:
    """Polls one device. The job's memory keeps the session, the last counters and the last levels."""
    return await poll(target, params, ctx, ENGINES[params.engine])


async def poll(target: Target, params: SnmpParams, ctx: Context, engine: ReaderFactory) -> Outcome:
    """:func:`run` with a chosen engine."""
    access = await access_of(target.address, params, ctx, _SHARE * ctx.timeout)
    kept = ctx.memory.pop("session", None)
    reader: SnmpReader = kept[1] if kept is not None and kept[0] == access else engine(access, ctx.clock)
    reader.begin()
    began = ctx.clock.monotonic()
    try:
        reading = await fetch(reader, access, params, ctx)
        inventory = await read_inventory(reader, reading.system, params, ctx, began)
    finally:
        await reader.end()
    if not inventory.failed:
        ctx.memory["session"] = (access, reader)  # after an error it is not kept
    return _conclude(reading, inventory, reader.faults, params, ctx)


class Reading(msgspec.Struct, frozen=True):
    """What one run read. ``at`` is when the system group was read (monotonic s), ``round_trip`` the time from its
    request to its answer (s)."""

    host: str
    at: float
    round_trip: float
    system: System
    interfaces: tuple[Interface, ...]


async def fetch(reader: SnmpReader, access: Access, params: SnmpParams, ctx: Context) -> Reading:
    """The system group and the interfaces that pass the filter."""
    values = await reader.get(mib.SYSTEM)
    at = ctx.clock.monotonic()
    if not values:
        raise TargetError(
            "no-system-group",
            f"{access.where}: answers, but shows nothing of the system group (1.3.6.1.2.1.1): "
            "widen the view of this community or user on the device",
            answered=True,
        )
    round_trip = reader.round_trip or 0.0
    system = parse_system(values)
    return Reading(access.host, at, round_trip, system, await _fetch_interfaces(reader, system, params, ctx.memory))


async def _fetch_interfaces(
    reader: SnmpReader, system: System, params: SnmpParams, memory: dict[str, Any]
) -> tuple[Interface, ...]:
    """The interfaces that pass the filter. Names are walked, then whole rows fetched by GET: half the packets of a walk
    of each column, and no more of the device's time. ifDescr is walked when the interfaces are others than before, and
    always where ifXTable has not all of them."""
    if_names = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_NAME)}
    descrs: dict[int, str] = memory.get("descrs", {})
    if not if_names or if_names != memory.get("if_names") or len(if_names) < max(system.if_number, len(descrs)):
        descrs = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_DESCR)}
    memory["if_names"], memory["descrs"] = if_names, descrs
    names = {
        index: name
        for index, name in name_interfaces(if_names, descrs).items()
        if re.search(params.interfaces, name) and not re.search(params.exclude, name)
    }
    if not names:
        return ()
    columns = mib.INTERFACE + (mib.HC_OCTETS if reader.counter64 else mib.OCTETS)
    values = await reader.get([f"{column}.{index}" for index in names for column in columns])
    narrow = without_64_bits(names, values) if reader.counter64 else []
    if narrow:
        values.update(await reader.get([f"{column}.{index}" for index in narrow for column in mib.OCTETS]))
    return parse_interfaces(names, values | {f"{mib.IF_DESCR}.{i}": descr for i, descr in descrs.items()})


def _conclude(
    reading: Reading, inventory: Inventory, faults: frozenset[str], params: SnmpParams, ctx: Context
) -> Outcome:
    system, interfaces = reading.system, reading.interfaces
    memory: dict[str, Any] = ctx.memory
    before: Snapshot | None = memory.get("snapshot")
    running = rates.running_for(system.up_time, system.host_up_time, system.engine_time)
    boot = rates.boot_minute(before, reading.at, system.up_time, ctx.clock.now(), running)
    now = Snapshot(reading.at, system.up_time, boot, interfaces)
    flow = rates.rates(before, now)
    limits = Thresholds(params.require_up, params.utilization, params.errors)
    seen: frozenset[str] = memory.get("seen", frozenset())
    previous: dict[str, State] = memory.get("levels", {})

    findings: list[Finding] = list(required(params.require_up, interfaces, seen))
    metrics = [Metric("snmp.response_time", reading.round_trip, "s")]
    if system.up_time is not None:
        metrics.append(Metric("sysUpTime", system.up_time / 100, "s"))
    if running is not None:
        metrics.append(Metric("system.uptime", running / 100, "s"))
    for interface in interfaces:
        of_this = flow.get(interface.name, {})
        metrics.extend(interface_metrics(interface, of_this))
        findings.extend(levels(interface, of_this, limits, previous))

    up_before: frozenset[str] = memory.get("up", frozenset())
    parts = {"cpu": params.cpu, "memory": params.memory, "temperature": params.temperature}
    metrics.extend(report.metrics(inventory.readings))
    findings.extend(report.findings(inventory.readings, parts, params.ignore, up_before, previous))
    findings.extend(report.required(params.require_sessions, inventory.readings, up_before))
    findings.extend(_misbehaviour(faults, inventory.silent))

    up = standing.standings(inventory.readings, memory.get("standings", {}), ctx.clock.monotonic(), ctx.clock.now())
    facts = _facts(reading, inventory, faults, boot) | standing.session_facts(inventory.readings, up)
    memory["standings"] = up
    memory["up"] = report.still_up(inventory.readings, up_before)
    memory["snapshot"] = now
    memory["seen"] = seen | {name for i in interfaces for name in (i.name, i.alias) if name in params.require_up}
    memory["levels"] = {finding.subject: finding.state for finding in findings if finding.subject}
    return conclude(system.name or reading.host, findings, tuple(metrics), facts)


def _misbehaviour(faults: frozenset[str], silent: Sequence[str]) -> Iterator[Finding]:
    """What could not be read because the device breaks the protocol. That it was read all the same is but a fact."""
    for word in sorted(faults & {"loop", "endless"}):
        yield Finding(State.WARN, "misbehaves", f"misbehaves: a walk of a column does not end ({word})")
    if silent:
        more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
        yield Finding(State.WARN, "misbehaves", f"misbehaves: answers, but not about {silent[0]}{more}")


def _facts(reading: Reading, inventory: Inventory, faults: frozenset[str], boot: int | None) -> dict[str, str]:
    system = reading.system
    facts = report.facts(inventory.found) | standing.interface_facts(reading.interfaces)
    facts |= {
        "profile": inventory.profile,
        "quirks": ", ".join(sorted(faults)),
        "sysName": system.name,
        "sysObjectID": system.object_id,
        "sysDescr": system.descr,
        "sysLocation": system.location,
    }
    if boot is not None:
        facts["boot"] = datetime.datetime.fromtimestamp(boot * 60, datetime.UTC).strftime("%Y-%m-%dT%H:%MZ")
    return {name: value for name, value in facts.items() if value}


CHECK = Check(
    name="snmp",
    about="a device over SNMP: interfaces, traffic, errors, CPU, memory, sensors, BGP, OSPF, IPsec, neighbours",
    target="host or host:port (161)",
    params=SnmpParams,
    run=run,
)
