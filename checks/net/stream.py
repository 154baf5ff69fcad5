"""A conversation over TCP, in clear or over TLS, that never lasts longer than the run it is part of."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Iterator
from typing import Final

from checks import tcp
from checks.contract import Context
from checks.errors import TargetError
from checks.model import Metric
from checks.net import reach, trust
from checks.tls import starttls

LIMIT: Final = 1 << 16
"""Bytes that one line or message may take."""

_TLS_CLOSE_SECONDS: Final = 1.0


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server is. With a ``context`` it is spoken to over TLS, at once or after ``begin`` in clear."""

    host: str
    port: int
    context: ssl.SSLContext | None = None
    begin: starttls.Protocol = ""

    def __str__(self) -> str:
        return reach.named(self.host, self.port)


@dataclasses.dataclass(frozen=True)
class Stream:
    """A connection that is open. ``own`` is this end's address."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    own: str
    metrics: tuple[Metric, ...]


def tls_context(*, verify: bool, ca_file: str) -> ssl.SSLContext:
    """What a client of today takes; with ``verify`` off, anything. Raises ObserverError for a bad ``ca_file``."""
    return trust.verifying(ca_file) if verify else trust.accepting()


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Turns what the verification of a server's certificate says into a TargetError that names the place."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        why = error.verify_message or str(error)
        raise TargetError("untrusted", f"{place}: its certificate is not accepted: {why}", answered=True) from error


@contextlib.asynccontextmanager
async def opened(server: Server, ctx: Context) -> AsyncIterator[Stream]:
    """A conversation with a server. Raises CheckError, or OSError from below, also from within: when the server hangs
    up (asyncio.IncompleteReadError), says too much (asyncio.LimitOverrunError) or nothing more in the run's time."""
    begun = ctx.clock.monotonic()
    connected = await tcp.connect(ctx, server.host, server.port)
    with connected.sock as sock:
        try:
            async with asyncio.timeout(max(0.0, ctx.timeout * reach.SHARE - (ctx.clock.monotonic() - begun))):
                if server.begin:
                    await starttls.begin(server.begin, sock, str(server))
                async with _over(connected, server, ctx) as stream:
                    yield stream
        except TimeoutError as error:
            text = f"{server}: accepts connections, but then says nothing in time"
            raise TargetError("timeout", text, answered=True) from error
        except asyncio.IncompleteReadError as error:
            said = f" after {error.partial[:80]!r}" if error.partial else ""
            raise TargetError("closed", f"{server}: hangs up{said}", answered=True) from error
        except asyncio.LimitOverrunError as error:
            text = f"{server}: says more than {LIMIT} bytes at once: it speaks another protocol"
            raise TargetError("protocol", text, answered=True) from error


@contextlib.asynccontextmanager
async def _over(connected: tcp.Connected, server: Server, ctx: Context) -> AsyncIterator[Stream]:
    begin = ctx.clock.monotonic()
    metrics: tuple[Metric, ...] = connected.metrics()
    own = connected.sock.getsockname()[0]
    if server.context is None:
        reader, writer = await asyncio.open_connection(sock=connected.sock, limit=LIMIT)
    else:
        with explained(str(server)):
            reader, writer = await asyncio.open_connection(
                sock=connected.sock,
                ssl=server.context,
                server_hostname=server.host,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS,
                limit=LIMIT,
            )
        metrics += (Metric("tls.handshake.duration", ctx.clock.monotonic() - begin, "s"),)
    try:
        yield Stream(reader, writer, own, metrics)
    finally:
        writer.transport.abort()
