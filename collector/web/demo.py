"""The buttons of the demo: stop and start a simulated router."""

from __future__ import annotations

from typing import Protocol
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse

from collector.reading import Readings
from collector.web.security import same_origin


class DemoControls(Protocol):
    """Whoever simulates the routers."""

    @property
    def stopped(self) -> set[str]:
        """The nodes whose routers were stopped."""
        ...

    def stop(self, node: str) -> None:
        """Silences the simulated router of a node."""
        ...

    def start(self, node: str) -> None:
        """Lets it answer again."""
        ...


def demo_routes(readings: Readings, controls: DemoControls) -> APIRouter:
    """POST /demo/routers/{node}/stop and …/start, from our own pages only."""
    router = APIRouter(prefix="/demo/routers", include_in_schema=False)

    def check(request: Request, node: str) -> RedirectResponse:
        if not same_origin(request):
            raise HTTPException(403, "this button works from the collector's own page only: open the node's page")
        try:
            simulated = readings.node(node).node.simulated
        except KeyError:
            raise HTTPException(404, f"no node {node!r} in the register of today") from None
        if not simulated:
            raise HTTPException(409, f"the router of {node} is not simulated: it cannot be stopped from here")
        return RedirectResponse(f"/nodes/{quote(node, safe='')}", 303)

    @router.post("/{node}/stop")
    async def stop(request: Request, node: str) -> RedirectResponse:
        back = check(request, node)
        controls.stop(node)
        return back

    @router.post("/{node}/start")
    async def start(request: Request, node: str) -> RedirectResponse:
        back = check(request, node)
        controls.start(node)
        return back

    return router
