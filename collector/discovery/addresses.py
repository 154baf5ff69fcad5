"""The addresses that a device has, and those that it says its neighbours have."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from checks.snmp.points import address, address_in
from checks.snmp.reader import SnmpReader

IP_ADDRESS_IF_INDEX: Final = "1.3.6.1.2.1.4.34.1.3"  # IP-MIB (RFC 4293); the index is the address
IP_AD_ENT_ADDR: Final = "1.3.6.1.2.1.4.20.1.1"  # its forerunner, of IPv4 alone
LLDP_REM_MAN_ADDR_IF_SUBTYPE: Final = "1.0.8802.1.1.2.1.4.2.1.3"  # the index ends in the address
CDP_CACHE_ADDRESS: Final = "1.3.6.1.4.1.9.9.23.1.2.1.1.4"
MTXR_NEIGHBOR_IP_ADDRESS: Final = "1.3.6.1.4.1.14988.1.1.11.1.1.2"
_LLDP_ROW: Final = 3
"""Before the address in LLDP's index: time mark, local port, number of the neighbour."""


async def own_addresses(reader: SnmpReader) -> tuple[str, ...]:
    """Those of its interfaces, loopback and link-local ones aside, each once. Raises TargetError and ObserverError."""
    found = [address_in(index, "inet") for index in await _indexes(reader, IP_ADDRESS_IF_INDEX)]
    found += [address(value) async for _, value in reader.walk(IP_AD_ENT_ADDR)]
    return _usable(found)


async def neighbours_addresses(reader: SnmpReader) -> tuple[str, ...]:
    """Those by which neighbours say they are managed, by LLDP, CDP and MNDP. Raises TargetError and ObserverError."""
    found = [lldp_address(index) for index in await _indexes(reader, LLDP_REM_MAN_ADDR_IF_SUBTYPE)]
    for column in (CDP_CACHE_ADDRESS, MTXR_NEIGHBOR_IP_ADDRESS):
        found += [address(value) async for _, value in reader.walk(column)]
    return _usable(found)


def lldp_address(index: str) -> str:
    """The address in the index of a row of lldpRemManAddrTable. Empty for none: a MAC address, say."""
    family, _, numbers = index.split(".", _LLDP_ROW)[-1].partition(".")
    lengths = {"1": 4, "2": 16}  # AddressFamilyNumbers
    if numbers.count(".") + 1 == lengths.get(family):  # some devices leave the length out
        return address_in(f"{family}.{lengths[family]}.{numbers}", "inet")
    return address_in(f"{family}.{numbers}", "inet") if family in lengths else ""


async def _indexes(reader: SnmpReader, column: str) -> list[str]:
    return [oid.removeprefix(f"{column}.") async for oid, _ in reader.walk(column)]


def _usable(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for one in dict.fromkeys(found) if one and _is_usable(one))


def _is_usable(text: str) -> bool:
    one = ipaddress.ip_address(text)
    return not (one.is_loopback or one.is_link_local or one.is_unspecified or one.is_multicast)
