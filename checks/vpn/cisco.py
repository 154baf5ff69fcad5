"""Cisco's IPsec tunnels (CISCO-IPSEC-FLOW-MONITOR-MIB): cikeTunnelTable for phase 1, cipSecTunnelTable for phase 2.

A tunnel has a row while it is active, and none when it is not. A router refreshes these tables now and then, so its
octets of two moments do not tell what passed between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from checks.contract import Context, Target
from checks.errors import ObserverError
from checks.snmp.reader import SnmpReader, Value
from checks.snmp.tables import number
from checks.vpn import router
from checks.vpn.params import VpnParams
from checks.vpn.router import address, column, count, rows
from checks.vpn.tunnel import Count, Tunnel

_IKE: Final = "1.3.6.1.4.1.9.9.171.1.2.3.1"
_IPSEC: Final = "1.3.6.1.4.1.9.9.171.1.3.2.1"
_ACTIVE_TUNNELS: Final = "1.3.6.1.4.1.9.9.171.1.3.1.1.0"  # cipSecGlobalActiveTunnels
_IKE_REMOTE_ADDR: Final = f"{_IKE}.8"  # cikeTunRemoteAddr
_REMOTE_ADDR: Final = f"{_IPSEC}.5"  # cipSecTunRemoteAddr
_COLUMNS: Final = {
    "active_time": f"{_IPSEC}.10",  # cipSecTunActiveTime, in hundredths of a second
    "refreshes": f"{_IPSEC}.13",  # cipSecTunTotalRefreshes
    "in": f"{_IPSEC}.26",  # cipSecTunInOctets
    "hc_in": f"{_IPSEC}.27",  # cipSecTunHcInOctets
    "out": f"{_IPSEC}.39",  # cipSecTunOutOctets
    "hc_out": f"{_IPSEC}.40",  # cipSecTunHcOutOctets
    "status": f"{_IPSEC}.51",  # cipSecTunStatus
}
_ACTIVE: Final = 1


async def read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel of a router to a peer. Raises TargetError when the router does not answer, ObserverError when it shows
    no such tables."""
    return await router.read(target, params, ctx, fetch)


async def fetch(reader: SnmpReader, peer: str) -> Tunnel:
    """:func:`read` by a chosen reader."""
    indices = [index for index, value in (await column(reader, _REMOTE_ADDR)).items() if address(value) == peer]
    found = await rows(reader, _COLUMNS, indices)
    active = {index: row for index, row in found.items() if row.get("status", _ACTIVE) == _ACTIVE}
    if not active:
        return Tunnel(up=False, said=await _why_not(reader, peer), peer=peer)
    times = [ticks / 100 for row in active.values() if (ticks := number(row.get("active_time"))) is not None]
    return Tunnel(
        up=True,
        said=f"phase 2 with {peer} is active",
        peer=peer,
        age=min(times, default=None),
        keys=" ".join(f"{index}:{count(row, 'refreshes')}" for index, row in active.items()),
        counts={index: _count(row) for index, row in active.items()},
        facts={"peer": peer},
    )


async def _why_not(reader: SnmpReader, peer: str) -> str:
    """What there is instead of a tunnel."""
    if peer in map(address, (await column(reader, _IKE_REMOTE_ADDR)).values()):
        return (
            f"phase 1 with {peer} is active, phase 2 is not: compare the transform sets and access lists of both ends"
        )
    if not await reader.get([_ACTIVE_TUNNELS]):
        raise ObserverError(
            "no-such-table",
            "the device shows nothing of CISCO-IPSEC-FLOW-MONITOR-MIB: widen the view of this community or user, "
            "or correct kind",
        )
    return f"the router has no tunnel to {peer}: that end is unreachable, or does not agree"


def _count(row: Mapping[str, Value]) -> Count:
    return Count(count(row, "hc_in") or count(row, "in"), count(row, "hc_out") or count(row, "out"))
