"""A small HTTP/1.1 client (RFC 9112) on asyncio streams; h11 knows the grammar. One connection, one request at a time.

The caller resolves names, chooses the address, sets the deadline (``asyncio.timeout``) and opens a new connection when
this one is no longer :attr:`Connection.usable`.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
import time
from collections.abc import Callable, Mapping

import h11

USER_AGENT = "thongsuot"
MAX_BODY_BYTES = 1 << 20
_CHUNK = 1 << 16
_TLS_CLOSE_SECONDS = 1.0


class HttpError(OSError):
    """The exchange failed above TCP and TLS. ``reason`` is ``closed`` (the peer hung up before the whole response),
    ``protocol`` (what it sent is not HTTP/1.1) or ``bad-request`` (ours would not have been HTTP)."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclasses.dataclass(frozen=True)
class Timings:
    """Where the time of a request went, in seconds. ``connect`` and ``tls`` are 0 on a connection that was open
    already. ``first_byte`` runs from the request's first byte to the response's headers, ``transfer`` from there to
    the body's end."""

    connect: float
    tls: float
    first_byte: float
    transfer: float

    @property
    def total(self) -> float:
        """All parts together, in seconds."""
        return self.connect + self.tls + self.first_byte + self.transfer


@dataclasses.dataclass(frozen=True)
class Response:
    """A response. Header names are in lower case, in the order sent. ``truncated`` says that the body was longer than
    the request's ``limit``."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    timings: Timings
    truncated: bool = False

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key == wanted), default)


class Connection:
    """A connection to one server, kept alive between requests."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        host: str,
        connect: float,
        tls: float,
        clock: Callable[[], float],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._opening = (connect, tls)
        self._clock = clock
        self._h11 = h11.Connection(h11.CLIENT)
        self._broken = False

    @classmethod
    async def open(
        cls,
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        host: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> Connection:
        """Connects to an IP address, over TLS when given a context.

        ``server_name`` is the name for SNI and for the certificate's verification (default: the address). ``host`` is
        the Host header (default: the server name, with the port when it is not the scheme's own).
        Raises OSError, ssl.SSLError among them.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            begin = clock()
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
            seconds = clock() - begin
        except BaseException:
            sock.close()
            raise
        name = server_name or address
        header = host or authority(name, port, tls=tls is not None)
        return await cls.over(sock, host=header, tls=tls, server_name=name, connect=seconds, clock=clock)

    @classmethod
    async def over(
        cls,
        sock: socket.socket,
        *,
        host: str,
        tls: ssl.SSLContext | None = None,
        server_name: str = "",
        connect: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> Connection:
        """The same over a socket that is connected already, which took ``connect`` seconds. Closes it on failure."""
        begin = clock()
        try:
            if tls is None:
                reader, writer = await asyncio.open_connection(sock=sock)
            else:
                reader, writer = await asyncio.open_connection(
                    sock=sock, ssl=tls, server_hostname=server_name, ssl_shutdown_timeout=_TLS_CLOSE_SECONDS
                )
        except BaseException:
            sock.close()
            raise
        handshake = clock() - begin if tls else 0.0
        return cls(reader, writer, host=host, connect=connect, tls=handshake, clock=clock)

    @property
    def usable(self) -> bool:
        """Whether another request may go over this connection. A server that hung up since is noticed when its FIN
        has arrived; one whose FIN is on the way makes the next request fail with reason ``closed``."""
        return (
            not self._broken
            and self._h11.our_state is h11.IDLE
            and not self._reader.at_eof()
            and not self._writer.is_closing()
        )

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER; None without TLS."""
        tls = self._writer.get_extra_info("ssl_object")
        der: bytes | None = tls.getpeercert(binary_form=True) if tls else None
        return der

    async def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        limit: int = MAX_BODY_BYTES,
    ) -> Response:
        """One request and its response. ``target`` is the path with its query; Host, User-Agent and Content-Length
        are added unless given. At most ``limit`` bytes of the body are kept; a longer one is cut and the connection
        closed. Raises HttpError, or OSError from below. After an error or a cancellation the connection is closed.
        """
        if not self.usable:
            raise HttpError("closed", "the connection is closed: open a new one")
        try:
            return await self._exchange(method, target, headers or {}, body, limit)
        except (h11.LocalProtocolError, UnicodeEncodeError) as error:
            self.abort()
            raise HttpError("bad-request", f"{method} {target}: not a valid request: {error}") from error
        except h11.RemoteProtocolError as error:
            self.abort()
            if self._reader.at_eof():
                raise HttpError("closed", "the server closed the connection in the middle of its answer") from error
            raise HttpError("protocol", f"the server does not speak HTTP/1.1: {error}") from error
        except BaseException:
            self.abort()
            raise

    async def _exchange(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, limit: int
    ) -> Response:
        connect, tls = self._opening
        self._opening = (0.0, 0.0)
        begin = self._clock()
        await self._send(method, target, headers, body)
        head = await self._next()
        while isinstance(head, h11.InformationalResponse):
            head = await self._next()
        assert isinstance(head, h11.Response)
        first = self._clock()
        content, truncated = await self._body(limit)
        timings = Timings(connect, tls, first - begin, self._clock() - first)
        if truncated or self._h11.our_state is not h11.DONE or self._h11.their_state is not h11.DONE:
            await self.close()
        else:
            self._h11.start_next_cycle()
        fields = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in head.headers)
        return Response(head.status_code, fields, content, timings, truncated)

    async def _send(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> None:
        given = {name.lower() for name in headers}
        fields = [(name, value) for name, value in headers.items()]
        if "host" not in given:
            fields.insert(0, ("Host", self._host))
        if "user-agent" not in given:
            fields.append(("User-Agent", USER_AGENT))
        if "content-length" not in given and (body or method in ("POST", "PUT", "PATCH")):
            fields.append(("Content-Length", str(len(body))))
        parts = [self._h11.send(h11.Request(method=method, target=target, headers=fields))]
        if body:
            parts.append(self._h11.send(h11.Data(data=body)))
        parts.append(self._h11.send(h11.EndOfMessage()))
        self._writer.write(b"".join(part for part in parts if part))
        # A server may refuse a body half-way and hang up: its answer is then still to be read.
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def _next(self) -> h11.Event:
        while True:
            event = self._h11.next_event()
            if event is h11.NEED_DATA:
                data = await self._reader.read(_CHUNK)
                if not data and self._h11.their_state is h11.SEND_RESPONSE:
                    when = "in the middle of its answer" if self._h11.trailing_data[0] else "without an answer"
                    raise HttpError("closed", f"the server closed the connection {when}")
                self._h11.receive_data(data)
            elif event is h11.PAUSED or isinstance(event, h11.ConnectionClosed):
                raise HttpError("closed", "the server closed the connection without an answer")
            else:
                assert not isinstance(event, type)
                return event

    async def _body(self, limit: int) -> tuple[bytes, bool]:
        content = bytearray()
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            assert isinstance(event, h11.Data)
            content += event.data
            if len(content) > limit:
                return bytes(content[:limit]), True
        return bytes(content), False

    async def close(self) -> None:
        """Closes in order: TLS close_notify, then FIN. Never raises; waits a second at most for the peer."""
        self._broken = True
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    def abort(self) -> None:
        """Drops the connection at once."""
        self._broken = True
        self._writer.transport.abort()

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def authority(name: str, port: int, *, tls: bool) -> str:
    """The Host header of a name and port (RFC 9110, 7.2): IPv6 in brackets, the scheme's own port left out."""
    host = f"[{name}]" if ":" in name else name
    return host if port == (443 if tls else 80) else f"{host}:{port}"
