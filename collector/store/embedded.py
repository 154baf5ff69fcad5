"""The store that needs nothing installed: one SQLite file of compressed chunks, about 120 points of one series each.

What is not yet in a chunk is in memory, and in the journal. Many series are sealed in one transaction, with the entry
up to which each is complete: so a replay after a crash changes nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from array import array
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path

from collector.store.chunks import ChunkError, merge, pack, tidy, unpack
from collector.store.database import Database, Worker, is_broken
from collector.store.heads import Heads
from collector.store.model import Batch, Points, Refusal, Selector, SeriesKey, StoreError, describe, order
from collector.store.quarantine import Quarantine
from collector.store.registry import SERIES, Registry, load_settled, save_settled

MAX_SPAN_MS = 86_400_000
"""No chunk spans more than a day, so that a query knows how far back to look for one that reaches into its time."""

MAX_POINTS = 512
"""No chunk holds more, however long the backlog that came in one entry."""

SEAL_AT_ONCE = 256
"""Series in one transaction: some 50 ms of work, so that a query never waits long behind a seal."""

_CHUNKS = """
CREATE TABLE IF NOT EXISTS chunk (
    id INTEGER PRIMARY KEY,
    series INTEGER NOT NULL, first_ms INTEGER NOT NULL, entry INTEGER NOT NULL,
    last_ms INTEGER NOT NULL, count INTEGER NOT NULL, block BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS chunk_of_series ON chunk (series, first_ms, entry, last_ms);
"""


class EmbeddedStore:
    """A ``Store`` in one file. Made by :meth:`open`.

    ``points`` make a chunk; a head is sealed at the age ``max_age`` (s), or when all hold over ``max_points``.
    """

    def __init__(
        self,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        points: int = 120,
        max_age: float = 3600.0,
        max_points: int = 4_000_000,
    ) -> None:
        self._registry = Registry()
        self._sealed: dict[int, int] = {}
        self._settled = 0
        self._database = Database(path, self._prepare)
        self._heads = Heads(
            self._sealed, self._settled, monotonic=monotonic, points=points, max_age=max_age, max_points=max_points
        )
        self._quarantine = Quarantine(path.with_name(path.name + ".refused.jsonl"))
        self._worker = Worker("embedded-store")
        self._lock = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        points: int = 120,
        max_age: float = 3600.0,
        max_points: int = 4_000_000,
    ) -> EmbeddedStore:
        """Opens or makes the file. One that is broken is set aside. Raises StoreAway when the disk will not have it."""
        return await asyncio.to_thread(
            cls, path, monotonic=monotonic, points=points, max_age=max_age, max_points=max_points
        )

    @property
    def settled(self) -> int:
        return self._settled

    @property
    def newest(self) -> int:
        return self._heads.newest

    @property
    def quarantined(self) -> int:
        return self._quarantine.count

    @property
    def refusals(self) -> Sequence[Refusal]:
        return tuple(self._quarantine.newest)

    @property
    def set_aside(self) -> int:
        """How many broken files were set aside since the start."""
        return self._database.set_aside

    def series_id(self, key: SeriesKey) -> int:
        return self._registry.number(key)

    async def write(self, batches: Sequence[Batch]) -> None:
        async with self._lock:
            await self._worker.run(self._add, batches)
            while await self._worker.run(self._seal_due):
                pass

    async def query(self, selector: Selector, start: int, end: int, limit: int | None = None) -> list[Points]:
        wanted = self._registry.select(selector)
        return await self._worker.run(self._read, wanted, start, end, limit)

    async def series(
        self, node: str | None = None, check: str | None = None, metric: str | None = None
    ) -> list[SeriesKey]:
        wanted = self._registry.select(Selector(node=node, check=check, metric=metric))
        return [self._registry.key(series) for series in wanted]

    async def retain(self, before: int) -> None:
        """Forgets whole chunks that end before ``before``, and series that have nothing left."""
        ids = self._registry.select(Selector())
        for i in range(0, len(ids), SEAL_AT_ONCE):
            await self._worker.run(self._forget, ids[i : i + SEAL_AT_ONCE], before)

    async def flush(self) -> None:
        async with self._lock:
            while await self._worker.run(self._seal_oldest):
                pass

    async def close(self) -> None:
        try:
            await self.flush()
        finally:
            await self._worker.run(self._database.connection.close)
            self._worker.end()

    # Below, the worker thread.

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Makes the tables, and reads the small ones whole: a file that lets itself be read so far is taken for sound.

        For a file that replaces a broken one there are no rows, and what is known of the series is kept.
        """
        connection.executescript(SERIES + _CHUNKS)
        connection.execute("SELECT max(first_ms) FROM (SELECT first_ms FROM chunk LIMIT 1)").fetchone()
        settled, sealed = load_settled(connection), self._registry.load(connection)
        self._settled = settled
        self._sealed.clear()
        self._sealed.update(sealed)

    def _add(self, batches: Sequence[Batch]) -> None:
        refused = [row for batch in batches for row in self._heads.add(batch)]
        key = self._registry.key
        self._quarantine.add([Refusal(describe(key(series), at, value), why) for series, at, value, why in refused])
        self._settled = self._heads.settled

    def _seal_due(self) -> bool:
        return self._seal(self._heads.due(SEAL_AT_ONCE))

    def _seal_oldest(self) -> bool:
        return self._seal(list(self._heads.open)[:SEAL_AT_ONCE])

    def _seal(self, ids: list[int]) -> bool:
        """Puts heads into chunks, in one transaction. Returns whether there were any."""
        if not ids:
            return False
        rows = [row for series in ids for row in self._chunks(series)]
        settled = self._heads.settled_without(ids)
        try:
            self._commit(rows, ids, settled)
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise
            self._database.start_afresh(error)
            self._commit(rows, ids, settled)
        self._heads.drop(ids)
        self._settled = self._heads.settled
        return True

    def _commit(self, rows: list[tuple[int, int, int, int, int, bytes]], ids: list[int], settled: int) -> None:
        with self._database.transaction() as connection:
            connection.executemany("INSERT INTO chunk VALUES (NULL, ?, ?, ?, ?, ?, ?)", rows)
            self._registry.save(connection, ids, self._heads.last)
            save_settled(connection, settled)

    def _chunks(self, series: int) -> list[tuple[int, int, int, int, int, bytes]]:
        """The rows of a head: more than one when it spans too long, or is too large."""
        head = self._heads.open[series]
        at, values = tidy(head.at, head.values)
        rows = []
        start = 0
        while start < len(at):
            end = bisect_left(at, at[start] + MAX_SPAN_MS, start, min(len(at), start + MAX_POINTS))
            block = pack(at[start:end], values[start:end])
            rows.append((series, at[start], self._heads.last, at[end - 1], end - start, block))
            start = end
        return rows

    def _read(self, wanted: list[int], start: int, end: int, limit: int | None) -> list[Points]:
        answer = []
        for series in wanted:
            at, values = self._points_of(series, start, end)
            low, high = bisect_left(at, start), bisect_left(at, end)
            if limit is not None:
                low = max(low, high - limit)
            if low < high:
                answer.append(Points(self._registry.key(series), at[low:high], values[low:high]))
        return answer

    def _points_of(self, series: int, start: int, end: int) -> tuple[array[int], array[float]]:
        """The points of the chunks that reach into the time, and of the head."""
        try:
            rows = self._database.connection.execute(
                "SELECT entry, first_ms, count, block FROM chunk"
                " WHERE series = ? AND first_ms > ? AND first_ms < ? AND last_ms >= ?",
                (series, start - MAX_SPAN_MS, end, start),
            ).fetchall()
            parts = [unpack(first_ms, count, block) for _, first_ms, count, block in sorted(rows)]
        except (sqlite3.DatabaseError, ChunkError) as error:
            key = "/".join(order(self._registry.key(series)))
            raise StoreError(f"{self._database.path}: cannot read {key}: {error}") from error
        head = self._heads.open.get(series)
        if head is not None:
            parts.append(tidy(head.at, head.values))
        return merge(parts)

    def _forget(self, ids: list[int], before: int) -> None:
        try:
            with self._database.transaction() as connection:
                connection.executemany(
                    "DELETE FROM chunk WHERE series = ? AND first_ms < ? AND last_ms < ?",
                    [(series, before, before) for series in ids],
                )
                # An entry that is settled never comes again, so nothing need remember that its points were sealed.
                connection.executemany(
                    "DELETE FROM series WHERE id = ?1 AND sealed_entry <= (SELECT entry FROM settled)"
                    " AND NOT EXISTS (SELECT 1 FROM chunk WHERE series = ?1)",
                    [(series,) for series in ids if series not in self._heads.open],
                )
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{self._database.path}: cannot forget what is old: {error}") from error
