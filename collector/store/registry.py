"""Which series there are, and the number each goes by. In memory, kept in a SQLite table.

The embedded store has it beside its chunks; the stores of other servers in a small file of its own, because InfluxDB
keeps no units.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from collector.store.model import Selector, SeriesKey, order

SERIES = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY,
    node TEXT NOT NULL, "check" TEXT NOT NULL, label TEXT NOT NULL,
    metric TEXT NOT NULL, instance TEXT NOT NULL, unit TEXT NOT NULL,
    sealed_entry INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS settled (only INTEGER PRIMARY KEY CHECK (only = 1), entry INTEGER NOT NULL) STRICT;
"""


class Registry:
    """Numbers for series. One thread adds (:meth:`number`); others may look, since lists and dicts only grow."""

    def __init__(self) -> None:
        self.keys: list[SeriesKey | None] = [None]
        """By id. Ids begin at 1; None where one is free."""
        self._ids: dict[SeriesKey, int] = {}
        self._of_node: dict[str, list[int]] = {}

    def number(self, key: SeriesKey) -> int:
        """The id of a series, a new one when it is new."""
        found = self._ids.get(key)
        return self._add(len(self.keys), key) if found is None else found

    def load(self, connection: sqlite3.Connection) -> dict[int, int]:
        """Reads the table into an empty registry. Returns the sealed entry of each id."""
        sealed: dict[int, int] = {}
        statement = 'SELECT id, sealed_entry, node, "check", label, metric, instance, unit FROM series ORDER BY id'
        for series, entry, *texts in connection.execute(statement):
            self._add(series, SeriesKey(*texts))
            sealed[series] = entry
        return sealed

    def save(self, connection: sqlite3.Connection, ids: Iterable[int], entry: int) -> None:
        """Writes the rows of some ids, as sealed up to an entry."""
        connection.executemany(
            "INSERT INTO series VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET sealed_entry = excluded.sealed_entry",
            ((series, *order(self.key(series)), entry) for series in ids),
        )

    def key(self, series: int) -> SeriesKey:
        """The key of an id. Raises LookupError for one that was not given."""
        key = self.keys[series] if 0 < series < len(self.keys) else None
        if key is None:
            raise LookupError(f"series {series}: this store gave no such id")
        return key

    def select(self, selector: Selector) -> list[int]:
        """The ids that are meant, sorted by key."""
        among = range(1, len(self.keys)) if selector.node is None else self._of_node.get(selector.node, ())
        found = [(order(key), series) for series in among if (key := self.keys[series]) and selector.takes(key)]
        return [series for _, series in sorted(found)]

    def _add(self, series: int, key: SeriesKey) -> int:
        self.keys.extend([None] * (series + 1 - len(self.keys)))
        self.keys[series] = key
        self._ids[key] = series
        self._of_node.setdefault(key.node, []).append(series)
        return series


def load_settled(connection: sqlite3.Connection) -> int:
    """The settled entry that was last saved; 0 when none was."""
    row = connection.execute("SELECT entry FROM settled").fetchone()
    return int(row[0]) if row else 0


def save_settled(connection: sqlite3.Connection, entry: int) -> None:
    """Keeps the settled entry."""
    connection.execute("INSERT INTO settled VALUES (1, ?) ON CONFLICT DO UPDATE SET entry = excluded.entry", (entry,))
