"""A ``Store`` on a server: InfluxDB 1.x, 2 and 3, or VictoriaMetrics.

A replay writes the same points to the same places. What the server does not keep (units, how far it has
acknowledged) is in a small SQLite file beside the journal; when that is lost only the units are.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from collector.store import influxql, victoria
from collector.store.database import Database, Worker
from collector.store.lineproto import Form, Line, form, lines
from collector.store.model import Batch, Points, Refusal, Selector, SeriesKey, StoreError, describe, why_refused
from collector.store.quarantine import Quarantine
from collector.store.registry import SERIES, Registry, load_settled, save_settled
from collector.store.server import InfluxSettings, Kind, Refused, Server

log = logging.getLogger(__name__)

LINES_AT_ONCE = 5000
"""Lines in one request: what InfluxDB's makers advise."""


class InfluxStore:
    """A ``Store`` on a server. Made by :meth:`open`, which does not need the server: it may come later."""

    def __init__(self, settings: InfluxSettings, registry_file: Path) -> None:
        self._server = Server(settings)
        self._registry = Registry()
        self._settled = 0
        self._saved = 0
        # What is lost here in a power failure is written again, so it need not wait for the disk.
        self._database = Database(registry_file, self._prepare, synchronous="NORMAL")
        self._keys = {_name(key): key for key in self._registry.keys if key}
        self._forms: dict[int, Form] = {}
        self._forms_kind: Kind | None = None
        self._quarantine = Quarantine(registry_file.with_name(registry_file.name + ".refused.jsonl"))
        self._worker = Worker("influx-store")
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, settings: InfluxSettings, registry_file: Path) -> InfluxStore:
        """Opens the registry. Raises StoreError for settings that cannot be, StoreAway for a disk that will not."""
        return await asyncio.to_thread(cls, settings, registry_file)

    @property
    def settled(self) -> int:
        return self._settled

    @property
    def newest(self) -> int:
        return self._settled

    @property
    def quarantined(self) -> int:
        return self._quarantine.count

    @property
    def refusals(self) -> Sequence[Refusal]:
        return tuple(self._quarantine.newest)

    def series_id(self, key: SeriesKey) -> int:
        known = len(self._registry.keys)
        series = self._registry.number(key)
        if series == known:
            self._keys[_name(key)] = key
        return series

    async def write(self, batches: Sequence[Batch]) -> None:
        async with self._lock:
            await self._worker.run(self._write, batches)

    async def query(self, selector: Selector, start: int, end: int, limit: int | None = None) -> list[Points]:
        if limit is not None and limit <= 0:
            return []
        return await self._worker.run(self._read, selector, start, end, limit)

    async def series(
        self, node: str | None = None, check: str | None = None, metric: str | None = None
    ) -> list[SeriesKey]:
        wanted = self._registry.select(Selector(node=node, check=check, metric=metric))
        return [self._registry.key(series) for series in wanted]

    async def retain(self, before: int) -> None:
        """Deletes in InfluxDB 1.x. Other servers forget by their own setting, and this says so in the log."""
        await self._worker.run(self._forget, before)

    async def flush(self) -> None:
        """Nothing waits here: a write returns when the server has acknowledged it."""

    async def close(self) -> None:
        await self._worker.run(self._end)
        self._worker.end()

    # Below, the worker thread.

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.executescript(SERIES)
        settled = load_settled(connection)
        self._registry.load(connection)
        self._saved = len(self._registry.keys)
        self._settled = settled

    def _write(self, batches: Sequence[Batch]) -> None:
        wanted = [batch for batch in batches if batch.entry > self._settled]
        if not wanted:
            return
        self._learn_forms()
        points = [point for batch in wanted for point in zip(batch.series, batch.at, batch.values, strict=True)]
        good = []
        refusals = []
        for point in points:
            why = why_refused(point[1], point[2])
            if why is None:
                good.append(point)
            else:
                refusals.append(self._refusal(point, why))
        ready = lines(good, self._forms)
        for i in range(0, len(ready), LINES_AT_ONCE):
            refusals += self._send(ready[i : i + LINES_AT_ONCE])
        # Only now: what is written again after StoreAway would else be counted again.
        self._quarantine.add(refusals)
        self._settle(wanted[-1].entry)

    def _send(self, ready: Sequence[Line]) -> list[Refusal]:
        """Sends lines; of those that the server refuses finds the bad ones by halving, and sends the rest."""
        try:
            self._server.write("\n".join([line.text for line in ready]).encode())
        except Refused as refused:
            points = [point for line in ready for point in line.points]
            if len(ready) > 1 and refused.dropped != len(ready):
                half = len(ready) // 2
                return self._send(ready[:half]) + self._send(ready[half:])
            if len(points) == len(ready):
                return [self._refusal(point, refused.reason) for point in points]
            # A line goes with its worst field: the others are good. What is wrong is mostly wrong with a whole series.
            return self._send([line for point in sorted(points) for line in lines([point], self._forms)])
        except StoreError:
            self._server.forget()
            raise
        return []

    def _settle(self, entry: int) -> None:
        count = len(self._registry.keys)
        with self._database.transaction() as connection:
            self._registry.save(connection, range(self._saved, count), 0)
            save_settled(connection, entry)
        self._saved = count
        self._settled = entry

    def _learn_forms(self) -> None:
        """Makes the forms of series that are new, or of all when the server turns out to be of another kind."""
        kind = self._server.kind()
        if kind is not self._forms_kind:
            self._forms.clear()
            self._forms_kind = kind
        for series in range(len(self._forms) + 1, len(self._registry.keys)):
            self._forms[series] = form(self._registry.key(series), name_check=kind is Kind.VICTORIA)

    def _read(self, selector: Selector, start: int, end: int, limit: int | None) -> list[Points]:
        start, end = max(start, 0), min(end, influxql.LATEST)
        try:
            if self._server.kind() is Kind.VICTORIA:
                body = self._server.export(victoria.matcher(selector), start, end)
                return victoria.points(body, self._key_of, selector, start=start, end=end, limit=limit)
            return influxql.points(
                self._server.influxql(influxql.select(selector, start, end, limit)), self._key_of, limit
            )
        except Refused as refused:
            raise StoreError(f"{self._server.url}: the query was refused: {refused.reason}") from refused

    def _key_of(self, node: str, check: str, label: str, metric: str, instance: str) -> SeriesKey:
        known = self._keys.get((node, check, label, metric, instance))
        return known or SeriesKey(node, check, label, metric, instance, "")

    def _refusal(self, point: tuple[int, int, float], why: str) -> Refusal:
        series, at, value = point
        return Refusal(describe(self._registry.key(series), at, value), why)

    def _forget(self, before: int) -> None:
        if self._server.kind() is not Kind.INFLUX_1:
            log.info("%s: what is old goes by the retention set there", self._server.url)
            return
        try:
            influxql.check_answer(self._server.influxql(influxql.delete(before), change=True))
        except Refused as refused:
            raise StoreError(f"{self._server.url}: cannot forget what is old: {refused.reason}") from refused

    def _end(self) -> None:
        self._server.close()
        self._database.connection.close()


def _name(key: SeriesKey) -> tuple[str, str, str, str, str]:
    """What a server knows of a series. Of two that differ in unit alone it knows one, which goes by the newer unit."""
    return (key.node, key.check, key.label, key.metric, key.instance)
