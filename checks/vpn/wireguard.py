"""WireGuard, asked by ``wg show``: four questions, none of whose answers holds a private or pre-shared key.

``wg show … dump`` would give everything at once, and the private key with it; so would netlink. All four need
CAP_NET_ADMIN, which the agent has not: thongsuot-wireguard.socket starts a helper that has, and asks nothing else.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ipaddress
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from checks.child import ask
from checks.contract import Address, Context, Network, Target
from checks.errors import ObserverError
from checks.vpn.control import Daemon, dialled, limit
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import NOTHING, AbsentError, Count, Tunnel, no_such

QUESTIONS: Final = ("endpoints", "allowed-ips", "latest-handshakes", "transfer")
HELPER: Final = "/run/thongsuot-wireguard.sock"
_LACKING: Final = (
    "this agent may not ask WireGuard: it lacks CAP_NET_ADMIN; enable thongsuot-wireguard.socket on its host, "
    f"and set socket to {HELPER}"
)
_REJECT_AFTER: Final = 180
"""Seconds that the keys of a handshake are good for: Reject-After-Time (WireGuard's paper, section 6.1)."""

_CAP_NET_ADMIN: Final = 1 << 12
_MOST_BYTES: Final = 4 << 20


@dataclasses.dataclass(frozen=True)
class Peer:
    """Who may be at the other end. ``handshake`` is the Unix time in s of the latest, 0 when there was none."""

    key: str
    endpoint: str = ""
    allowed: tuple[Network, ...] = ()
    handshake: int = 0
    count: Count = NOTHING


async def read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel of an interface. Raises AbsentError when there is no such interface or helper, ObserverError when it
    may not be asked, or has no such peer."""
    answers = await (_by_helper(params.socket, ctx) if params.socket else _by_command(ctx))
    found = parse(answers)
    if target.address not in found:
        raise AbsentError(f"WireGuard has no interface {target.address} with a peer")
    peer = choose(found[target.address], params.peer, (await ctx.resolve(params.reflector[0]))[0])
    return tunnel_of(peer, ctx.clock.now() // 1000)


async def _by_helper(path: str, ctx: Context) -> str:
    async with dialled(Daemon("the WireGuard helper", path), ctx) as (reader, _):
        said = bytearray()
        while len(said) <= _MOST_BYTES and (more := await reader.read(1 << 16)):
            said += more
    return said.decode(errors="replace")


async def _by_command(ctx: Context) -> str:
    if not _may_administrate():
        raise ObserverError("no-permission", _LACKING)
    try:
        async with asyncio.timeout(limit(ctx)):
            answers = [await ask(["wg", "show", "all", question], b"") for question in QUESTIONS]
    except FileNotFoundError as error:
        raise ObserverError("not-installed", "wg is not on this agent's host: install wireguard-tools there") from error
    except TimeoutError as error:
        raise ObserverError("control", f"wg does not answer within {limit(ctx):.3g} s") from error
    return "".join(f"{answer.decode(errors='replace')}\n" for answer in answers)


def _may_administrate() -> bool:
    """Whether a child of this process has CAP_NET_ADMIN."""
    passed_on = "CapEff:" if os.geteuid() == 0 else "CapAmb:"
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    found = next(line for line in status.splitlines() if line.startswith(passed_on))
    return bool(int(found.split()[1], 16) & _CAP_NET_ADMIN)


def parse(answers: str) -> dict[str, list[Peer]]:
    """The peers of each interface, from the answers to QUESTIONS, each with an empty line behind it. Raises
    ObserverError when they are something else."""
    rows: list[dict[tuple[str, str], list[str]]] = [{}]
    for line in answers.splitlines():
        if not line:
            rows.append({})
            continue
        interface, _, rest = line.partition("\t")
        key, _, value = rest.partition("\t")
        rows[-1][interface, key] = value.split()
    if len(rows) != len(QUESTIONS) + 1:
        raise ObserverError("control", f"WireGuard: expected the answers to {len(QUESTIONS)} questions of wg show")
    found: dict[str, list[Peer]] = {}
    try:
        for interface, key in rows[0]:
            endpoint, allowed, handshake, transfer = (answer.get((interface, key), ()) for answer in rows[:-1])
            found.setdefault(interface, []).append(_peer(key, endpoint, allowed, handshake, transfer))
    except ValueError as error:
        raise ObserverError("control", f"WireGuard: wg show answers unlike itself: {error}") from error
    return found


def _peer(
    key: str, endpoint: Sequence[str], allowed: Sequence[str], handshake: Sequence[str], transfer: Sequence[str]
) -> Peer:
    received, sent = transfer or ("0", "0")
    return Peer(
        key,
        "".join(word for word in endpoint if word != "(none)"),
        tuple(ipaddress.ip_network(word) for word in allowed if word != "(none)"),
        int("".join(handshake) or 0),
        Count(int(received), int(sent)),
    )


def choose(peers: Sequence[Peer], wanted: str, through: Address) -> Peer:
    """The peer of a public key or endpoint; without one that to which WireGuard itself would send what is for an
    address. Raises ObserverError when there is none."""
    if wanted:
        for peer in peers:
            if wanted in (peer.key, peer.endpoint, peer.endpoint.rpartition(":")[0].strip("[]")):
                return peer
        raise no_such("WireGuard has no peer", wanted, (peer.endpoint or peer.key for peer in peers))
    routes = [(net.prefixlen, i) for i, peer in enumerate(peers) for net in peer.allowed if through in net]
    if not routes:
        listed = ", ".join(str(net) for peer in peers for net in peer.allowed) or "none"
        raise ObserverError(
            "no-such-tunnel", f"no peer of this WireGuard interface may take what is for {through}; allowed: {listed}"
        )
    return peers[max(routes)[1]]


def tunnel_of(peer: Peer, now: int) -> Tunnel:
    """A peer as a tunnel, at a Unix time in s."""
    who = peer.endpoint or peer.key
    age = max(now - peer.handshake, 0) if peer.handshake else None
    up = age is not None and age <= _REJECT_AFTER
    if age is None:
        said = f"no handshake with {who} yet: it is unreachable, or one end does not have the other's key"
    else:
        said = f"handshake with {who}" if up else f"the last handshake with {who} was {age} s ago"
    return Tunnel(
        up,
        said,
        peer=who,
        age=age,
        keys=str(peer.handshake or ""),
        counts={peer.key: peer.count},
        facts={"peer": peer.key, "endpoint": peer.endpoint},
    )
