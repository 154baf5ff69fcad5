"""What the tunnels of routers have in common: tables, read by SNMP."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from checks.contract import Context, Target
from checks.snmp.access import access_of
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.reader import Access, SnmpReader, Value
from checks.snmp.tables import number, text
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import Tunnel

_SHARE: Final = 0.4
"""The part of a run's time that one request with all its tries may take."""


async def read(
    target: Target, params: VpnParams, ctx: Context, fetch: Callable[[SnmpReader, str], Awaitable[Tunnel]]
) -> Tunnel:
    """What a router shows of the tunnel to its peer. The session is kept between runs, unless it failed."""
    access = await access_of(target.address, params.snmp, ctx, _SHARE * ctx.timeout)
    kept: tuple[Access, SnmpReader] | None = ctx.memory.pop("session", None)
    reader = kept[1] if kept is not None and kept[0] == access else GufoReader(access, ctx.clock)
    reader.begin()
    tunnel = await fetch(reader, params.peer)
    ctx.memory["session"] = (access, reader)
    return tunnel


async def column(reader: SnmpReader, oid: str) -> dict[str, Value]:
    """A column of a table, by the rest of each instance's OID."""
    return {found.removeprefix(f"{oid}."): value async for found, value in reader.walk(oid)}


async def rows(reader: SnmpReader, oids: Mapping[str, str], indices: list[str]) -> dict[str, dict[str, Value]]:
    """The objects of rows, by index and then by name, as far as the device has them."""
    wanted = {f"{oid}.{index}": (index, name) for index in indices for name, oid in oids.items()}
    found: dict[str, dict[str, Value]] = {index: {} for index in indices}
    for oid, value in (await reader.get(list(wanted))).items():
        index, name = wanted[oid]
        found[index][name] = value
    return found


def address(value: Value) -> str:
    """An address: an IpAddress is text already, Cisco's IPSIpAddress 4 or 16 bytes."""
    if isinstance(value, bytes) and len(value) in (4, 16):
        return str(ipaddress.ip_address(value))
    return text(value)


def count(row: Mapping[str, Value], name: str) -> int:
    """A number of a row; 0 where the device has none."""
    return number(row.get(name)) or 0
