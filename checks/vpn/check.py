"""The check ``vpn``: whether an office's traffic really passes through its tunnel."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from checks.contract import Check, Context, Target, host_port
from checks.errors import CheckError, ObserverError
from checks.model import Outcome
from checks.net import local
from checks.vpn import cisco, fortigate, openvpn, strongswan, wireguard
from checks.vpn.judge import Seen, judge
from checks.vpn.params import ROUTERS, VpnParams
from checks.vpn.proof import prove, stray
from checks.vpn.tunnel import AbsentError, Tunnel

_READ: Final[Mapping[str, Callable[[Target, VpnParams, Context], Awaitable[Tunnel]]]] = {
    "wireguard": wireguard.read,
    "strongswan": strongswan.read,
    "openvpn": openvpn.read,
    "cisco": cisco.read,
    "fortigate": fortigate.read,
}


async def run(target: Target, params: VpnParams, ctx: Context) -> Outcome:
    """Reads the tunnel, sends a nonce through it, reads it again, judges both. A router's tunnel is read once: its
    counters are not of the moment."""
    if not params.kind:
        raise ObserverError("bad-params", f"check vpn: kind is needed: one of {', '.join(_READ)}; and through")
    if not target.address:
        raise ObserverError("bad-target", f"target '': expected {CHECK.target}")
    before = None if params.kind in ROUTERS else await _read(target, params, ctx)
    proof = await prove(params, ctx)
    after = await _read(target, params, ctx)
    if not proof.passed and (ours := _own_fault(after, params)):
        raise ours
    carried = after.grown_since(before) if before is not None else None
    outside = await stray(params, ctx) if proof.passed else ""
    return judge(target.address, Seen(after, proof, ctx.clock.monotonic(), carried, outside), ctx.memory)


def _own_fault(tunnel: Tunnel, params: VpnParams) -> ObserverError | None:
    """Why nothing can have left this host for the other end of a tunnel of its own. None when it can."""
    if params.kind in ROUTERS:
        return None
    with contextlib.suppress(CheckError, ValueError):  # the other end may be told by its name, or not at all
        return local.fault_towards(ipaddress.ip_address(host_port(tunnel.peer, 0)[0]))
    return local.fault(params.source)


async def _read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel. That its daemon does not run is no fault of the observer; whether it is an outage, traffic tells."""
    try:
        return await _READ[params.kind](target, params, ctx)
    except AbsentError as absent:
        return Tunnel.unknown(str(absent))


CHECK = Check(
    name="vpn",
    about="whether traffic really passes a VPN tunnel, and does not go round it; age of its keys, bytes, rekeys",
    target="an interface (WireGuard), a connection (strongSwan), the management socket (OpenVPN), or a router's host",
    params=VpnParams,
    run=run,
)
