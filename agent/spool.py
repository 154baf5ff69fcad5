"""The spool as the rest of the agent sees it: awaited, in a thread of its own, one fsync for a group of measurements.

While the disk is full, measurements wait in a bounded memory queue; what does not fit there becomes a gap.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from agent.recovery import open_or_replace
from agent.spoolfile import Batch, Lost, Pending, SpoolError, SpoolFile, Stats, free_bytes, is_corrupt
from checks.contract import Clock
from checks.model import Measurement

GROUP_SECONDS = 1.0
"""Longest that a measurement waits for the fsync of its group."""
RETRY_SECONDS = 2.0
"""Between two attempts to write to a disk that refuses."""
MEMORY_BYTES = 8 << 20
"""Most that waits in memory while the disk refuses."""
_SAY_AGAIN_SECONDS = 600.0

T = TypeVar("T")
log = logging.getLogger("agent.spool")


class _Append(NamedTuple):
    row: Pending
    done: asyncio.Future[int | None]


class _Call(NamedTuple):
    run: Callable[[SpoolFile], Any]
    done: asyncio.Future[Any]


class Spool:
    """Measurements on disk until the collector has committed them. Make one with :meth:`open`."""

    def __init__(self, file: SpoolFile, max_bytes: int, clock: Clock, memory_bytes: int, retry: float) -> None:
        self._file = file
        self._max = max_bytes
        self._clock = clock
        self._memory_bytes = memory_bytes
        self._retry = retry
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Condition()
        self._appends: collections.deque[_Append] = collections.deque()
        self._calls: collections.deque[_Call] = collections.deque()
        self._waiting_bytes = 0
        self._lost: Lost | None = None
        self._flush_at: float | None = None
        self._not_before = 0.0
        self._closing = False
        self._trouble = ""
        self._said_at = float("-inf")
        self._thread = threading.Thread(target=self._work, name="spool", daemon=True)

    @classmethod
    async def open(
        cls,
        path: Path,
        max_bytes: int,
        clock: Clock,
        *,
        memory_bytes: int = MEMORY_BYTES,
        retry: float = RETRY_SECONDS,
    ) -> Spool:
        """Opens or makes the spool; a damaged one is set aside and logged. Raises SpoolError."""
        file, damage = await asyncio.to_thread(open_or_replace, path, max_bytes, clock.now())
        if damage:
            log.error("%s", damage)
        spool = cls(file, max_bytes, clock, memory_bytes, retry)
        spool._thread.start()
        return spool

    @property
    def trouble(self) -> str:
        """Why the disk takes nothing just now; empty when it does."""
        return self._trouble

    @property
    def waiting(self) -> int:
        """Measurements in memory that are not on disk yet."""
        return len(self._appends)

    def append(self, measurement: Measurement, *, changed: bool) -> asyncio.Future[int | None]:
        """Takes a measurement. The future resolves to its sequence number when it is on disk: within
        ``GROUP_SECONDS``, or at once when its job's state has ``changed``. It resolves to None when the disk refused
        for so long that the measurement went into a gap."""
        row = Pending(measurement.at, not changed, msgspec.msgpack.encode(measurement))
        done: asyncio.Future[int | None] = self._loop.create_future()
        with self._lock:
            self._appends.append(_Append(row, done))
            self._waiting_bytes += len(row.body)
            if self._waiting_bytes > self._memory_bytes:
                self._shed()
            by = time.monotonic() + (0.0 if changed else GROUP_SECONDS)
            if self._flush_at is None or by < self._flush_at:
                self._flush_at = by
                self._lock.notify()
        return done

    async def newest(self, after: int, max_bytes: int) -> Batch:
        """See :meth:`SpoolFile.newest`; what was appended before is seen, if the disk took it."""
        return await self._call(lambda file: file.newest(after, max_bytes))

    async def oldest(self, upto: int, max_bytes: int) -> Batch:
        """See :meth:`SpoolFile.oldest`."""
        return await self._call(lambda file: file.oldest(upto, max_bytes))

    async def delete(self, epoch: int, seqs: Sequence[int], gaps: Sequence[int] = ()) -> None:
        """Deletes what the collector has committed, and nothing else."""
        await self._call(lambda file: file.delete(epoch, seqs, gaps))

    async def set_aside(self, epoch: int, seqs: Sequence[int], reason: str) -> None:
        """Puts rows that the collector will never take where a person can look at them."""
        await self._call(lambda file: file.set_aside(epoch, seqs, reason))

    async def stats(self) -> Stats:
        """What the spool holds. Answers only while the thread and the disk are alive."""
        return await self._call(lambda file: file.stats())

    async def alive(self) -> None:
        """Returns when the thread has had a turn; the disk may refuse meanwhile, but not hang."""
        await self._call(lambda _: None)

    async def close(self) -> None:
        """Writes what waits, if the disk takes it, and closes the file."""
        with self._lock:
            self._closing = True
            self._lock.notify()
        await asyncio.to_thread(self._thread.join)

    async def _call(self, run: Callable[[SpoolFile], T]) -> T:
        done: asyncio.Future[T] = self._loop.create_future()
        with self._lock:
            if self._closing:
                raise SpoolError(f"the spool {self._file.path} is closed")
            self._calls.append(_Call(run, done))
            self._lock.notify()
        return await done

    def _shed(self) -> None:
        """Makes room in memory: the oldest bulk goes first. The caller holds the lock."""
        goal = self._memory_bytes * 7 // 8
        for bulk in (True, False):
            kept: collections.deque[_Append] = collections.deque()
            for item in self._appends:
                if self._waiting_bytes <= goal or item.row.bulk is not bulk:
                    kept.append(item)
                    continue
                self._waiting_bytes -= len(item.row.body)
                lost = Lost(1, item.row.at, item.row.at)
                self._lost = lost if self._lost is None else self._lost + lost
                self._resolve([(item.done, None)])
            self._appends = kept

    # What follows runs in the spool's thread.

    def _work(self) -> None:
        while True:
            appends, calls, lost, closing = self._take()
            if appends or lost:
                self._write(appends, lost)
            for call in calls:
                self._answer(call)
            if closing:
                break
        if self._appends:
            log.error("%d measurements that waited in memory are lost: the disk did not take them", len(self._appends))
        with contextlib.suppress(sqlite3.Error):
            self._file.close()

    def _take(self) -> tuple[list[_Append], list[_Call], Lost | None, bool]:
        """Waits for something to do, and takes it."""
        with self._lock:
            while not (self._calls or self._closing or self._due() <= time.monotonic()):
                due = self._due()
                self._lock.wait(None if due == float("inf") else max(0.0, due - time.monotonic()))
            calls = list(self._calls)
            self._calls.clear()
            appends: list[_Append] = []
            lost = None
            if self._closing or time.monotonic() >= self._not_before:
                appends, lost = list(self._appends), self._lost
                self._appends.clear()
                self._waiting_bytes, self._lost, self._flush_at = 0, None, None
            return appends, calls, lost, self._closing

    def _due(self) -> float:
        return float("inf") if self._flush_at is None else max(self._flush_at, self._not_before)

    def _write(self, appends: list[_Append], lost: Lost | None) -> None:
        rows = [item.row for item in appends]
        try:
            try:
                self._reopen_if_closed()
                numbers = self._file.write(rows, lost)
            except (sqlite3.Error, SpoolError) as error:
                if not is_corrupt(error):
                    raise
                self._replace()
                numbers = self._file.write(rows, lost)
        except (sqlite3.Error, SpoolError, OSError) as error:
            self._put_back(appends, lost, error)
            return
        if self._trouble:
            log.warning("the spool %s is written again; nothing waits in memory", self._file.path)
            self._trouble, self._said_at = "", float("-inf")
        self._resolve([(item.done, number) for item, number in zip(appends, numbers, strict=True)])

    def _put_back(self, appends: list[_Append], lost: Lost | None, error: Exception) -> None:
        with self._lock:
            self._appends.extendleft(reversed(appends))
            self._waiting_bytes = sum(len(item.row.body) for item in self._appends)
            if lost is not None:
                self._lost = lost if self._lost is None else lost + self._lost
            if self._waiting_bytes > self._memory_bytes:
                self._shed()
            now = time.monotonic()
            self._not_before = now + self._retry
            self._flush_at = now
        self._trouble = _in_words(self._file.path, error, self._memory_bytes)
        if now - self._said_at >= _SAY_AGAIN_SECONDS:
            self._said_at = now
            log.error("%s", self._trouble)

    def _replace(self) -> None:
        """The file turned out to be damaged while it was open: on with a fresh one."""
        path = self._file.path
        with contextlib.suppress(sqlite3.Error):
            self._file.close()
        self._file, damage = open_or_replace(path, self._max, self._clock.now())
        log.error("%s", damage or f"the spool {path} gave a damaged page, and is sound on a second look")

    def _reopen_if_closed(self) -> None:
        """A damaged file was closed, and there was no room yet for a fresh one."""
        if self._file.closed:
            self._replace()

    def _answer(self, call: _Call) -> None:
        result: object = None
        failure: Exception | None = None
        try:
            try:
                self._reopen_if_closed()
                result = call.run(self._file)
            except (sqlite3.Error, SpoolError) as error:
                if not is_corrupt(error):
                    raise
                self._replace()
                result = call.run(self._file)
        except (sqlite3.Error, OSError) as error:
            failure = SpoolError(_in_words(self._file.path, error, self._memory_bytes))
        except Exception as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(_settle, call.done, result, failure)

    def _resolve(self, done: list[tuple[asyncio.Future[int | None], int | None]]) -> None:
        with contextlib.suppress(RuntimeError):  # as above
            self._loop.call_soon_threadsafe(_settle_all, done)


def _settle(future: asyncio.Future[Any], result: object, failure: Exception | None) -> None:
    if future.done():
        return
    if failure is not None:
        future.set_exception(failure)
    else:
        future.set_result(result)


def _settle_all(done: list[tuple[asyncio.Future[int | None], int | None]]) -> None:
    for future, number in done:
        if not future.done():
            future.set_result(number)


def _in_words(path: Path, error: Exception, memory_bytes: int) -> str:
    free = free_bytes(path)
    full = getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL or free < 1 << 20
    what = f"the disk is full ({free} bytes free in {path.parent})" if full else str(error)
    remedy = "free space there, or move state_dir" if full else "see to the disk, or move state_dir"
    return (
        f"the spool {path} cannot be written: {what}: {remedy}. "
        f"Until then measurements wait in memory, at most {memory_bytes} bytes of them"
    )
