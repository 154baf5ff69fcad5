"""The spool's file: measurements on disk until the collector has committed them, bounded in bytes, nothing lost in
silence. SQLite in WAL mode, every transaction fsynced. Synchronous: one thread owns it (see :mod:`agent.spool`).
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent import gaplog
from agent.gaplog import GapLog
from agent.wire import Gap
from checks.model import Measurement

_SCHEMA = """
CREATE TABLE meta (epoch INTEGER NOT NULL, corrupted INTEGER NOT NULL, dropped INTEGER NOT NULL);
CREATE TABLE measurement (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, bulk INTEGER NOT NULL, body BLOB NOT NULL);
CREATE INDEX oldest_of_kind ON measurement (bulk, seq);
CREATE TABLE refused (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, reason TEXT NOT NULL, body BLOB NOT NULL);
"""
_VERSION = 1
_ROW_OVERHEAD = 48
"""Bytes that SQLite spends on a row and its place in the index beside the body."""
_KEPT_REFUSED = 1000
_CORRUPT = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_decoder = msgspec.msgpack.Decoder(Measurement)


class SpoolError(Exception):
    """The spool cannot be used. Says the path and the remedy."""


class CorruptError(SpoolError):
    """The file is damaged and is to be set aside."""


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """A measurement that waits to be written. ``bulk``: its state is that of the job's measurement before."""

    at: int
    bulk: bool
    body: bytes


@dataclasses.dataclass(frozen=True, slots=True)
class Lost:
    """Measurements that never got onto the disk: how many, and between which times (Unix ms)."""

    count: int
    start: int
    end: int

    def __add__(self, other: Lost) -> Lost:
        return Lost(self.count + other.count, min(self.start, other.start), max(self.end, other.end))


class Batch(NamedTuple):
    """Rows of one epoch in the order of their sequence numbers, with the gaps to tell of by their ids.
    ``more`` says that there are further rows in the direction that was asked for."""

    epoch: int
    rows: list[tuple[int, Measurement]]
    gaps: list[tuple[int, Gap]]
    more: bool


class Stats(msgspec.Struct, frozen=True):
    """What the spool holds. ``bytes`` are those of the rows; ``dropped`` and ``corrupted`` count from the file's
    making; ``oldest`` is the time of the oldest row in Unix ms, None when there is none."""

    epoch: int
    rows: int
    bytes: int
    max_bytes: int
    last: int
    oldest: int | None
    gaps: int
    refused: int
    dropped: int
    corrupted: int


class SpoolFile:
    """The file, open. It is locked against a second agent as long as this object lives."""

    def __init__(self, path: Path, max_bytes: int, *, corrupted: int = 0) -> None:
        """Opens or makes the file. Raises CorruptError, SpoolError."""
        self.path = path
        self._max = max_bytes
        self._rows = self._bytes = 0
        self.closed = False
        with _named(path):
            self._db = sqlite3.connect(path, isolation_level=None, timeout=2.0, check_same_thread=False)
            self._gaps = GapLog(self._db)
            try:
                path.chmod(0o600)
                self._open(corrupted)
            except BaseException:
                self._db.close()
                raise

    def _open(self, corrupted: int) -> None:
        # The lock first: with it WAL needs no shared memory beside the file, and a second agent is noticed.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA cache_size=-512")
        version = self._one("PRAGMA user_version")
        if version == 0:
            self._create(corrupted)
        elif version != _VERSION:
            raise SpoolError(f"the spool {self.path} is of version {version}, this agent writes {_VERSION}")
        if (verdict := self._one("PRAGMA quick_check(1)")) != "ok":
            raise CorruptError(f"the spool {self.path} is damaged: {verdict}")
        self.epoch = int(self._one("SELECT epoch FROM meta"))
        size = "SELECT count(*), coalesce(sum(length(body) + ?), 0) FROM measurement"
        self._rows, self._bytes = self._db.execute(size, (_ROW_OVERHEAD,)).fetchone()

    def _create(self, corrupted: int) -> None:
        with self._transaction():
            for statement in (*_SCHEMA.split(";"), gaplog.SCHEMA):
                self._db.execute(statement)
            self._db.execute("INSERT INTO meta VALUES (?, ?, 0)", (secrets.randbits(63), corrupted))
            self._db.execute(f"PRAGMA user_version={_VERSION}")

    def _one(self, sql: str, *values: object) -> int | str:
        row = self._db.execute(sql, values).fetchone()
        if row is None:
            raise CorruptError(f"the spool {self.path} is damaged: no answer to {sql}")
        value: int | str = row[0]
        return value

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        before = self._rows, self._bytes
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._rows, self._bytes = before
            with contextlib.suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    def write(self, pending: Sequence[Pending], lost: Lost | None = None) -> list[int]:
        """Appends measurements, in one transaction with what must go to make room, and with the record of what was
        lost before. Returns their sequence numbers; when it returns they are on disk. Raises sqlite3.Error."""
        with self._transaction():
            if lost is not None:
                first, last = self._skip(lost.count)
                self._gaps.add(Gap(first, last, lost.start, lost.end, lost.count, "disk-full"))
                self._db.execute("UPDATE meta SET dropped = dropped + ?", (lost.count,))
            numbers = [self._insert(row) for row in pending]
            self._shrink()
        return numbers

    def _insert(self, row: Pending) -> int:
        cursor = self._db.execute(
            "INSERT INTO measurement (at, bulk, body) VALUES (?, ?, ?)", (row.at, row.bulk, row.body)
        )
        self._rows += 1
        self._bytes += len(row.body) + _ROW_OVERHEAD
        return cursor.lastrowid or 0

    def _skip(self, count: int) -> tuple[int, int]:
        """Uses up sequence numbers, so that a gap has numbers of its own."""
        last = self._last()
        if not self._db.execute(
            "UPDATE sqlite_sequence SET seq = ? WHERE name = 'measurement'", (last + count,)
        ).rowcount:
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('measurement', ?)", (last + count,))
        return last + 1, last + count

    def _last(self) -> int:
        return int(self._one("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'measurement'"))

    def _shrink(self) -> None:
        """Drops the oldest bulk, and only then the oldest changes of state, until the rows fit again."""
        if self._bytes <= self._max:
            return
        goal = self._max - self._max // 64
        for bulk in (1, 0):
            going: list[tuple[int, int]] = []
            for seq, at, size in self._db.execute(
                "SELECT seq, at, length(body) FROM measurement WHERE bulk = ? ORDER BY seq", (bulk,)
            ):
                if self._bytes <= goal:
                    break
                going.append((seq, at))
                self._bytes -= size + _ROW_OVERHEAD
            self._rows -= len(going)
            self._db.executemany("DELETE FROM measurement WHERE seq = ?", [(seq,) for seq, _ in going])
            self._db.execute("UPDATE meta SET dropped = dropped + ?", (len(going),))
            self._gaps.note(going, "spool-full")

    def newest(self, after: int, max_bytes: int) -> Batch:
        """The newest rows beyond a sequence number, of at most ``max_bytes`` (one row at least), with the gaps."""
        rows, more = self._read("SELECT seq, body FROM measurement WHERE seq > ? ORDER BY seq DESC", after, max_bytes)
        # A disk too full to seal a gap must not keep the agent from reporting: that gap waits.
        with contextlib.suppress(sqlite3.OperationalError):
            self._seal_gaps()
        return Batch(self.epoch, rows[::-1], self._gaps.first(), more)

    def _seal_gaps(self) -> None:
        if self._gaps.unsealed():
            with self._transaction():
                self._gaps.seal()

    def oldest(self, upto: int, max_bytes: int) -> Batch:
        """The oldest rows up to a sequence number, of at most ``max_bytes`` (one row at least)."""
        rows, more = self._read("SELECT seq, body FROM measurement WHERE seq <= ? ORDER BY seq", upto, max_bytes)
        return Batch(self.epoch, rows, [], more)

    def _read(self, sql: str, bound: int, max_bytes: int) -> tuple[list[tuple[int, Measurement]], bool]:
        rows: list[tuple[int, Measurement]] = []
        unreadable: list[int] = []
        size, more = 0, False
        for seq, body in self._db.execute(sql, (bound,)):
            if rows and size + len(body) > max_bytes:
                more = True
                break
            size += len(body)
            try:
                rows.append((seq, _decoder.decode(body)))
            except msgspec.MsgspecError:
                unreadable.append(seq)
        if unreadable:
            self.set_aside(self.epoch, unreadable, "unreadable on disk")
        return rows, more

    def delete(self, epoch: int, seqs: Sequence[int], gaps: Sequence[int] = ()) -> None:
        """Deletes what the collector has committed. Nothing happens when the epoch is no longer ours."""
        if epoch != self.epoch or not (seqs or gaps):
            return
        with self._transaction():
            self._take_out(seqs)
            self._gaps.delete(gaps)

    def _take_out(self, seqs: Sequence[int]) -> None:
        for first, last in _runs(seqs):
            count, size = self._db.execute(
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM measurement WHERE seq BETWEEN ? AND ?",
                (first, last),
            ).fetchone()
            self._db.execute("DELETE FROM measurement WHERE seq BETWEEN ? AND ?", (first, last))
            self._rows -= count
            self._bytes -= size + count * _ROW_OVERHEAD

    def set_aside(self, epoch: int, seqs: Sequence[int], reason: str) -> None:
        """Moves rows that will never be taken into the table ``refused`` (the last thousand are kept for a person to
        look at), with a gap record each run."""
        if epoch != self.epoch:
            return
        with self._transaction():
            gone: list[tuple[int, int]] = []
            for seq in sorted(seqs):
                row = self._db.execute("SELECT at FROM measurement WHERE seq = ?", (seq,)).fetchone()
                if row is None:
                    continue
                gone.append((seq, row[0]))
                self._db.execute(
                    "INSERT OR REPLACE INTO refused SELECT seq, at, ?, body FROM measurement WHERE seq = ?",
                    (reason, seq),
                )
            self._take_out([seq for seq, _ in gone])
            self._gaps.note(gone, "refused")
            self._db.execute(
                "DELETE FROM refused WHERE seq NOT IN (SELECT seq FROM refused ORDER BY seq DESC LIMIT ?)",
                (_KEPT_REFUSED,),
            )

    def note_corrupt(self, start: int, end: int) -> None:
        """Says that an earlier spool was damaged: a gap whose count of 0 means that nobody knows how many."""
        with self._transaction():
            first, last = self._skip(1)
            self._gaps.add(Gap(first, last, start, end, 0, "spool-corrupt"))

    def stats(self) -> Stats:
        """What the spool holds."""
        corrupted, dropped = self._db.execute("SELECT corrupted, dropped FROM meta").fetchone()
        oldest = self._db.execute("SELECT at FROM measurement ORDER BY seq LIMIT 1").fetchone()
        return Stats(
            self.epoch,
            self._rows,
            self._bytes,
            self._max,
            self._last(),
            oldest[0] if oldest else None,
            self._gaps.count(),
            int(self._one("SELECT count(*) FROM refused")),
            dropped,
            corrupted,
        )

    def close(self) -> None:
        """Closes the file, in order."""
        self.closed = True
        self._db.close()


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turns what can go wrong when the file is opened into an operator's words."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        if is_corrupt(error):
            raise CorruptError(f"the spool {path} is damaged: {error}") from error
        if _code(error) == sqlite3.SQLITE_BUSY:
            raise SpoolError(f"the spool {path} is in use: another thongsuot-agent runs with this state_dir") from error
        raise SpoolError(
            f"the spool {path} cannot be opened: {error}: state_dir must be a directory that this user may write to, "
            f"on a disk with room ({free_bytes(path)} bytes free)"
        ) from error


def is_corrupt(error: Exception) -> bool:
    """Whether an error means that the file is damaged."""
    return isinstance(error, CorruptError) or _code(error) in _CORRUPT


def _code(error: Exception) -> int:
    """SQLite's primary result code; 0 when the error is not SQLite's."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def free_bytes(path: Path) -> int:
    """What an ordinary user may still write to the disk that a file is on; 0 when nobody can say."""
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return 0
    return disk.f_bavail * disk.f_frsize


def _runs(seqs: Sequence[int]) -> list[tuple[int, int]]:
    """Sequence numbers as (first, last) of each unbroken run."""
    runs: list[tuple[int, int]] = []
    for seq in sorted(seqs):
        if runs and seq == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], seq)
        else:
            runs.append((seq, seq))
    return runs
