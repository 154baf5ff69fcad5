"""Asks one DNS server: over UDP, then over TCP when the answer is too long for it."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable

from checks import tcp
from checks.contract import Address, Context
from checks.dns.message import Query, Response, answers, parse
from checks.errors import TargetError
from checks.net import reach, udp

MakeQuery = Callable[[int], Query]
"""A query with this message id."""


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server is, under the host's name that the topology gives it."""

    host: str
    port: int

    def __str__(self) -> str:
        return reach.named(self.host, self.port)


@dataclasses.dataclass(frozen=True)
class Exchange:
    """What came back, and the seconds from the question to the answer, over UDP and TCP together."""

    response: Response
    seconds: float


async def fetch(server: Server, make: MakeQuery, transport: str, ctx: Context) -> Exchange:
    """The response of the first of a server's addresses that answers. Raises CheckError."""

    async def attempt(address: Address, seconds: float) -> Exchange:
        if transport == "tcp":
            return await _over_tcp(server, address, make, ctx)
        over_udp = await _over_udp(server, address, make, seconds)
        if not over_udp.response.truncated:
            return over_udp
        over_tcp = await _over_tcp(server, address, make, ctx)
        return dataclasses.replace(over_tcp, seconds=over_udp.seconds + over_tcp.seconds)

    return (await reach.first(ctx, server.host, server.port, attempt)).value


async def _over_udp(server: Server, address: Address, make: MakeQuery, seconds: float) -> Exchange:
    def question() -> udp.Question[Response]:
        query = make(secrets.randbits(16))
        return udp.Question(query.pack(), lambda data: _response(server, query, data))

    answer = await udp.ask(address, server.port, seconds, question)
    return Exchange(answer.value, answer.seconds)


async def _over_tcp(server: Server, address: Address, make: MakeQuery, ctx: Context) -> Exchange:
    """RFC 7766: each message behind its length in two bytes."""
    query = make(secrets.randbits(16))
    message = query.pack()
    begin = ctx.clock.monotonic()
    reader, writer = await asyncio.open_connection(sock=await tcp.connect_to(address, server.port))
    try:
        writer.write(len(message).to_bytes(2) + message)
        data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    except asyncio.IncompleteReadError as error:
        raise TargetError("closed", f"{server}: hangs up without an answer over TCP", answered=True) from error
    finally:
        writer.transport.abort()
    seconds = ctx.clock.monotonic() - begin
    response = _response(server, query, data)
    if response is None:
        raise TargetError("malformed", f"{server}: answers over TCP what was not asked", answered=True)
    return Exchange(response, seconds)


def _response(server: Server, query: Query, data: bytes) -> Response | None:
    """The response in some bytes; None when it is to no question of ours."""
    if data[:2] != query.id.to_bytes(2):
        return None
    try:
        response = parse(data)
    except ValueError as error:
        text = f"{server}: what answers is no DNS server, or a broken one: {error}"
        raise TargetError("malformed", text, answered=True) from error
    return response if answers(query, response) else None
