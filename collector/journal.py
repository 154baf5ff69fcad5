"""The durable edge of the collector: what is acknowledged is on disk, once.

One SQLite file. A report and the sequence numbers it brings commit in one transaction, so that a replay changes
nothing and a crash loses nothing. Reports of many agents share a commit. What the store has made durable is trimmed.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from agent import wire
from collector.intervals import Intervals
from collector.store.database import Database
from collector.store.model import StoreAway

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entry (
    id INTEGER PRIMARY KEY AUTOINCREMENT, agent TEXT NOT NULL, number INTEGER NOT NULL, received_at INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS vocabulary (
    id INTEGER PRIMARY KEY, agent TEXT NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS received (
    agent TEXT NOT NULL, epoch INTEGER NOT NULL, runs BLOB NOT NULL, PRIMARY KEY (agent, epoch)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS gap (
    agent TEXT NOT NULL, epoch INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
    start INTEGER NOT NULL, "end" INTEGER NOT NULL, count INTEGER NOT NULL, why TEXT NOT NULL,
    received_at INTEGER NOT NULL, PRIMARY KEY (agent, epoch, first, last)) WITHOUT ROWID;
"""

_runs_decoder = msgspec.msgpack.Decoder(list[tuple[int, int]])
_words_decoder = msgspec.msgpack.Decoder(tuple[list[str], list[tuple[int, int, int, int]]])
_kept_decoder = msgspec.msgpack.Decoder(wire.Report)


class Entry(msgspec.Struct):
    """A report as taken: every row of it is new. ``runs`` is what has arrived of its epoch, this report included.
    ``id`` is 0 until the report is committed; then it grows strictly. A report with nothing to keep stays at 0."""

    report: wire.Report
    table: wire.Table
    received_at: int
    runs: list[tuple[int, int]] = []
    new_texts: int = 0
    new_series: int = 0
    id: int = 0


class JournalError(Exception):
    """The journal cannot be written. Says the file and the remedy."""


class Journal:
    """Entries, the tables that they need, and what has been received. One writer thread."""

    def __init__(self, path: Path, after: int = 0) -> None:
        """Opens or makes the file; a broken one is set aside. New entries are numbered beyond ``after``, which others
        may remember although the journal was lost. Raises JournalError."""
        self.path = path
        self.depth = 0
        """Entries on disk that the store has not settled yet."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self.tables: dict[tuple[str, int], wire.Table] = {}
        self._received: dict[tuple[str, int], Intervals] = {}
        # Which tables are needed: by the entries on disk, and by those (counted) that are not there yet.
        self._last_entry: dict[tuple[str, int], int] = {}
        self._last_append: dict[tuple[str, int], int] = {}
        self._appended = self._finished = 0
        try:
            self._db = Database(path, self._prepare).connection
            self._number_beyond(after)
            self._reader = sqlite3.connect(path, check_same_thread=False)
        except (StoreAway, sqlite3.Error) as error:
            raise JournalError(f"{path}: cannot open the journal: {error}") from error
        self._waiting: asyncio.Queue[tuple[Entry, asyncio.Future[None]] | None] = asyncio.Queue()

    def _prepare(self, db: sqlite3.Connection) -> None:
        """Makes the tables, and reads all but the entries' bodies: a file that lets itself be read so far is sound."""
        db.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
        self._received = {
            (agent, epoch): Intervals(_runs_decoder.decode(runs))
            for agent, epoch, runs in db.execute("SELECT agent, epoch, runs FROM received")
        }
        self.tables = {}
        for agent, number, body in db.execute("SELECT agent, number, body FROM vocabulary ORDER BY id"):
            _add_words(self.tables.setdefault((agent, number), wire.Table(number)), body)
        self._last_entry = {
            (agent, number): last
            for agent, number, last in db.execute("SELECT agent, number, max(id) FROM entry GROUP BY 1, 2")
        }
        self.depth = db.execute("SELECT count(*) FROM entry").fetchone()[0]

    def _number_beyond(self, after: int) -> None:
        self._db.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT 'entry', ? "
            "WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'entry')",
            (after,),
        )
        self._db.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'entry' AND seq < ?1", (after,))

    def received(self, agent: str, epoch: int) -> Intervals:
        """The sequence numbers that have arrived and are on disk, or are about to be."""
        return self._received.setdefault((agent, epoch), Intervals())

    async def append(self, entry: Entry) -> None:
        """Returns when the entry is on disk. Raises JournalError; then nothing of it is kept."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._appended += 1
        self._last_append[entry.report.agent, entry.report.table] = self._appended
        self._waiting.put_nowait((entry, done))
        await done

    async def committed(self) -> AsyncIterator[Entry]:
        """Commits what is appended, group by group, and hands out the entries in order. The one loop that writes.

        Ends after :meth:`close` was asked for.
        """
        loop = asyncio.get_running_loop()
        while (first := await self._waiting.get()) is not None:
            group = [first]
            closing = False
            while not self._waiting.empty() and len(group) < 1000:
                more = self._waiting.get_nowait()
                if more is None:
                    closing = True
                    break
                group.append(more)
            entries = [entry for entry, _ in group]
            try:
                await loop.run_in_executor(self._thread, self._commit, entries)
            except sqlite3.Error as error:
                self._fail(group, error)
                if closing:
                    return
                continue
            self._finished += len(group)
            self._last_entry.update({(e.report.agent, e.report.table): e.id for e in entries if e.id})
            self.depth += sum(entry.id > 0 for entry in entries)
            for _, done in group:
                if not done.done():
                    done.set_result(None)
            for entry in entries:
                yield entry
            if closing:
                return

    def _commit(self, entries: Sequence[Entry]) -> None:
        with _transaction(self._db):
            for entry in entries:
                self._insert(entry)

    def _insert(self, entry: Entry) -> None:
        report = entry.report
        if entry.new_texts or entry.new_series:
            words = (
                report.texts[len(report.texts) - entry.new_texts :],
                report.series[len(report.series) - entry.new_series :],
            )
            self._db.execute(
                "INSERT INTO vocabulary (agent, number, body) VALUES (?, ?, ?)",
                (report.agent, report.table, msgspec.msgpack.encode(words)),
            )
        if not report.columns.state and not report.gaps:
            return
        body = msgspec.msgpack.encode(msgspec.structs.replace(report, texts=[], series=[]))
        entry.id = (
            self._db.execute(
                "INSERT INTO entry (agent, number, received_at, body) VALUES (?, ?, ?, ?)",
                (report.agent, report.table, entry.received_at, body),
            ).lastrowid
            or 0
        )
        self._db.execute(
            "INSERT OR REPLACE INTO received VALUES (?, ?, ?)",
            (report.agent, report.epoch, msgspec.msgpack.encode(entry.runs)),
        )
        self._db.executemany(
            "INSERT OR IGNORE INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [(report.agent, report.epoch, *msgspec.structs.astuple(gap), entry.received_at) for gap in report.gaps],
        )

    def _fail(self, group: list[tuple[Entry, asyncio.Future[None]]], error: sqlite3.Error) -> None:
        """Refuses the group and all that waits behind it, whose runs count on it. Then memory is as the disk is."""
        while not self._waiting.empty():
            more = self._waiting.get_nowait()
            if more is None:
                self._waiting.put_nowait(None)
                break
            group.append(more)
        self._finished += len(group)
        for report in (entry.report for entry, _ in group):
            row = self._reader.execute(
                "SELECT runs FROM received WHERE agent = ? AND epoch = ?", (report.agent, report.epoch)
            ).fetchone()
            self._received[report.agent, report.epoch] = Intervals(_runs_decoder.decode(row[0]) if row else ())
            # Another object, because what was taken before still names its words in the old one.
            self.tables[report.agent, report.table] = self._table_on_disk(report.agent, report.table)
        for _, done in group:
            if not done.done():
                done.set_exception(self._unwritable(error))

    def _table_on_disk(self, agent: str, number: int) -> wire.Table:
        table = wire.Table(number)
        query = "SELECT body FROM vocabulary WHERE agent = ? AND number = ? ORDER BY id"
        for (body,) in self._reader.execute(query, (agent, number)):
            _add_words(table, body)
        return table

    def _unwritable(self, error: sqlite3.Error) -> JournalError:
        return JournalError(f"{self.path}: cannot write the journal ({error}): free space on its disk")

    def entries(self, after: int = 0, limit: int = -1) -> list[Entry]:
        """The entries on disk beyond an id, oldest first, at most ``limit`` of them unless it is negative."""
        rows = self._reader.execute(
            "SELECT id, agent, number, received_at, body FROM entry WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [
            Entry(_kept_decoder.decode(body), self.tables[agent, table], received_at, id=number)
            for number, agent, table, received_at, body in rows
        ]

    def gaps(self, agent: str | None = None, limit: int = 100) -> list[tuple[str, wire.Gap]]:
        """The newest gaps, of one agent or of all: the agent, and what it lost."""
        rows = self._reader.execute(
            'SELECT agent, first, last, start, "end", count, why FROM gap WHERE agent = coalesce(?, agent) '
            "ORDER BY received_at DESC LIMIT ?",
            (agent, limit),
        )
        return [(agent, wire.Gap(*rest)) for agent, *rest in rows]

    def lost(self) -> int:
        """How many measurements agents had and lost, as far as they know."""
        return int(self._reader.execute("SELECT coalesce(sum(count), 0) FROM gap").fetchone()[0])

    async def trim(self, settled: int) -> None:
        """Forgets the entries up to an id, and the tables that neither an entry nor an agent's newest report needs.
        Raises JournalError; then nothing is forgotten."""
        newest = dict(self.tables.keys())  # of an agent's tables, the last to come
        gone = [key for key in self.tables if newest[key[0]] != key[1] and not self._needs(key, settled)]
        # From here on their agents are asked for them again, and what they then send is written after the deletion.
        forgotten = {key: self.tables.pop(key) for key in gone}
        for key in gone:
            self._last_entry.pop(key, None)
            self._last_append.pop(key, None)
        try:
            count = await asyncio.get_running_loop().run_in_executor(self._thread, self._trim, settled, gone)
        except sqlite3.Error as error:
            self.tables = forgotten | self.tables
            raise self._unwritable(error) from error
        self.depth -= count

    def _needs(self, table: tuple[str, int], settled: int) -> bool:
        """Whether an entry beyond an id, or one that is not on disk yet, names its words in a table."""
        return self._last_entry.get(table, 0) > settled or self._last_append.get(table, 0) > self._finished

    def _trim(self, settled: int, tables: Sequence[tuple[str, int]]) -> int:
        with _transaction(self._db):
            count = self._db.execute("DELETE FROM entry WHERE id <= ?", (settled,)).rowcount
            self._db.executemany("DELETE FROM vocabulary WHERE agent = ? AND number = ?", tables)
            return count

    async def close(self) -> None:
        """Lets :meth:`committed` finish what waits, and end."""
        self._waiting.put_nowait(None)

    def shut(self) -> None:
        """Closes the file, after :meth:`committed` has ended."""
        self._thread.shutdown()
        self._reader.close()
        self._db.close()


def _add_words(table: wire.Table, body: bytes) -> None:
    texts, series = _words_decoder.decode(body)
    table.texts += texts
    table.series += series


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")
