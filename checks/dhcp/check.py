"""The check ``dhcp``: who offers addresses on an office's LAN, and whether they are those who should."""

from __future__ import annotations

import secrets
from typing import Final

from checks.contract import Check, Context, Target
from checks.dhcp import child, interface, usage
from checks.dhcp.answers import Question, collect, random_mac
from checks.dhcp.judge import judge
from checks.dhcp.params import DhcpParams
from checks.errors import ObserverError
from checks.model import Outcome

_SHARE: Final = 0.9
"""The part of a run's time that it may take; the rest is for ending the child."""
_POOLS_TIME: Final = 2.0
"""Seconds of it for asking how full the pools are."""


async def run(target: Target, params: DhcpParams, ctx: Context) -> Outcome:
    """Asks, listens, and judges what was heard."""
    lan = interface.find(target.address)
    if params.ipv6 and params.expect6.servers and not lan.link_local:
        raise ObserverError(
            "no-link-local", f"interface {lan.name} has no link-local address: turn IPv6 on, or ipv6 off"
        )
    question = Question.made(secrets.token_bytes, _mac(params, lan, ctx))
    heard = await fetch(lan, question, params, ctx)
    answers = collect(heard.frames, question, heard.dropped)
    pools = await usage.read(params, ctx, _POOLS_TIME)
    return judge(lan.name, answers, pools, params, ctx.memory)


def _mac(params: DhcpParams, lan: interface.Interface, ctx: Context) -> bytes:
    """A random address is kept for the job's next runs: a server that holds what it offered for a while would else run
    out of addresses."""
    if params.mac == "interface":
        return lan.mac
    if params.mac != "random":
        return bytes.fromhex(params.mac.replace(":", ""))
    mac: bytes = ctx.memory.setdefault("mac", random_mac(secrets.token_bytes))
    return mac


async def fetch(lan: interface.Interface, question: Question, params: DhcpParams, ctx: Context) -> child.Heard:
    """Asks on a LAN, and listens for the window. Raises ObserverError when that does not fit into the run's time, or
    cannot be done on this host."""
    available = ctx.timeout * _SHARE - (_POOLS_TIME if usage.is_asked(params) else 0)
    if available < params.window:
        raise ObserverError(
            "bad-params",
            f"check dhcp: a window of {params.window:g} s does not fit into a deadline of {ctx.timeout:g} s: "
            "listen shorter, or give the job more time",
        )
    asking = child.Asking(
        question.mac,
        question.discover if params.ipv4 else b"",
        question.solicit if params.ipv6 else b"",
        params.window,
    )
    return await child.probe(lan, asking, available)


CHECK = Check(
    name="dhcp",
    about="who offers addresses on a LAN, and what: servers, relays and routers that should not be there, full pools",
    target="name of the network interface in that LAN",
    params=DhcpParams,
    run=run,
)
