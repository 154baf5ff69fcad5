"""The proof that traffic passes: a nonce that is sent to somebody beyond the tunnel, and comes back.

It is a short run of STAMP packets, whose timestamps and Session Identifier only the reflector that received them knows,
and only with its key if there is one; or of echo requests with a random cookie.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
from typing import Final

from checks.contract import Address, Context
from checks.errors import ObserverError, from_os_error
from checks.ping import PingParams
from checks.ping import fetch as ping
from checks.stamp.packet import base_bytes
from checks.stamp.sender import Run, Sending, connected, send
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import endpoint
from checks.wan.path import trace

_SHARE: Final = 0.5
"""The part of a run's time that sending and waiting may take."""
_OURS: Final = ("no-permission", "no-descriptors")
_STRAY_SHARE: Final = 0.08
_HOPS: Final = 8
"""How far to look for a router outside the tunnel: near the office."""


@dataclasses.dataclass(frozen=True)
class Proof:
    """``sent`` packets to ``whom``, each of ``size`` bytes or more; ``times`` are the round trips in s, ascending, of
    those that came back. ``refusal`` is what was said instead."""

    whom: str
    sent: int
    size: int
    times: tuple[float, ...] = ()
    refusal: str = ""

    @property
    def passed(self) -> bool:
        """Whether any came back."""
        return bool(self.times)

    @property
    def loss(self) -> float:
        """In %."""
        return 100 * (1 - len(self.times) / self.sent)


async def prove(params: VpnParams, ctx: Context) -> Proof:
    """Sends, and waits for what comes back. Raises ObserverError when the run's time does not suffice, or when this
    agent may not send, or not from that source. A network that takes nothing is no error: nothing came back."""
    sending = (params.count - 1) * params.spacing
    waiting = min(params.wait, ctx.timeout * _SHARE - sending)
    if waiting <= 0:
        raise ObserverError(
            "bad-params",
            f"check vpn: {params.count} packets {params.spacing:g} s apart do not fit into half of a deadline of "
            f"{ctx.timeout:g} s: send fewer, or give the job more time",
        )
    address, source = await _ends(params, ctx)
    if params.probe == "ping":
        asking = PingParams(count=params.count, spacing=params.spacing, wait=waiting)
        return await _by_ping(params.reflector[0], address, source, asking, ctx)
    plan = Sending(params.count, params.spacing, waiting, params.key.encode())
    return await _by_stamp(endpoint(*params.reflector), (address, params.reflector[1]), source, plan)


async def _ends(params: VpnParams, ctx: Context) -> tuple[Address, Address | None]:
    """Where to send to, and the source, None when it is left to the routes. Raises ObserverError when the source is not
    this host's, or none of the target's addresses is of its IP version."""
    host, found = params.reflector[0], await ctx.resolve(params.reflector[0])
    if not params.source:
        return found[0], None
    source = ipaddress.ip_address(params.source)
    with socket.socket(socket.AF_INET6 if source.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((params.source, 0))
        except OSError as error:
            raise ObserverError(
                "no-address", f"source {source} is not an address of this agent's host: correct the job's source"
            ) from error
    same = [address for address in found if address.version == source.version]
    if not same:
        raise ObserverError("bad-params", f"check vpn: source {source} and {host} are not of one IP version")
    return same[0], source


async def _by_stamp(whom: str, where: tuple[Address, int], source: Address | None, plan: Sending) -> Proof:
    try:
        with connected(*where, source) as sock:
            return _of_stamp(whom, plan, await send(sock, plan))
    except OSError as error:
        return Proof(whom, plan.count, base_bytes(plan.key), refusal=_refused(error))


def _of_stamp(whom: str, plan: Sending, run: Run) -> Proof:
    times = {reply.sequence: reply.round_trip / 1e9 for reply in run.replies}
    refusal = _refused(run.refusal) if run.refusal and not times else ""
    if run.forged + run.foreign + run.truncated:
        refusal = "what came back is not authentic: compare key with the reflector's"
    return Proof(whom, run.sent, base_bytes(plan.key), tuple(sorted(times.values())), refusal)


async def _by_ping(host: str, address: Address, source: Address | None, asking: PingParams, ctx: Context) -> Proof:
    try:
        tally = await ping(address, asking, ctx, source=source)
    except OSError as error:
        return Proof(host, asking.count, asking.size, refusal=_refused(error))
    refusal = f"{tally.refusal.words}, says {tally.refusal.source}" if tally.refusal else ""
    return Proof(host, asking.count, asking.size, tuple(sorted(tally.times)), refusal)


async def stray(params: VpnParams, ctx: Context) -> str:
    """The first hop of the path that may not be seen, since it is outside the tunnel; empty when there is none."""
    if not params.outside:
        return ""
    address, source = await _ends(params, ctx)
    path = await trace(address, hops=_HOPS, wait=min(params.wait, ctx.timeout * _STRAY_SHARE), source=source)
    return next((hop for hop in path.heard if hop in params.outside), "")


def _refused(error: OSError) -> str:
    """Why nothing could be sent: a missing route, say, is what a tunnel leaves behind that went away. Raises
    ObserverError when this agent may not send, which says nothing of the tunnel."""
    known = from_os_error(error, "")
    if known.reason in _OURS:
        raise known from error
    return known.summary.removeprefix(": ")
