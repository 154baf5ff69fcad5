"""The routes of the page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from collector.reading import Readings
from collector.view import CoverageView, IncidentView, NodePage
from collector.web import charts, geography
from collector.web.bars import pools
from collector.web.demo import DemoControls, demo_routes
from collector.web.devices import devices, shown_elsewhere
from collector.web.drawing import Drawer, DrawingError, bundle_version
from collector.web.folding import folded
from collector.web.interfaces import interfaces
from collector.web.lines import lines
from collector.web.rendering import Pages, language_of
from collector.web.security import COMMON, IMAGE
from collector.web.words import Words

SEVERITIES: Final = ("critical", "major", "warning", "info")
HOUR: Final = 3_600_000
WIDTHS: Final = range(200, 2001)
"""Widths of a chart that a browser may ask for, in px."""
NO_NODE: Final = (
    "There is no such node",
    "The register of today has no node with this id; find it in the list of nodes:",
)
NO_INCIDENT: Final = ("There is no such incident", "No incident has this number; see the list of incidents:")


def system_time() -> int:
    """Unix time in ms."""
    return time.time_ns() // 1_000_000


class Static(StaticFiles):
    """Our files. Browsers ask each time whether theirs is still the newest, which an ETag answers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(COMMON | {"Cache-Control": "no-cache"})
        return response


def mount(
    app: FastAPI, readings: Readings, *, demo: DemoControls | None = None, clock: Callable[[], int] = system_time
) -> None:
    """Adds the page to an app: ``/``, ``/nodes``, ``/incidents``, ``/static``, and with ``demo`` its buttons.

    ``clock`` gives Unix ms. The app's lifespan ends the process that draws charts.
    """
    drawer = Drawer()
    pages = Pages(clock, lambda: readings.overview().simulated if demo is not None else "")
    router = APIRouter(include_in_schema=False, lifespan=_closing(drawer))
    _add_lists(router, readings, pages)
    _add_node(router, readings, pages, demo)
    _add_charts(router, readings, drawer, clock)
    app.include_router(router)
    if demo is not None:
        app.include_router(demo_routes(readings, demo))
    app.mount("/static", Static(directory=Path(__file__).parent / "static"), "static")


def _closing(drawer: Drawer) -> Any:
    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await drawer.close()

    return lifespan


def _add_lists(router: APIRouter, readings: Readings, pages: Pages) -> None:
    @router.get("/")
    async def front(request: Request) -> Response:
        overview = readings.overview()
        branches = geography.groups(overview.nodes, overview.root)
        heads = {group.head.id for group in branches if group.head is not None}
        context = {
            "overview": overview,
            "simulated": overview.simulated,
            "incidents": sorted(overview.incidents, key=_urgency),
            "map": geography.draw(overview.nodes, overview.root, heads),
            "map_width": geography.WIDTH,
            "map_height": geography.HEIGHT,
            "groups": branches,
            "shares": {share.id: share for share in overview.coverage.by_branch},
        }
        return pages.render(request, "overview.html", context, here="/")

    @router.get("/nodes")
    async def nodes(request: Request, q: str = "") -> Response:
        wanted = geography.folded(q.strip())
        found = [
            n for n in readings.nodes() if wanted in geography.folded(n.name) or wanted in f"{n.code} {n.id}".lower()
        ]
        context = {"nodes": found, "query": q.strip(), "names": _names(readings.coverage())}
        return pages.render(request, "nodes.html", context, here="/nodes")

    @router.get("/certificates")
    async def certificates(request: Request) -> Response:
        context = {"certificates": readings.certificates(), "node_names": {n.id: n.name for n in readings.nodes()}}
        return pages.render(request, "certificates.html", context, here="/certificates")

    @router.get("/incidents")
    async def incidents(request: Request) -> Response:
        listed = readings.incidents()
        context = {
            "open": sorted((i for i in listed if i.closed_at is None), key=_urgency),
            "closed": [i for i in listed if i.closed_at is not None],
        }
        return pages.render(request, "incidents.html", context, here="/incidents")

    @router.get("/incidents/{number}")
    async def incident(request: Request, number: str) -> Response:
        try:
            found = readings.incident(int(number))
        except (KeyError, ValueError):
            return pages.not_found(request, *NO_INCIDENT, number)
        context = {"incident": found, "node_names": {node.id: node.name for node in readings.nodes()}}
        return pages.render(request, "incident.html", context)


def _add_node(router: APIRouter, readings: Readings, pages: Pages, demo: DemoControls | None) -> None:
    @router.get("/nodes/{node_id}")
    async def node(request: Request, node_id: str, hours: str = "") -> Response:
        try:
            page = readings.node(node_id)
        except KeyError:
            return pages.not_found(request, *NO_NODE, node_id)
        others = {other.id: other for other in readings.nodes()}
        language = language_of(request)
        measurer = others.get(page.node.measured_by)
        context = {
            "page": page,
            "parent": others.get(page.node.parent or ""),
            "measurer": measurer.name if measurer is not None else page.node.measured_by,
            "names": _names(readings.coverage()),
            "facts": _facts(page),
            "lines": lines(page.links, page.jobs, language),
            "devices": devices(page.jobs, Words(language)),
            "pools": folded(pools(page.jobs, language)),
            "interfaces": interfaces(page.jobs, language),
            "hours": _hours(hours),
            "hours_choices": charts.HOURS,
            "bundle": bundle_version(),
            "controls": demo is not None and page.node.simulated,
            "stopped": demo is not None and node_id in demo.stopped,
        }
        return pages.render(request, "node.html", context)


def _add_charts(router: APIRouter, readings: Readings, drawer: Drawer, clock: Callable[[], int]) -> None:
    async def specification(request: Request, node_id: str, kind: charts.Kind) -> dict[str, Any]:
        query = request.query_params
        width = int(query["width"]) if query.get("width", "").isdecimal() else 760
        look = charts.Look(
            "dark" if query.get("theme") == "dark" else "light",
            min(max(width, WIDTHS.start), WIDTHS.stop - 1),
            language_of(request),
        )
        end = clock()
        start = end - _hours(query.get("hours", "")) * HOUR
        series = [s for name in charts.metrics_of(kind) for s in await readings.series(node_id, name, start, end)]
        return charts.specification(kind, series, start, end, look)

    @router.get("/nodes/{node_id}/charts/{kind}.{form}")
    async def chart(request: Request, node_id: str, kind: str, form: str) -> Response:
        if kind not in charts.KINDS or form not in ("svg", "json"):
            return Response(f"no chart {kind}.{form}: expected quality or traffic, as svg or json\n", 404)
        try:
            spec = await specification(request, node_id, kind)
        except KeyError:
            return Response(f"no node {node_id!r} in the register of today\n", 404)
        if form == "json":
            return JSONResponse(spec, headers=COMMON | {"Cache-Control": "no-store"})
        try:
            return Response(await drawer.svg(spec), 200, dict(IMAGE), "image/svg+xml")
        except DrawingError as error:
            return Response(f"the chart cannot be drawn: {error}\n", 500)

    @router.get("/static/vega.js")
    async def bundle(request: Request) -> Response:
        etag = f'"vl-convert-{bundle_version()}"'
        # The address names the version, so that a browser needs it once.
        headers = COMMON | {"ETag": etag, "Cache-Control": "public, max-age=31536000, immutable"}
        if request.headers.get("if-none-match") == etag:
            return Response(status_code=304, headers=headers)
        try:
            script = await drawer.bundle()
        except DrawingError as error:
            return Response(f"the charts' script cannot be made: {error}\n", 500)
        # Every browser that has ES modules takes gzip.
        return Response(script, 200, headers | {"Content-Encoding": "gzip"}, "text/javascript; charset=utf-8")


def _urgency(incident: IncidentView) -> tuple[int, int]:
    """Order of the open incidents: the most severe first, then the newest."""
    known = SEVERITIES.index(incident.severity) if incident.severity in SEVERITIES else len(SEVERITIES)
    return known, -incident.opened_at


def _names(coverage: CoverageView) -> dict[str, tuple[str, str]]:
    """Vietnamese and English of the tiers and categories, by id."""
    return {share.id: (share.vi, share.en) for share in (*coverage.by_tier, *coverage.by_category)}


def _facts(page: NodePage) -> list[tuple[str, str, str]]:
    """Of every job what the page shows nowhere else."""
    return [
        (f"{job.check} {job.label}", key, value)
        for job in page.jobs
        for key, value in sorted(job.facts.items())
        if not shown_elsewhere(job, key)
    ]


def _hours(text: str) -> int:
    return int(text) if text in {str(hours) for hours in charts.HOURS} else charts.HOURS[0]
