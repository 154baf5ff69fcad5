"""What people's scripts and the page read: /api/v1, described by OpenAPI."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Query, Request
from fastapi.responses import StreamingResponse

from checks.contract import Clock
from collector.reading import Readings
from collector.store.model import MAX_AT, StoreAway
from collector.view import (
    CertificateView,
    CoverageView,
    FactChangeView,
    GapView,
    IncidentView,
    NodePage,
    NodeView,
    Overview,
    SeriesView,
    VersionView,
)

PING_EVERY = 15.0
"""Seconds between signs of life on an idle stream, so that a browser knows a dead one."""
MAX_SPAN = 31 * 24 * 3600 * 1000

NodeId = Annotated[str, Path(description="a node's id in the topology, such as c01834")]


def reading_routes(readings: Readings, clock: Clock) -> APIRouter:
    """The routes for readers."""
    router = APIRouter(prefix="/api/v1", tags=["readings"])

    @router.get("/overview")
    async def overview() -> Overview:
        """The front page: coverage, every node, the open incidents."""
        return readings.overview()

    @router.get("/coverage")
    async def coverage() -> CoverageView:
        """Of the offices that must be connected, how many are, by what was proven in the last minute."""
        return readings.coverage()

    @router.get("/nodes")
    async def nodes() -> list[NodeView]:
        """Every node in the register."""
        return readings.nodes()

    @router.get("/nodes/{node}", responses={404: {"description": "no such node"}})
    async def node(node: NodeId) -> NodePage:
        """One node: its offices, links, jobs with their newest measurement, and incidents."""
        with _found(f"no node {node!r} in the register"):
            return readings.node(node)

    @router.get(
        "/nodes/{node}/series",
        responses={404: {"description": "no such node"}, 503: {"description": "the store of measurements is away"}},
    )
    async def series(
        node: NodeId,
        start: Annotated[int | None, Query(description="from, Unix ms; default an hour before the end")] = None,
        end: Annotated[int | None, Query(description="until (exclusive), Unix ms; default now")] = None,
        metric: Annotated[str | None, Query(description="a metric's name, such as rtt; default all")] = None,
        check: Annotated[str | None, Query(description="a check's name, such as ping; default all")] = None,
    ) -> list[SeriesView]:
        """The measurements of a node over time."""
        last = clock.now() + 1 if end is None else end
        first = max(0, last - 3_600_000) if start is None else start
        if not 0 <= first < last <= MAX_AT or last - first > MAX_SPAN:
            raise HTTPException(422, f"start {first} and end {last}: expected start < end, at most 31 days apart")
        with _found(f"no node {node!r} in the register"):
            readings.node(node)
        try:
            return await readings.series(node, metric, first, last, check)
        except StoreAway as error:
            raise HTTPException(503, f"the store of measurements is away: {error}", {"Retry-After": "10"}) from error

    @router.get("/nodes/{node}/configs/{label}", responses={404: {"description": "no such configuration"}})
    async def versions(
        node: NodeId, label: Annotated[str, Path(description="the label of its job, such as r1")]
    ) -> list[VersionView]:
        """The history of a device's configuration, newest first. The texts are for the command line alone."""
        with _found(f"no configuration of {label!r} at {node!r}"):
            return await readings.versions(f"{node}/config/{label}")

    @router.get("/gaps")
    async def gaps(
        node: Annotated[str | None, Query(description="only those of this node's agent")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[GapView]:
        """What agents had measured and lost, newest first: never a silent loss."""
        return readings.gaps(node=node, limit=limit)

    @router.get("/fact-changes")
    async def fact_changes(
        node: Annotated[str | None, Query(description="only those of this node")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[FactChangeView]:
        """What identifies a target and was seen to be another than before (a certificate, a DHCP server, a path, a
        configuration), newest first."""
        return readings.fact_changes(node=node, limit=limit)

    @router.get("/certificates")
    async def certificates() -> list[CertificateView]:
        """Every certificate that was seen, with the jobs that see it; those that end first come first."""
        return readings.certificates()

    @router.get("/incidents")
    async def incidents(
        open: Annotated[bool, Query(description="only those that have not ended")] = False,  # noqa: A002
        node: Annotated[str | None, Query(description="only those caused at this node")] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 200,
    ) -> list[IncidentView]:
        """Incidents, newest first."""
        return readings.incidents(open_only=open, node=node, limit=limit)

    @router.get("/incidents/{number}", responses={404: {"description": "no such incident"}})
    async def incident(number: int) -> IncidentView:
        """One incident, with its alerts and timeline."""
        with _found(f"no incident {number}"):
            return readings.incident(number)

    @router.get("/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
    async def events(request: Request) -> StreamingResponse:
        """Server-sent events: ``overview`` after a change, ``nodes`` when measurements came, ``ping`` when idle."""
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return StreamingResponse(_events(readings, request), headers=headers, media_type="text/event-stream")

    return router


async def _events(readings: Readings, request: Request) -> AsyncIterator[bytes]:
    queue = readings.subscribe()
    try:
        yield b"retry: 2000\n\n"
        while not await request.is_disconnected():
            try:
                event = await asyncio.wait_for(queue.get(), PING_EVERY)
            except TimeoutError:
                event = b"event: ping\ndata: {}\n\n"
            if not event:  # the collector is stopping
                return
            yield event
    finally:
        readings.unsubscribe(queue)


@contextlib.contextmanager
def _found(otherwise: str) -> Iterator[None]:
    """Turns a KeyError into 404 with a sentence."""
    try:
        yield
    except KeyError:
        raise HTTPException(404, otherwise) from None
