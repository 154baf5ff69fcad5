"""The check ``snmp``: fetch, then hand to tables, rates and judge."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec

from checks.contract import Check, Clock, Context, Params, Secret, Target, host_port
from checks.errors import TargetError
from checks.levels import Levels
from checks.model import Metric, Outcome, State
from checks.snmp import mib, rates
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.judge import Finding, Thresholds, conclude, interface_metrics, levels, required
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
from checks.snmp.usm import Auth, Priv


class SnmpParams(Params, frozen=True):
    """How to talk to a device, and what is demanded of it.

    ``community`` is for versions 1 and 2c; ``user``, ``auth``, ``auth_key``, ``priv`` and ``priv_key`` for 3, the keys
    being passwords.
    ``timeout`` is seconds for one try of one request, ``retries`` come after it. ``max_repetitions`` are rows asked
    for by one GETBULK, ``max_varbinds`` instances by one GET: at 48 the answer stays in one Ethernet frame.
    ``interfaces`` and ``exclude`` are regular expressions on ifName, found anywhere in it: an interface is looked
    at if the first matches and the second does not. ``require_up`` names, by ifName or ifAlias, those that must
    be up; of others it is only recorded. ``utilization`` (%, the busier direction) and ``errors`` (1/s, both
    directions) are levels for every interface looked at.
    """

    version: Literal["1", "2c", "3"] = "2c"
    community: Secret = "public"
    user: str = ""
    auth: Auth = ""
    auth_key: Secret = ""
    priv: Priv = ""
    priv_key: Secret = ""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    max_repetitions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 25
    max_varbinds: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 48
    interfaces: str = ""
    exclude: str = r"^(lo|Lo|Loopback|loopback|Null|Nu|NULL)\d*$"
    require_up: tuple[str, ...] = ()
    utilization: Levels = Levels()
    errors: Levels = Levels()

    def __post_init__(self) -> None:
        for name, pattern in (("interfaces", self.interfaces), ("exclude", self.exclude)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{name}: {pattern!r} is not a regular expression: {error}") from error
        if self.version != "3":
            if self.user or self.auth or self.priv:
                raise ValueError(f"user, auth and priv are of SNMPv3, version is {self.version!r}: set version '3'")
            return
        if not self.user:
            raise ValueError("version '3' needs a user")
        for name, protocol, key in (("auth", self.auth, self.auth_key), ("priv", self.priv, self.priv_key)):
            if bool(protocol) != bool(key):
                raise ValueError(f"{name} and {name}_key go together: set both or neither")
            if key and len(key) < 8:
                raise ValueError(
                    f"{name}_key is too short: SNMPv3 passwords have 8 characters or more (RFC 3414, 11.2)"
                )
        if self.priv and not self.auth:
            raise ValueError("priv needs auth: SNMPv3 does not encrypt what it cannot authenticate")


ReaderFactory = Callable[[Access, Clock], SnmpReader]


async def run(target: Target, params: SnmpParams, ctx: Context) -> Outcome:
    """Polls one device. The job's memory keeps the session, the last counters and the last levels."""
    return await poll(target, params, ctx, GufoReader)


async def poll(target: Target, params: SnmpParams, ctx: Context, engine: ReaderFactory) -> Outcome:
    """:func:`run` with a chosen engine."""
    access = await _access(target, params, ctx)
    kept = ctx.memory.pop("session", None)
    reader: SnmpReader = kept[1] if kept is not None and kept[0] == access else engine(access, ctx.clock)
    reader.begin()
    reading = await fetch(reader, access, params, ctx.clock)
    ctx.memory["session"] = (access, reader)  # after an error it is not kept
    return _conclude(reading, params, ctx)


async def _access(target: Target, params: SnmpParams, ctx: Context) -> Access:
    host, port = host_port(target.address, 161)
    addresses = await ctx.resolve(host)
    tries = params.retries + 1
    return Access(
        host=host,
        address=str(addresses[0]),
        port=port,
        version=params.version,
        community=params.community,
        user=params.user,
        auth=params.auth,
        auth_key=params.auth_key,
        priv=params.priv,
        priv_key=params.priv_key,
        # All tries must fit into the run, so that it ends with our reason and not at the deadline.
        timeout=max(0.01, math.floor(min(params.timeout, 0.9 * ctx.timeout / tries) * 100) / 100),
        retries=params.retries,
        max_repetitions=params.max_repetitions,
        max_varbinds=params.max_varbinds,
    )


class Reading(msgspec.Struct, frozen=True):
    """What one run read. ``at`` is when the system group was read (monotonic s), ``round_trip`` the time from its
    request to its answer (s)."""

    host: str
    at: float
    round_trip: float
    system: System
    interfaces: tuple[Interface, ...]


async def fetch(reader: SnmpReader, access: Access, params: SnmpParams, clock: Clock) -> Reading:
    """The system group and the interfaces that pass the filter."""
    values = await reader.get(mib.SYSTEM)
    at = clock.monotonic()
    if not values:
        raise TargetError(
            "no-system-group",
            f"{access.where}: answers, but shows nothing of the system group (1.3.6.1.2.1.1): "
            "widen the view of this community or user on the device",
            answered=True,
        )
    round_trip = reader.round_trip or 0.0
    system = parse_system(values)
    return Reading(access.host, at, round_trip, system, await _fetch_interfaces(reader, system, params))


async def _fetch_interfaces(reader: SnmpReader, system: System, params: SnmpParams) -> tuple[Interface, ...]:
    """The interfaces that pass the filter. Names are walked, then whole rows fetched by GET: half the packets of a walk
    of each column, and no more of the device's time."""
    if_names = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_NAME)}
    if_descrs: dict[int, str] = {}
    if not if_names or len(if_names) < system.if_number or not all(if_names.values()):
        if_descrs = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_DESCR)}
    names = {
        index: name
        for index, name in name_interfaces(if_names, if_descrs).items()
        if re.search(params.interfaces, name) and not re.search(params.exclude, name)
    }
    if not names:
        return ()
    columns = mib.INTERFACE + (mib.HC_OCTETS if reader.counter64 else mib.OCTETS)
    values = await reader.get([f"{column}.{index}" for index in names for column in columns])
    narrow = without_64_bits(names, values) if reader.counter64 else []
    if narrow:
        values.update(await reader.get([f"{column}.{index}" for index in narrow for column in mib.OCTETS]))
    return parse_interfaces(names, values)


def _conclude(reading: Reading, params: SnmpParams, ctx: Context) -> Outcome:
    system, interfaces = reading.system, reading.interfaces
    memory: dict[str, Any] = ctx.memory
    before: Snapshot | None = memory.get("snapshot")
    boot = rates.boot_minute(before, reading.at, system.up_time, ctx.clock.now())
    now = Snapshot(reading.at, system.up_time, boot, interfaces)
    flow = rates.rates(before, now)
    limits = Thresholds(params.require_up, params.utilization, params.errors)
    seen: frozenset[str] = memory.get("seen", frozenset())
    previous: dict[str, State] = memory.get("levels", {})

    findings: list[Finding] = list(required(params.require_up, interfaces, seen))
    metrics = [Metric("snmp.response_time", reading.round_trip, "s")]
    if system.up_time is not None:
        metrics.append(Metric("sysUpTime", system.up_time / 100, "s"))
    for interface in interfaces:
        of_this = flow.get(interface.name, {})
        metrics.extend(interface_metrics(interface, of_this))
        findings.extend(levels(interface, of_this, limits, previous))

    memory["snapshot"] = now
    memory["seen"] = seen | {name for i in interfaces for name in (i.name, i.alias) if name in params.require_up}
    memory["levels"] = {finding.subject: finding.state for finding in findings if finding.subject}
    return conclude(system.name or reading.host, findings, tuple(metrics), _facts(system, boot))


def _facts(system: System, boot: int | None) -> dict[str, str]:
    facts = {
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
    about="a device over SNMP: system group, interfaces, traffic, errors",
    target="host or host:port (161)",
    params=SnmpParams,
    run=run,
)
