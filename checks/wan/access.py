"""The access interface of a line: what the router it is on says of it over SNMP, and the rates between two runs."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

import msgspec

from checks.contract import Clock, Context
from checks.errors import ObserverError
from checks.snmp import mib
from checks.snmp.access import access_of
from checks.snmp.check import ReaderFactory
from checks.snmp.judge import utilization
from checks.snmp.rates import Snapshot, boot_minute, rates
from checks.snmp.reader import SnmpReader
from checks.snmp.tables import Interface, index_of, name_interfaces, number, parse_interfaces, text, without_64_bits
from checks.wan.params import AccessInterface


class Load(msgspec.Struct, frozen=True):
    """An interface, its ``rates`` (none in the first run) by "ifInBits" and so on, and how much of its capacity they
    take by "ifInUtilization" and "ifOutUtilization", in %. ``capacity`` is in bit/s, 0 when not known."""

    interface: Interface
    rates: Mapping[str, float]
    capacity: float

    @property
    def utilization(self) -> dict[str, float]:
        """In %; of 100 and more when the contract is exceeded."""
        return utilization(msgspec.structs.replace(self.interface, speed=self.capacity), self.rates)

    @property
    def down(self) -> bool:
        """Whether the router says that no traffic can take this interface."""
        return self.interface.oper not in (0, mib.UP) and mib.OPER_STATUS.get(self.interface.oper) != "unknown"


async def measure(wanted: AccessInterface, ctx: Context, left: float, engine: ReaderFactory) -> Load:
    """Reads the interface, and compares it with the last run's, which the job's memory keeps, as it keeps the session
    and the ifIndex. ``left`` is the time that it may take (s). Raises TargetError and ObserverError."""
    access = await access_of(wanted.router, wanted.snmp, ctx, left)
    memory: dict[str, Any] = ctx.memory.setdefault("access", {})
    kept = memory.pop("session", None)
    reader: SnmpReader = kept[1] if kept is not None and kept[0] == access else engine(access, ctx.clock)
    reader.begin()
    now = await fetch(reader, access.where, wanted, memory, ctx.clock)
    memory["session"] = (access, reader)  # after an error it is not kept
    before: Snapshot | None = memory.get("snapshot")
    memory["snapshot"] = now
    interface = now.interfaces[0]
    return Load(interface, rates(before, now).get(interface.name, {}), wanted.capacity or interface.speed)


async def fetch(
    reader: SnmpReader, where: str, wanted: AccessInterface, memory: dict[str, Any], clock: Clock
) -> Snapshot:
    """The interface in one request, once its ifIndex is known: it is looked up again when another has got that."""
    index: int = wanted.index or memory.get("index", 0)
    values = await _row(reader, index) if index else {}
    if not wanted.index and wanted.name not in _names(values, index):
        index = memory["index"] = await _find(reader, where, wanted.name)
        values = await _row(reader, index)
    at = clock.monotonic()
    if f"{mib.IF_OPER_STATUS}.{index}" not in values:
        raise ObserverError(
            "no-such-interface",
            f"{where}: no interface has ifIndex {index}: correct the index, or widen the view of this user",
            answered=True,
        )
    name = wanted.name or next(iter(_names(values, index)), str(index))
    up_time = number(values.get(mib.SYS_UP_TIME))
    before: Snapshot | None = memory.get("snapshot")
    return Snapshot(at, up_time, boot_minute(before, at, up_time, clock.now()), parse_interfaces({index: name}, values))


async def _row(reader: SnmpReader, index: int) -> dict[str, Any]:
    columns = (mib.IF_NAME, mib.IF_DESCR, *mib.INTERFACE, *(mib.HC_OCTETS if reader.counter64 else mib.OCTETS))
    values = await reader.get([mib.SYS_UP_TIME, *(f"{column}.{index}" for column in columns)])
    if reader.counter64 and without_64_bits([index], values):
        values.update(await reader.get([f"{column}.{index}" for column in mib.OCTETS]))
    return values


def _names(values: Mapping[str, Any], index: int) -> list[str]:
    found = (text(values.get(f"{column}.{index}")) for column in (mib.IF_NAME, mib.IF_DESCR))
    return [name for name in found if name]


async def _find(reader: SnmpReader, where: str, name: str) -> int:
    if_names = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_NAME)}
    if_descrs = {index_of(oid): text(value) async for oid, value in reader.walk(mib.IF_DESCR)}
    known = {
        text: index for names in (if_descrs, name_interfaces(if_names, if_descrs)) for index, text in names.items()
    }
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"
        raise ObserverError("no-such-interface", f"{where}: no interface is called {name!r}: {hint}", answered=True)
    return known[name]
