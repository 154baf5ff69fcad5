"""From the journal to the store, as fast as the store takes it and no faster; what is settled is trimmed.

A store that is away only makes the journal longer.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Callable

from collector.journal import Entry, Journal
from collector.store.model import Batch, Store, StoreAway

log = logging.getLogger(__name__)

IN_MEMORY = 500_000
"""Points waiting in memory; beyond, they are read from the journal again when their turn comes."""
AT_ONCE = 200
FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


class Drain:
    """Hands batches to the store in the journal's order. ``batch_of`` makes one of an entry read from the journal."""

    def __init__(self, journal: Journal, store: Store, batch_of: Callable[[Entry], Batch | None]) -> None:
        self._journal = journal
        self._store = store
        self._batch_of = batch_of
        self._waiting: collections.deque[Batch] = collections.deque()
        self._points = 0
        # The last entry that went to the store, or is on its way there.
        self._handed = store.settled
        self._some = asyncio.Event()
        # What the store has not settled is written again, from the journal.
        self._lagging = True
        self._some.set()
        self.written = store.settled
        """The last entry that the store took."""
        self.away = ""
        """Why the store does not take anything just now; empty while it does."""

    @property
    def waiting(self) -> int:
        """Batches in memory."""
        return len(self._waiting)

    def offer(self, entry: int, batch: Batch | None) -> None:
        """Puts the next entry's points in line."""
        if self._points >= IN_MEMORY:
            self._lagging = True
        # An entry can be read from the journal before it is offered.
        if not self._lagging and entry > self._handed:
            self._wait(batch or Batch(entry, (), (), ()))
        self._some.set()

    def _wait(self, batch: Batch) -> None:
        self._waiting.append(batch)
        self._points += len(batch.series) + 1

    async def run(self) -> None:
        """Writes until cancelled."""
        wait = FIRST_WAIT
        while True:
            batches = self._next()
            if not batches:
                self._some.clear()
                await self._some.wait()
                continue
            try:
                await self._store.write(batches)
            except StoreAway as error:
                if not self.away:
                    log.warning("the store is away; the journal keeps what comes: %s", error)
                self.away = str(error)
                self._waiting.extendleft(reversed(batches))
                self._points += sum(len(batch.series) + 1 for batch in batches)
                await asyncio.sleep(wait)
                wait = min(wait * 2, LONGEST_WAIT)
                continue
            if self.away:
                log.info("the store is back; %d entries wait in the journal", self._journal.depth)
            self.away, wait = "", FIRST_WAIT
            self.written = batches[-1].entry

    def _next(self) -> list[Batch]:
        """The next batches in order, from memory, else from the journal."""
        if self._waiting:
            batches = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._points -= sum(len(batch.series) + 1 for batch in batches)
        elif self._lagging:
            entries = self._journal.entries(after=self.written, limit=AT_ONCE)
            batches = [self._batch_of(entry) or Batch(entry.id, (), (), ()) for entry in entries]
            self._lagging = bool(batches)
        else:
            return []
        if batches:
            self._handed = batches[-1].entry
        return batches
