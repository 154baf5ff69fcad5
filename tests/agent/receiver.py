"""A collector for the agent's tests: a real HTTP server that decodes reports, keeps each measurement once, and can be
told to answer otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from typing import NamedTuple

import h11
import msgspec

from agent import wire
from agent.wire import Lane, Receipt, Refusal, Report
from checks.model import Measurement, Plan

TOKEN = "t0ken-of-bk"


class Reply(NamedTuple):
    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


def refusal(status: int, error: str, detail: str = "because") -> Reply:
    return Reply(status, msgspec.json.encode(Refusal(error, detail)))


class Arrived(NamedTuple):
    lane: Lane
    report: Report
    rows: list[tuple[int, Measurement]]


class Receiver:
    """``judge`` may answer a report in the collector's place; None lets it be taken. ``hang_up`` so many requests are
    dropped after they were read, ``lose_answers`` so many after they were taken."""

    def __init__(self) -> None:
        self.port = 0
        self.plan = Plan("bk", "v1", 0.3, ())
        self.share = 1.0
        self.judge: Callable[[Report, list[tuple[int, Measurement]]], Reply | None] = lambda _report, _rows: None
        self.hang_up = 0
        self.lose_answers = 0
        self.arrived: list[Arrived] = []
        self.rows: dict[tuple[int, int], Measurement] = {}
        self.repeated = 0
        self.gaps: list[wire.Gap] = []
        self.tables: dict[int, wire.Table] = {}
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.changed = asyncio.Condition()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, ssl=tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        async with asyncio.timeout(seconds), self.changed:
            await self.changed.wait_for(condition)

    def texts(self, lane: Lane | None = None) -> list[str]:
        """The summaries in the order in which they came."""
        return [m.outcome.summary for a in self.arrived if lane in (None, a.lane) for _, m in a.rows]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            await self._requests(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        request: h11.Request | None = None
        body = b""
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                http.receive_data(await reader.read(1 << 16))
            elif isinstance(event, h11.Request):
                request, body = event, b""
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                assert request is not None
                reply = await self._answer(request, body)
                if reply is None:
                    return
                headers = [("Content-Length", str(len(reply.body))), *reply.headers]
                writer.write(http.send(h11.Response(status_code=reply.status, headers=headers)))
                writer.write(http.send(h11.Data(data=reply.body)) + http.send(h11.EndOfMessage()))
                await writer.drain()
                http.start_next_cycle()
            else:
                return

    async def _answer(self, request: h11.Request, body: bytes) -> Reply | None:
        headers = {name.decode(): value.decode() for name, value in request.headers}
        method, target = request.method.decode(), request.target.decode()
        self.requests.append((method, target, headers))
        async with self.changed:
            self.changed.notify_all()
        if self.hang_up:
            self.hang_up -= 1
            return None
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return refusal(401, "unauthorized", "no such token")
        if target == "/api/v1/plan":
            etag = f'"{self.plan.version}"'
            if headers.get("if-none-match") == etag:
                return Reply(304)
            return Reply(200, msgspec.json.encode(self.plan), (("ETag", etag),))
        assert (method, target) == ("POST", "/api/v1/reports")
        assert headers["content-type"] == wire.CONTENT_TYPE
        assert len(body) <= 1 << 20
        reply = await self._take(body)
        if self.lose_answers:
            self.lose_answers -= 1
            return None
        return reply

    async def _take(self, body: bytes) -> Reply:
        report = wire.decode(body)
        table = self.tables.setdefault(report.table, wire.Table(report.table))
        try:
            table.learn(report)
            table.check(report.columns)
        except wire.UnknownIdsError as error:
            return refusal(409, "unknown-ids", str(error))
        rows = wire.measurements_of(report.columns, table)
        if (reply := self.judge(report, rows)) is not None:
            return reply
        for seq, measurement in rows:
            self.repeated += (report.epoch, seq) in self.rows
            self.rows[report.epoch, seq] = measurement
        self.gaps += [gap for gap in report.gaps if gap not in self.gaps]
        self.arrived.append(Arrived(report.lane, report, rows))
        async with self.changed:
            self.changed.notify_all()
        return Reply(200, msgspec.json.encode(Receipt(self.plan.version, self.share)))


@contextlib.asynccontextmanager
async def receiving(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start(tls)
    try:
        yield receiver
    finally:
        await receiver.stop()
