"""The check ``dns``: whether a DNS server answers, what, on whose word, and how fast."""

from __future__ import annotations

import functools

from checks.contract import Check, Context, Target, host_port
from checks.dns.exchange import Exchange, Server, fetch
from checks.dns.judge import judge
from checks.dns.message import Query
from checks.dns.params import DnsParams
from checks.model import Outcome
from checks.net.reach import by_family

_REFUSES_EDNS = ("FORMERR", "NOTIMP")  # RFC 6891, section 7


async def run(target: Target, params: DnsParams, ctx: Context) -> Outcome:
    """Asks the server, and judges its answer."""
    return await by_family(params.family, target.address, ctx, functools.partial(_look, target, params))


async def _look(target: Target, params: DnsParams, ctx: Context) -> Outcome:
    server = Server(*host_port(target.address, 53))
    exchange = await _ask(server, params, ctx, edns=True)
    if exchange.response.rcode_name in _REFUSES_EDNS and not exchange.response.edns:
        exchange = await _ask(server, params, ctx, edns=False)
    return judge(target.address, exchange, params, ctx.memory)


async def _ask(server: Server, params: DnsParams, ctx: Context, *, edns: bool) -> Exchange:
    def query(number: int) -> Query:
        return Query(number, params.name, params.asked, params.recursion, params.dnssec, edns)

    return await fetch(server, query, params.transport, ctx)


CHECK = Check(
    name="dns",
    about="whether a DNS server answers a question, what it answers, on whose word, and how fast",
    target="the server: host or host:port",
    params=DnsParams,
    run=run,
)
