"""One SQLite file, used by one thread of its own, so that the event loop never waits for a disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from collector.store.model import StoreAway

log = logging.getLogger(__name__)

Result = TypeVar("Result")

_BROKEN = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """The connection, for the worker thread alone; reopened when the file turns out to be broken.

    ``prepare`` makes the tables and reads all that must be readable. ``set_aside`` counts broken files.
    """

    def __init__(self, path: Path, prepare: Callable[[sqlite3.Connection], None], *, synchronous: str = "FULL") -> None:
        self.path = path
        self.set_aside = 0
        self._prepare = prepare
        self._synchronous = synchronous
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.connection = self._open()
        except OSError as error:
            raise StoreAway(f"{path.parent}: cannot make the folder: {error.strerror}") from error
        except sqlite3.DatabaseError as error:
            if not is_broken(error):
                raise StoreAway(f"{path}: {error}: check that the folder is there, and may be written") from error
            self.start_afresh(error)

    def start_afresh(self, error: sqlite3.DatabaseError) -> None:
        """Keeps the broken file beside, for a person to look at, and goes on with an empty one."""
        with contextlib.suppress(AttributeError, sqlite3.Error):
            self.connection.close()
        number = 1
        while (aside := self.path.with_name(f"{self.path.name}.broken-{number}")).exists():
            number += 1
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                self.path.with_name(self.path.name + suffix).rename(aside.with_name(aside.name + suffix))
        self.set_aside += 1
        log.error("%s is broken (%s): set aside as %s, going on with an empty one", self.path, error, aside.name)
        self.connection = self._open()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing. Raises StoreAway when the disk will not take it; sqlite3.DatabaseError when it is broken."""
        try:
            self.connection.execute("BEGIN IMMEDIATE")
            yield self.connection
            self.connection.execute("COMMIT")
        except BaseException as error:
            with contextlib.suppress(sqlite3.Error):
                self.connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError) and not is_broken(error):
                raise StoreAway(f"{self.path}: {error}: check the space on the disk, and who may write") from error
            raise

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._synchronous}")
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def is_broken(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is damaged, or is none of SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _BROKEN


class Worker:
    """One thread, one thing at a time."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def run(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What the function returns, run in the thread, after all that was asked before."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def end(self) -> None:
        """Ends the thread, after all that was asked before."""
        self._pool.shutdown()
