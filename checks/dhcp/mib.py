"""How full the pools of a DHCP server are, read over SNMP from the tables that servers and routers have for it.

Every one of the tables is looked for, so that nobody has to say what the server is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Sequence
from ipaddress import IPv4Address
from typing import Final

from checks.dhcp.pool import Pool
from checks.errors import ObserverError
from checks.snmp.reader import SnmpReader
from checks.snmp.tables import number, text

Index = Sequence[int]
"""The sub-identifiers of a row."""


def _scope(index: Index, used: int, free: int) -> Pool:
    return Pool(str(_address(index)), used + free, used)


def _range(index: Index, used: int, _: int) -> Pool:
    first, last = _address(index[:4]), _address(index[4:])
    return Pool(f"{first}-{last}", int(last) - int(first) + 1, used)


def _named(index: Index, used: int, total: int) -> Pool:
    """Indexed by a name, with its length before it (RFC 2578, section 7.7)."""
    length, *letters = index
    if length != len(letters):
        raise ValueError("a name of another length")
    return Pool(text(bytes(letters)), total, used)


def _address(index: Index) -> IPv4Address:
    if len(index) != 4:
        raise ValueError("an address has four bytes")
    return IPv4Address(bytes(index))


@dataclasses.dataclass(frozen=True)
class Table:
    """A MIB's table of pools: its column of what is in use, another that it takes to know the total (empty where the
    index says that), and what makes a pool of a row. That raises ValueError for an index that it cannot be."""

    mib: str
    used: str
    other: str
    pool: Callable[[Index, int, int], Pool]


TABLES: Final = (
    # Windows Server: scopeTable. noAddInUse, noAddFree; by subnetAdd.
    Table("DHCP-MIB", "1.3.6.1.4.1.311.1.3.2.1.1.2", "1.3.6.1.4.1.311.1.3.2.1.1.3", _scope),
    # Cisco IOS: cDhcpv4ServerRangeTable. cDhcpv4ServerRangeInUse, by the first and the last address.
    Table("CISCO-IETF-DHCP-SERVER-MIB", "1.3.6.1.4.1.9.10.102.1.4.3.1.4", "", _range),
    # H3C Comware: hh3cDHCPSrvGlobalPoolStatTable. hh3cDHCPSrvGlbPoolInUsedIpNum, hh3cDHCPSrvGlbPoolTotalIpNum; by name.
    Table("HH3C-DHCP-SERVER-MIB", "1.3.6.1.4.1.25506.2.101.2.6.1.8", "1.3.6.1.4.1.25506.2.101.2.6.1.7", _named),
)


async def read(reader: SnmpReader, where: str) -> tuple[Pool, ...]:
    """The pools in all tables that a device has. Raises what the reader does, and ObserverError when there are none."""
    pools = [pool for table in TABLES async for pool in _rows(reader, table)]
    if not pools:
        known = ", ".join(table.mib for table in TABLES)
        raise ObserverError(
            "snmp",
            f"{where} answers to SNMP, but shows no DHCP pools: expected rows of {known}; "
            "turn the MIB on, or widen the view of this community or user on the device",
        )
    return tuple(pools)


async def _rows(reader: SnmpReader, table: Table) -> AsyncIterator[Pool]:
    """The pools of one table, which for most devices has no rows."""
    used = await _column(reader, table.used)
    others = await _column(reader, table.other) if used and table.other else {}
    for row, count in used.items():
        other = others.get(row) if table.other else 0
        if count is None or other is None:
            continue
        try:
            yield table.pool([int(part) for part in row.split(".")], count, other)
        except ValueError:
            continue


async def _column(reader: SnmpReader, column: str) -> dict[str, int | None]:
    """The numbers in a column by row."""
    return {oid.removeprefix(f"{column}."): number(value) async for oid, value in reader.walk(column)}
