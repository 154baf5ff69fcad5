"""A FortiGate's IPsec tunnels (FORTINET-FORTIGATE-MIB, fgVpnTunTable): a row for each selector of phase 2.

A row stays while its tunnel is down. Octets of two moments do not tell what passed between them: the table is refreshed
now and then.
"""

from __future__ import annotations

from typing import Final

from checks.contract import Context, Target
from checks.snmp.reader import SnmpReader
from checks.snmp.tables import text
from checks.vpn import router
from checks.vpn.params import VpnParams
from checks.vpn.router import address, column, count, rows
from checks.vpn.tunnel import Count, Tunnel, no_such

_TABLE: Final = "1.3.6.1.4.1.12356.101.12.2.2.1"
_COLUMNS: Final = {
    "phase1": f"{_TABLE}.2",  # fgVpnTunEntPhase1Name
    "phase2": f"{_TABLE}.3",  # fgVpnTunEntPhase2Name
    "remote": f"{_TABLE}.4",  # fgVpnTunEntRemGwyIp
    "in": f"{_TABLE}.18",  # fgVpnTunEntInOctets
    "out": f"{_TABLE}.19",  # fgVpnTunEntOutOctets
    "status": f"{_TABLE}.20",  # fgVpnTunEntStatus
}
_NAMES: Final = ("phase1", "phase2", "remote")
_UP: Final = 2


async def read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel of a FortiGate by a name of phase 1 or 2, or by its gateway. Raises TargetError when the device does
    not answer, ObserverError when it has no such tunnel."""
    return await router.read(target, params, ctx, fetch)


async def fetch(reader: SnmpReader, peer: str) -> Tunnel:
    """:func:`read` by a chosen reader."""
    names: dict[str, set[str]] = {}
    for name in _NAMES:
        for index, value in (await column(reader, _COLUMNS[name])).items():
            names.setdefault(index, set()).add(address(value) if name == "remote" else text(value))
    indices = [index for index, known in names.items() if peer in known]
    if not indices:
        raise no_such("the FortiGate has no tunnel", peer, (name for known in names.values() for name in known if name))
    found = await rows(reader, _COLUMNS, indices)
    up = {index: row for index, row in found.items() if row.get("status") == _UP}
    one = next(iter(found.values()))
    who = f"{text(one.get('phase1'))} ({address(one.get('remote'))})"
    return Tunnel(
        up=bool(up),
        said=f"{len(up)} of {len(found)} selectors of {who} are up",
        peer=address(one.get("remote")),
        counts={index: Count(count(row, "in"), count(row, "out")) for index, row in found.items() if "in" in row},
        facts={"peer": address(one.get("remote")), "phase1": text(one.get("phase1"))},
    )
