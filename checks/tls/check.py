"""Fetches what a server or a file shows, has it examined, and judges it."""

from __future__ import annotations

import asyncio

from checks.contract import Check, Context, Target, host_port
from checks.errors import ObserverError, TargetError
from checks.model import Outcome
from checks.net import trust
from checks.tls import files, handshake
from checks.tls.child import examine
from checks.tls.examined import Asked
from checks.tls.handshake import Server
from checks.tls.judge import Shown, Subject, judge
from checks.tls.names import ascii_name
from checks.tls.params import TlsParams
from checks.tls.starttls import PORTS

_SHARE = 0.9
"""The part of a run's time that may pass before it is too late to say why."""


async def run(target: Target, params: TlsParams, ctx: Context) -> Outcome:
    """Looks at a server, or at a file."""
    begun = ctx.clock.monotonic()
    look = _file if files.is_file(target.address) else _server
    return await look(target.address, params, ctx, begun)


async def _server(address: str, params: TlsParams, ctx: Context, begun: float) -> Outcome:
    host, port = host_port(address, PORTS[params.starttls])
    name = params.server_name or host
    try:
        ascii_name(name)
    except ValueError as error:
        raise ObserverError("bad-target", f"target {address!r}: {error}") from error
    times, shown = await handshake.fetch(Server(host, port, name), params, ctx)
    if not shown.sent:
        raise TargetError("no-certificate", f"{name}: the server shows no certificate", answered=True)
    now = ctx.clock.now() / 1000
    asked = Asked(
        at=now,
        name=name,
        sent=shown.sent,
        used=shown.used,
        crl_file=params.crl_file,
        staple=shown.staple,
        strict=params.strictly and bool(shown.used),
    )
    examined = await examine(asked, name, ctx, limit=_left(ctx, begun))
    return judge(Subject(name, name, now), Shown(examined, shown), params, ctx.memory, times)


async def _file(path: str, params: TlsParams, ctx: Context, begun: float) -> Outcome:
    """Without ``server_name`` only the age and strength of each certificate are judged."""
    data = await asyncio.to_thread(files.fetch, path)
    now = ctx.clock.now() / 1000
    trusted = bool(params.server_name) and params.verify
    if trusted:
        trust.verifying(params.ca_file)  # says what is wrong with ca_file
    asked = Asked(
        at=now,
        name=params.server_name,
        file=data,
        password=params.password,
        trust=trusted,
        ca_file=params.ca_file,
        crl_file=params.crl_file,
        strict=trusted and params.strictly,
    )
    examined = await examine(asked, path, ctx, limit=_left(ctx, begun))
    return judge(Subject(path, params.server_name, now), Shown(examined), params, ctx.memory)


def _left(ctx: Context, begun: float) -> float:
    return max(0.1, ctx.timeout * _SHARE - (ctx.clock.monotonic() - begun))


CHECK = Check(
    name="tls",
    about="how long certificates last, whether clients trust them, and by what protocol a server speaks",
    target="host or host:port, by default the protocol's own port; or the absolute path of a file on the agent's host",
    params=TlsParams,
    run=run,
)
