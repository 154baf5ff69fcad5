"""The web applications: one for people and scripts, one for agents."""

from __future__ import annotations

import importlib.metadata

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from checks.contract import Clock
from collector import metrics
from collector.api.agents import agent_routes
from collector.api.readings import reading_routes
from collector.centre import Centre
from collector.web.demo import DemoControls
from collector.web.page import mount


def create_app(
    centre: Centre,
    clock: Clock,
    *,
    agents_too: bool,
    demo: DemoControls | None = None,
) -> FastAPI:
    """The application for people: the page, the API, metrics; with ``agents_too`` the agents' routes as well."""
    app = FastAPI(
        title="Thông Suốt",
        summary="Connectivity of a province's government data network: what is measured, and what it means.",
        version=importlib.metadata.version("thongsuot"),
        docs_url=None,  # its page would load scripts from the Internet
        redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )
    app.include_router(reading_routes(centre.answers, clock))
    app.router.routes += _health_routes(centre)
    if agents_too:
        app.router.routes += agent_routes(centre, centre.ingest, clock)
    mount(app, centre.answers, demo=demo)
    return app


def create_agents_app(centre: Centre, clock: Clock) -> Starlette:
    """The application that agents reach over the province's network: nothing to read there but its health."""
    routes: list[BaseRoute] = [*agent_routes(centre, centre.ingest, clock), *_health_routes(centre)[:2]]
    return Starlette(routes=routes)


def _health_routes(centre: Centre) -> list[BaseRoute]:
    async def healthz(_: Request) -> Response:
        well = centre.ticking
        return JSONResponse({"status": "ok" if well else "stuck"}, 200 if well else 503)

    async def readyz(_: Request) -> Response:
        ready = centre.ready.is_set()
        away = centre.drain.away
        body = {"ready": ready, "store": away or "ok", "journal_entries": centre.journal.depth}
        return JSONResponse(body, 200 if ready else 503)

    async def exposition(_: Request) -> Response:
        return Response(metrics.exposition(centre), media_type=metrics.CONTENT_TYPE)

    return [
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", exposition),
    ]
