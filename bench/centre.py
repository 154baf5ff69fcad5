"""The far end that an agent under the stopwatch talks to: a plan, receipts over HTTPS, and something to measure.

It is no collector (bench/ingest.py measures that one): it decodes each report, notes which jobs it holds, and says that
all is committed. So nothing but the agent is measured.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import ipaddress
import socket
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from agent import wire
from checks.contract import SystemClock
from checks.model import Job, Plan, State
from collector.demo.mib import RouterSpec
from collector.demo.routers import Routers
from tests.peers import free_port

NODE = "bench"
COMMUNITY = "bench"
ROUTER = "127.79.0.1"


def commune_plan(port: int, snmp_port: int, ca_file: str, interval: float) -> Plan:
    """The plan of a commune: 30 jobs, every kind of check, its router among them."""
    kinds: list[tuple[str, int, str, dict[str, Any]]] = [
        ("host", 1, "", {}),
        ("snmp", 1, f"{ROUTER}:{snmp_port}", {"community": COMMUNITY}),
        ("ping", 8, "127.0.0.1", {}),
        ("tcp", 10, f"127.0.0.1:{port}", {}),
        ("http", 5, f"https://127.0.0.1:{port}/", {"ca_file": ca_file}),
        ("tls", 5, f"127.0.0.1:{port}", {"ca_file": ca_file}),
    ]
    jobs = tuple(
        Job(NODE, check, f"{check}{n}", target, interval, deadline=10.0, retry=interval, params=params)
        for check, count, target, params in kinds
        for n in range(count)
    )
    return Plan(NODE, "bench-1", 10.0, jobs)


class Centre:
    """Answers an agent. ``states`` is the newest state of each job that was reported."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.states: dict[str, State] = {}
        self.summaries: dict[str, str] = {}
        self.payload: Counter[str] = Counter()
        self._tables: dict[int, wire.Table] = {}

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/", self._hello),
                Route("/api/v1/plan", self._plan),
                Route("/api/v1/reports", self._report, methods=["POST"]),
            ]
        )

    async def _hello(self, _: Request) -> Response:
        return PlainTextResponse("xin chào\n")

    async def _plan(self, request: Request) -> Response:
        tag = f'"{self.plan.version}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(msgspec.json.encode(self.plan), media_type="application/json", headers={"ETag": tag})

    async def _report(self, request: Request) -> Response:
        body = await request.body()
        report = wire.decode(body)
        table = self._tables.setdefault(report.table, wire.Table(report.table))
        try:
            table.learn(report)
            table.check(report.columns)
        except wire.UnknownIdsError as error:
            return JSONResponse({"error": "unknown-ids", "detail": str(error)}, 409)
        for _, measurement in wire.measurements_of(report.columns, table):
            self.states[measurement.job] = measurement.outcome.state
            self.summaries[measurement.job] = measurement.outcome.summary
        self.payload["reports"] += 1
        self.payload["values"] += len(report.columns.values)
        self.payload["bytes"] += len(body)
        return Response(msgspec.json.encode(wire.Receipt(self.plan.version)), media_type="application/json")

    def not_ok(self) -> list[str]:
        """Jobs that did not end OK, in a sentence each: their cost is not that of a healthy node."""
        return [f"{job}: {self.summaries[job]}" for job, state in self.states.items() if state is not State.OK]


@contextlib.asynccontextmanager
async def serving(folder: Path, interval: float) -> AsyncIterator[tuple[Centre, int, Path]]:
    """A centre and a simulated router on loopback, for the length of an ``async with``: the centre, its port, and
    the authority that signed its certificate."""
    certificate, key = self_signed(folder)
    port, snmp_port = free_port(), free_port(socket.SOCK_DGRAM)
    centre = Centre(commune_plan(port, snmp_port, str(certificate), interval))
    router = RouterSpec(
        node=NODE, name=NODE, address=ROUTER, port=snmp_port, community=COMMUNITY, lat=22.1, lon=105.8, distance=20.0
    )
    routers = Routers([router], SystemClock())
    await routers.open()
    config = uvicorn.Config(
        centre.app(), host="127.0.0.1", port=port, ssl_certfile=certificate, ssl_keyfile=key, log_level="error"
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # serve() would take the signals from us
    try:
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn tells it no other way
            await asyncio.sleep(0.02)
        if serving.done():
            raise OSError(f"the centre did not start on 127.0.0.1:{port}")
        yield centre, port, certificate
    finally:
        server.should_exit = True
        await serving
        await routers.close()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, good for 10 years, and its key, as PEM files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "bench")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=3650))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "centre.pem", folder / "centre.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file
