"""The gaps of a spool: what was measured and lost, by sequence numbers, until the collector knows of it."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence

import msgspec

from agent.wire import Gap

SCHEMA = """
CREATE TABLE gap (
    id INTEGER PRIMARY KEY AUTOINCREMENT, first INTEGER NOT NULL, last INTEGER NOT NULL, start INTEGER NOT NULL,
    "end" INTEGER NOT NULL, count INTEGER NOT NULL, why TEXT NOT NULL, sealed INTEGER NOT NULL DEFAULT 0)
"""
A_REPORT = 500
"""Most gaps that one report names."""

_BEFORE = (
    'SELECT id, first, last, start, "end", count, why FROM gap '
    "WHERE why = ? AND NOT sealed AND last < ? ORDER BY last DESC LIMIT 1"
)
_BEHIND = (
    'SELECT id, first, last, start, "end", count, why FROM gap '
    "WHERE why = ? AND NOT sealed AND first > ? ORDER BY first LIMIT 1"
)
_HELD = (
    "SELECT EXISTS (SELECT 1 FROM measurement WHERE seq BETWEEN ?1 AND ?2) "
    "OR EXISTS (SELECT 1 FROM gap WHERE first BETWEEN ?1 AND ?2)"
)


class GapLog:
    """The table of gaps. Whoever calls has a transaction open."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def note(self, gone: Sequence[tuple[int, int]], why: str) -> None:
        """Records that the rows (sequence number, Unix ms), deleted already, are lost: a gap for each unbroken run."""
        for _, run in itertools.groupby(enumerate(gone), key=lambda item: item[1][0] - item[0]):
            rows = [row for _, row in run]
            times = [at for _, at in rows]
            self.add(Gap(rows[0][0], rows[-1][0], min(times), max(times), len(rows), why))

    def add(self, gap: Gap) -> None:
        """Adds a gap, merged with its neighbours where nothing that is still held lies between: the collector takes
        every number within a gap as gone. A sealed gap stays as a report has named it."""
        for neighbour in (_BEFORE, _BEHIND):
            row = self._db.execute(neighbour, (gap.why, gap.first)).fetchone()
            if row is None:
                continue
            other = Gap(*row[1:])
            between = (min(gap.last, other.last) + 1, max(gap.first, other.first) - 1)
            if self._db.execute(_HELD, between).fetchone()[0]:
                continue
            self._db.execute("DELETE FROM gap WHERE id = ?", (row[0],))
            gap = _joined(gap, other)
        self._db.execute(
            'INSERT INTO gap (first, last, start, "end", count, why) VALUES (?, ?, ?, ?, ?, ?)',
            msgspec.structs.astuple(gap),
        )

    def unsealed(self) -> bool:
        """Whether there is a gap that no report has named yet."""
        return bool(self._db.execute("SELECT EXISTS (SELECT 1 FROM gap WHERE NOT sealed)").fetchone()[0])

    def seal(self) -> None:
        """Seals those that :meth:`first` hands out, so that none grows while a report is on its way."""
        self._db.execute(
            "UPDATE gap SET sealed = 1 WHERE id IN (SELECT id FROM gap ORDER BY first LIMIT ?)", (A_REPORT,)
        )

    def first(self) -> list[tuple[int, Gap]]:
        """The first gaps, by their ids, as many as one report names."""
        found = self._db.execute(
            'SELECT id, first, last, start, "end", count, why FROM gap WHERE sealed ORDER BY first LIMIT ?', (A_REPORT,)
        )
        return [(row[0], Gap(*row[1:])) for row in found]

    def delete(self, ids: Sequence[int]) -> None:
        """Forgets the gaps that the collector knows of."""
        self._db.executemany("DELETE FROM gap WHERE id = ?", [(key,) for key in ids])

    def count(self) -> int:
        """How many gaps the collector has not acknowledged."""
        return int(self._db.execute("SELECT count(*) FROM gap").fetchone()[0])


def _joined(one: Gap, other: Gap) -> Gap:
    return Gap(
        min(one.first, other.first),
        max(one.last, other.last),
        min(one.start, other.start),
        max(one.end, other.end),
        one.count + other.count,
        one.why,
    )
