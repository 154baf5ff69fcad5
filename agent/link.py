"""Requests to the collector: one kept connection, opened again when it is gone. Two lanes have one each."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

from agent.settings import Settings
from agent.wire import CONTENT_TYPE
from checks.errors import from_os_error
from checks.net.http1 import Connection, HttpError, Response

CONNECT_SECONDS = 5.0
"""For one address of the collector; with several, the next is tried after it."""
REQUEST_SECONDS = 30.0
MAX_PLAN_BYTES = 16 << 20


class AwayError(Exception):
    """The collector cannot be reached, or did not answer. Says where and why."""


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """How the collector is verified: by ``ca_file`` or the system's authorities; None for http:// to loopback."""
    if not settings.collector.startswith("https:"):
        return None
    return ssl.create_default_context(cafile=settings.ca_file or None)


class Link:
    """A way to the collector. One request at a time."""

    def __init__(self, settings: Settings, tls: ssl.SSLContext | None, *, timeout: float = REQUEST_SECONDS) -> None:
        parts = urlsplit(settings.collector)
        self._host = parts.hostname or ""
        self._port = parts.port or (443 if tls else 80)
        self._base = parts.path.rstrip("/")
        self._authorization = f"Bearer {settings.token}"
        self._tls = tls
        self._timeout = timeout
        self._connection: Connection | None = None

    async def connect(self) -> None:
        """Makes sure that there is a connection. Raises AwayError."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._connected()
        except TimeoutError:
            raise AwayError(f"{self._where}: no connection within {self._timeout:g} s") from None
        except OSError as error:
            raise self._away(error) from error

    async def report(self, body: bytes) -> Response:
        """Posts a report. Raises AwayError; then nobody knows whether it was taken."""
        return await self._request("POST", "/api/v1/reports", {"Content-Type": CONTENT_TYPE}, body)

    async def plan(self, version: str) -> Response:
        """Asks for the plan, unless it is still of this version (304). Raises AwayError."""
        headers = {"If-None-Match": f'"{version}"'} if version else {}
        return await self._request("GET", "/api/v1/plan", headers, b"")

    async def _request(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        """A kept connection may have been closed by the other end meanwhile: then once more over a new one. Every
        request may be repeated, since the collector takes a measurement once."""
        sent = {"Authorization": self._authorization, "Accept": "application/json", **headers}
        try:
            async with asyncio.timeout(self._timeout):
                kept = self._connection is not None
                try:
                    return await self._exchange(method, path, sent, body)
                except (HttpError, ConnectionError):
                    if not kept:
                        raise
                    return await self._exchange(method, path, sent, body)
        except TimeoutError:
            raise AwayError(f"{self._where}: no answer within {self._timeout:g} s") from None
        except OSError as error:
            raise self._away(error) from error

    async def _exchange(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        connection = await self._connected()
        try:
            return await connection.request(method, self._base + path, headers, body, limit=MAX_PLAN_BYTES)
        except BaseException:
            self._connection = None
            raise

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.usable:
            return self._connection
        await self.close()
        addresses = await asyncio.get_running_loop().getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        failure: OSError | None = None
        for *_, address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    self._connection = await Connection.open(
                        str(address[0]), self._port, tls=self._tls, server_name=self._host
                    )
                return self._connection
            except TimeoutError:
                failure = failure or HttpError("closed", f"no connection within {CONNECT_SECONDS:g} s")
            except OSError as error:
                failure = failure or error
        raise failure or OSError(f"{self._host} has no address")

    async def close(self) -> None:
        """Closes the connection, if there is one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await connection.close()

    @property
    def _where(self) -> str:
        return f"collector {self._host}:{self._port}"

    def _away(self, error: OSError) -> AwayError:
        if isinstance(error, HttpError):
            return AwayError(f"{self._where}: {error}")
        if isinstance(error, ssl.SSLCertVerificationError):
            return AwayError(
                f"{self._where}: its certificate is not trusted: {error.verify_message}: "
                "set ca_file to the authority that signed it"
            )
        return AwayError(from_os_error(error, self._where).summary)
