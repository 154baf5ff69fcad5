"""What agents call: they send reports, and fetch their plan. Plain routes, no body models: this is the hot path."""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from agent import wire
from checks.contract import Clock
from checks.model import Plan
from collector.ingest import Ingest, RefusedError
from collector.journal import JournalError

log = logging.getLogger(__name__)

MAX_BODY = 2 << 20
"""Most bytes of a report as sent."""
BACKLOG_SHARE = 0.5


class Office(Protocol):
    """Where agents are known and their plans are made."""

    def agent_of(self, token: str) -> str | None:
        """The node whose agent holds a token."""
        ...

    def plan_of(self, node: str) -> Plan | None:
        """The plan of a node's agent; None when the register has no such agent."""
        ...

    def heard(self, node: str, at: int) -> None:
        """A node's agent has reported, but what it said could not be kept: it is alive, and must send it again."""
        ...


def agent_routes(office: Office, ingest: Ingest, clock: Clock) -> list[Route]:
    """The routes for agents."""
    trouble = ""

    def refuse(status: int, error: str, detail: str, headers: dict[str, str] | None = None) -> Response:
        return _json(wire.Refusal(error, detail), status, headers)

    def agent_of(request: Request) -> str | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return office.agent_of(token.strip()) if scheme.lower() == "bearer" and token else None

    def unknown_token() -> Response:
        return refuse(
            401,
            "unknown-token",
            "expected 'Authorization: Bearer TOKEN' with the token that "
            "'thongsuot-collector agent add NODE' printed for this node",
            {"WWW-Authenticate": "Bearer"},
        )

    def admit(request: Request, no_plan: int) -> tuple[str, Plan] | Response:
        """Whose request it is, and that agent's plan; else the refusal, with status ``no_plan`` where none is made."""
        agent = agent_of(request)
        if agent is None:
            return unknown_token()
        found = office.plan_of(agent)
        if found is None:
            return refuse(no_plan, "no-plan", f"node {agent} has no agent in the topology of today")
        return agent, found

    async def reports(request: Request) -> Response:
        nonlocal trouble
        admitted = admit(request, 403)
        if isinstance(admitted, Response):
            return admitted
        agent, plan = admitted
        try:
            body = await _body(request)
            if body is None:
                return refuse(
                    413, "too-large", f"a report is at most {MAX_BODY} bytes: send fewer measurements at once"
                )
            await ingest.take(agent, body, clock.now())
        except RefusedError as refused:
            return _json(refused.refusal, refused.status)
        except JournalError as error:
            if not trouble:  # once, not for each of ten thousand agents
                log.error("%s", error)
            trouble = str(error)
            office.heard(agent, clock.now())
            return refuse(503, "journal", str(error), {"Retry-After": "10"})
        except ClientDisconnect:
            return Response(status_code=400)
        trouble = ""
        return _json(wire.Receipt(plan.version, BACKLOG_SHARE))

    async def plan(request: Request) -> Response:
        admitted = admit(request, 404)
        if isinstance(admitted, Response):
            return admitted
        _, found = admitted
        etag = f'"{found.version}"'
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers={"ETag": etag})
        return _json(found, headers={"ETag": etag, "Cache-Control": "no-store"})

    return [
        Route("/api/v1/reports", reports, methods=["POST"]),
        Route("/api/v1/plan", plan, methods=["GET"]),
    ]


async def _body(request: Request) -> bytes | None:
    """The request's body; None when it is larger than a report may be."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY:
            return None
    return bytes(body)


def _json(value: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, "application/json")
