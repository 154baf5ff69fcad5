"""From the journal to a store that comes and goes. Real files; the store is the embedded one behind a door."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from collector import drain as module
from collector.drain import Drain
from collector.ingest import Ingest
from collector.journal import Entry, Journal
from collector.store.embedded import EmbeddedStore
from collector.store.model import Batch, Selector, SeriesKey, StoreAway
from tests.collector.centres import until
from tests.collector.senders import NOW, Sender


class Door(EmbeddedStore):
    """A store that takes nothing while it is shut, and remembers in which order it took entries."""

    shut = False

    async def write(self, batches: Sequence[Batch]) -> None:
        if self.shut:
            raise StoreAway("the door is shut")
        self.took = [*getattr(self, "took", []), *(batch.entry for batch in batches)]
        await super().write(batches)


class Line:
    """Ingest, journal and drain in a row, as a centre has them."""

    def __init__(self, directory: Path, store: Door) -> None:
        self.store = store
        self.journal = Journal(directory / "journal.db", store.newest)
        self.ingest = Ingest(self.journal)
        self.sender = Sender(epoch=1)
        self.drain = Drain(self.journal, store, self.points)

    def points(self, entry: Entry) -> Batch | None:
        rows = len(entry.report.columns.state)
        series = self.store.series_id(SeriesKey("d1", "ping", "r1", "rtt", "", "s"))
        return Batch(entry.id, [series] * rows, [NOW + entry.id] * rows, [1.0] * rows) if rows else None

    async def run(self) -> None:
        async for entry in self.journal.committed():
            if entry.id:
                self.drain.offer(entry.id, self.points(entry))

    async def report(self) -> None:
        await self.ingest.take("d1", self.sender.body(self.sender.rows(1)), NOW)

    async def points_kept(self) -> int:
        return sum(len(p.at) for p in await self.store.query(Selector(), 0, 2 * NOW))


@contextlib.asynccontextmanager
async def lined_up(directory: Path) -> AsyncIterator[Line]:
    store = Door(directory / "store.db")
    line = Line(directory, store)
    tasks = [asyncio.create_task(line.run()), asyncio.create_task(line.drain.run())]
    try:
        yield line
    finally:
        await line.journal.close()
        await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        line.journal.shut()
        await store.close()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(module, "LONGEST_WAIT", 0.02)


async def test_what_came_while_the_store_was_away_is_written_in_order_and_once(tmp_path: Path) -> None:
    async with lined_up(tmp_path) as line:
        await line.report()
        await until(lambda: line.drain.written == 1)
        line.store.shut = True
        for _ in range(5):
            await line.report()
        await until(lambda: bool(line.drain.away))
        assert line.drain.away == "the door is shut"
        assert line.drain.written == 1
        line.store.shut = False
        await until(lambda: line.drain.written == 6)
        assert line.drain.away == ""
        assert line.store.took == [1, 2, 3, 4, 5, 6]
        assert await line.points_kept() == 6


async def test_memory_is_bounded_while_the_store_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IN_MEMORY", 10)
    async with lined_up(tmp_path) as line:
        line.store.shut = True
        for _ in range(40):
            await line.report()
        assert line.drain.waiting <= 10
        line.store.shut = False
        await until(lambda: line.drain.written == 40)
        assert line.store.took == list(range(1, 41))
        await line.report()
        await until(lambda: line.drain.written == 41)
        assert await line.points_kept() == 41


async def test_an_entry_that_was_read_from_the_journal_before_it_was_offered_is_written_once(tmp_path: Path) -> None:
    async with lined_up(tmp_path) as line:
        for _ in range(3):
            await line.report()
        await until(lambda: line.drain.written == 3)
        line.drain.offer(2, line.points(line.journal.entries(after=1)[0]))
        await line.report()
        await until(lambda: line.drain.written == 4)
        assert line.store.took == [1, 2, 3, 4]


async def test_after_a_kill_what_the_store_had_not_settled_is_written_again_and_counts_once(tmp_path: Path) -> None:
    async with lined_up(tmp_path) as line:
        for _ in range(5):
            await line.report()
        await until(lambda: line.drain.written == 5)
        assert line.store.settled < 5  # in memory alone
        again = shutil.copytree(tmp_path, tmp_path.with_name("again"))
    async with lined_up(again) as line:
        await until(lambda: line.drain.written == 5)
        assert await line.points_kept() == 5
