"""A time-series server over HTTP: which one it is, writing lines to it, asking it. Blocking: for a worker thread.

Every failure is one of two. :class:`Refused`: the server read the lines, and will not have one of them. StoreAway:
what may pass, or an operator can mend (no connection, 5xx, wrong token, no such database): the journal keeps.
"""

from __future__ import annotations

import enum
import gzip
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

import msgspec
import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException
from influxdb_client.service.write_service import WriteService

from checks.contract import Secret
from collector.store.influxql import check_answer, identifier
from collector.store.model import StoreAway, StoreError

_GZIP_LEVEL = 1
_BAD_POINT = (400, 422)
_TOO_LARGE = 413


class Kind(enum.Enum):
    """How a server is spoken to."""

    INFLUX_1 = "1"
    """InfluxDB before 1.8: /write."""
    INFLUX_2 = "2"
    """InfluxDB 1.8, 2 and 3: /api/v2/write."""
    VICTORIA = "victoria"
    """VictoriaMetrics: /api/v2/write, and its own export instead of InfluxQL."""


class InfluxSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the server is. ``version`` is "auto" or a :class:`Kind`. ``database`` is the bucket of version 2.

    A ``token``, or ``user`` and ``password``. ``ca_file`` replaces the system's certificate authorities;
    ``timeout`` is of one request, in seconds.
    """

    url: str
    version: str = "auto"
    database: str = "thongsuot"
    org: str = ""
    token: Secret = ""
    user: str = ""
    password: Secret = ""
    verify: bool = True
    ca_file: str = ""
    timeout: float = 10.0


class Refused(Exception):  # noqa: N818 - what the server did; caught where the lines are at hand
    """The server refuses at least one of the lines. ``dropped`` is how many, if it said so, and kept the others."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        found = re.search(r"\bdropped=(\d+)", reason)
        self.dropped = int(found[1]) if found else None


class Server:
    """One server. Which kind it is, is asked on first use, and again after :meth:`forget`."""

    def __init__(self, settings: InfluxSettings) -> None:
        if settings.version != "auto" and settings.version not in {kind.value for kind in Kind}:
            raise StoreError(f"influx version {settings.version!r}: expected auto, 1, 2 or victoria")
        if not settings.url.startswith(("http://", "https://")):
            raise StoreError(f"influx url {settings.url!r}: expected http://host:port or https://host:port")
        self.url = settings.url.rstrip("/")
        self._settings = settings
        self._pool = urllib3.PoolManager(
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(total=settings.timeout),
            cert_reqs="CERT_REQUIRED" if settings.verify else "CERT_NONE",
            ca_certs=settings.ca_file or None,
        )
        # The client carries no types of its own.
        self._client: Any = InfluxDBClient(
            self.url,
            token=settings.token or f"{settings.user}:{settings.password}",
            timeout=int(settings.timeout * 1000),
            enable_gzip=False,  # it would compress at the slowest level: see write
            verify_ssl=settings.verify,
            ssl_ca_cert=settings.ca_file or None,
        )
        self._service: Any = cast(Any, WriteService)(self._client.api_client)
        self._kind: Kind | None = None if settings.version == "auto" else Kind(settings.version)

    def kind(self) -> Kind:
        """Which kind of server this is. Raises StoreAway, also when it is none that we know."""
        if self._kind is None:
            self._kind = self._ask_kind()
            if self._kind is Kind.INFLUX_1:
                self._create_database()
        return self._kind

    def forget(self) -> None:
        """Has the kind asked again: behind an address that was away, another server may answer."""
        if self._settings.version == "auto":
            self._kind = None

    def write(self, lines: bytes) -> None:
        """Sends lines, times in ms. Raises Refused or StoreAway."""
        body = gzip.compress(lines, _GZIP_LEVEL)
        if self.kind() is Kind.INFLUX_1:
            query = {"db": self._settings.database, "precision": "ms"}
            headers = {"Content-Encoding": "gzip", "Content-Type": "text/plain; charset=utf-8"}
            self._request("POST", "/write", query, body=body, headers=headers)
        else:
            self._write_v2(body)

    def influxql(self, statement: str, *, change: bool = False) -> bytes:
        """The answer to a statement, times in ms. ``change`` says that it is no mere question."""
        query = {"db": self._settings.database, "epoch": "ms", "q": statement}
        return self._request("POST" if change else "GET", "/query", query)

    def export(self, matcher: str, start: int, end: int) -> bytes:
        """VictoriaMetrics' series that match, from ``start`` up to ``end`` (Unix ms), as JSON lines."""
        span = {"start": f"{start / 1000:.3f}", "end": f"{end / 1000:.3f}"}
        return self._request("GET", "/api/v1/export", {"match[]": matcher, **span})

    def close(self) -> None:
        """Ends the connections."""
        self._client.close()
        self._pool.clear()

    def _ask_kind(self) -> Kind:
        """An InfluxDB names its version when pinged. VictoriaMetrics does not, but does in answers to InfluxQL, where
        it says 1.8.0: so its own sign is asked for, the name of its application among its metrics."""
        response = self._send("GET", "/ping", {})
        version = re.match(r"v?(\d+)\.(\d+)", response.headers.get("X-Influxdb-Version", ""))
        if version:
            return Kind.INFLUX_2 if (int(version[1]), int(version[2])) >= (1, 8) else Kind.INFLUX_1
        if b'vm_app_version{version="' in self._send("GET", "/metrics", {}).data:
            return Kind.VICTORIA
        raise StoreAway(
            f"{self.url}: neither InfluxDB (/ping answers {response.status} without X-Influxdb-Version) nor "
            "VictoriaMetrics (no vm_app_version in /metrics): correct the url, or set version to 1, 2 or victoria"
        )

    def _create_database(self) -> None:
        """As its own clients do: without rights to it, the database must be there already, or a write will say so."""
        name = self._settings.database
        response = self._send("POST", "/query", {"q": f"CREATE DATABASE {identifier(name)}"})
        if response.status == 200:
            try:
                check_answer(response.data)
            except StoreError as error:
                raise StoreAway(f"{self.url}: cannot create database {name!r}: {error}") from error

    def _write_v2(self, body: bytes) -> None:
        try:
            self._service.post_write(
                self._settings.org,
                self._settings.database,
                body,
                content_encoding="gzip",
                precision=WritePrecision.MS,
            )
        except ApiException as error:
            self._judge(error.status or 0, str(error.body or error.reason or ""), "/api/v2/write")
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._away(error) from error

    def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        response = self._send(method, path, query, body=body, headers=headers)
        if response.status >= 300:
            self._judge(response.status, response.data.decode(errors="replace"), path)
        return response.data

    def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> urllib3.BaseHTTPResponse:
        url = f"{self.url}{path}?{urlencode(query)}" if query else f"{self.url}{path}"
        try:
            return self._pool.request(method, url, body=body, headers={**self._authorization(), **(headers or {})})
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise self._away(error) from error

    def _authorization(self) -> dict[str, str]:
        if self._settings.token:
            return {"Authorization": f"Token {self._settings.token}"}
        if self._settings.user:
            return dict(urllib3.make_headers(basic_auth=f"{self._settings.user}:{self._settings.password}"))
        return {}

    def _judge(self, status: int, said: str, path: str) -> None:
        """Raises what an answer means that is no success."""
        reason = _error_of(said)
        if status in _BAD_POINT or status == _TOO_LARGE:
            raise Refused(f"{status}: {reason}")
        hint = {
            401: ": check token, or user and password",
            403: ": check what the token or user may do",
            404: ": check that the database or bucket is there",
        }.get(status, "")
        raise StoreAway(f"{self.url}{path}: {status or 'no answer'}: {reason}{hint}")

    def _away(self, error: Exception) -> StoreAway:
        return StoreAway(f"{self.url}: {error}")


class _Said(msgspec.Struct):
    error: str = ""
    message: str = ""


def _error_of(body: str) -> str:
    """The sentence in an error's body."""
    try:
        said = msgspec.json.decode(body, type=_Said)
    except msgspec.MsgspecError:
        return body.strip()[:300]
    return (said.message or said.error or body)[:300]
