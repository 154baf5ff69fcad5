"""The page on a real server of loopback, ended cleanly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from collector.web.page import mount
from tests.collector.web.province import Province
from tests.peers import free_port


class Routers:
    """The demo's controls, which remember."""

    def __init__(self) -> None:
        self.stopped: set[str] = set()

    def stop(self, node: str) -> None:
        self.stopped.add(node)

    def start(self, node: str) -> None:
        self.stopped.discard(node)


def app_of(province: Province, *, demo: Routers | None = None, clock: Callable[[], int] | None = None) -> FastAPI:
    """An app with the page and the stream of events."""
    app = FastAPI()

    @app.get("/api/v1/events")
    async def events() -> StreamingResponse:
        async def flow() -> AsyncIterator[bytes]:
            queue = province.subscribe()
            try:
                yield b"retry: 500\nevent: ping\ndata: {}\n\n"
                while message := await queue.get():
                    yield message
            finally:
                province.unsubscribe(queue)

        return StreamingResponse(flow(), media_type="text/event-stream")

    mount(app, province, demo=demo, clock=clock or (lambda: province.now))
    return app


@contextlib.asynccontextmanager
async def served(app: FastAPI, province: Province) -> AsyncIterator[str]:
    """The address of the app while it is served."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, "127.0.0.1", port, log_level="warning", ws="none"))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells it by this flag alone
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        province.end_streams()  # uvicorn waits for its connections
        server.should_exit = True
        await task
