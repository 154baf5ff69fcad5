"""The newest points of each series, not yet in a chunk. In memory: the journal holds them too until they are sealed."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Mapping

from collector.store.model import Batch, all_acceptable, why_refused


class Head:
    """The points of one series since it was last sealed, in order of arrival. ``first_entry`` is the oldest entry that
    they came in, ``born`` when (monotonic, s), ``full`` how many make a chunk."""

    __slots__ = ("at", "born", "first_entry", "full", "values")

    def __init__(self, first_entry: int, born: float, full: int) -> None:
        self.at = array("q")
        self.values = array("d")
        self.first_entry = first_entry
        self.born = born
        self.full = full


class Heads:
    """All heads, the oldest first.

    ``last`` is the last entry taken. Of a replay (an entry up to ``newest``) a series takes only what is above its own
    ``sealed`` entry. Every seal is made between entries, so that those two numbers are all it takes to be exact.
    """

    def __init__(
        self,
        sealed: Mapping[int, int],
        settled: int,
        *,
        monotonic: Callable[[], float],
        points: int,
        max_age: float,
        max_points: int,
    ) -> None:
        self.last = settled
        self.newest = max(settled, *sealed.values()) if sealed else settled
        self.count = 0
        self.open: dict[int, Head] = {}
        self._sealed = sealed
        self._replay_until = self.newest
        self._full: dict[int, None] = {}
        self._monotonic = monotonic
        self._points = points
        self._max_age = max_age
        self._max_points = max_points

    @property
    def settled(self) -> int:
        """The entry up to which no point is here alone. A dict keeps its order, so the first head is the oldest."""
        for head in self.open.values():
            return head.first_entry - 1
        return self.last

    def add(self, batch: Batch) -> list[tuple[int, int, float, str]]:
        """Takes an entry, unless it was taken before. Returns the points refused: series, at, value, why."""
        if batch.entry <= self.last:
            return []
        refused: list[tuple[int, int, float, str]] = []
        rows: Iterable[tuple[int, int, float]] = zip(batch.series, batch.at, batch.values, strict=True)
        if not all_acceptable(batch):
            rows, refused = _sorted_out(rows)
        if batch.entry <= self._replay_until:
            rows = [row for row in rows if self._sealed.get(row[0], 0) < batch.entry]
        self._append(batch.entry, rows)
        self.last = batch.entry
        self.newest = max(self.newest, batch.entry)
        return refused

    def due(self, limit: int) -> list[int]:
        """Up to ``limit`` series whose heads are to be sealed now: full, else too old, else the oldest of too many."""
        if self._full:
            return [series for series, _ in zip(self._full, range(limit), strict=False)]
        oldest = self._monotonic() - self._max_age
        crowded = self.count > self._max_points
        found: list[int] = []
        for series, head in self.open.items():
            if not (crowded or head.born <= oldest) or len(found) == limit:
                break
            found.append(series)
        return found

    def settled_without(self, leaving: Iterable[int]) -> int:
        """What ``settled`` will be once these heads are sealed."""
        gone = set(leaving)
        for series, head in self.open.items():
            if series not in gone:
                return head.first_entry - 1
        return self.last

    def drop(self, series: Iterable[int]) -> None:
        """Lets heads go that are sealed."""
        for number in series:
            self.count -= len(self.open.pop(number).at)
            self._full.pop(number, None)

    def _append(self, entry: int, rows: Iterable[tuple[int, int, float]]) -> None:
        heads = self.open
        before = self.count
        count = 0
        for series, at, value in rows:
            head = heads.get(series)
            if head is None:
                # Series that came together would fill together: spread their seals, so that none takes long.
                full = max(1, self._points - self._points // 8 + series % (self._points // 4 + 1))
                head = heads[series] = Head(entry, self._monotonic(), full)
            head.at.append(at)
            head.values.append(value)
            count += 1
            if len(head.at) >= head.full:
                self._full[series] = None
        self.count = before + count


def _sorted_out(
    rows: Iterable[tuple[int, int, float]],
) -> tuple[list[tuple[int, int, float]], list[tuple[int, int, float, str]]]:
    """The rows that a store takes, and those that it does not, with the reason."""
    good, refused = [], []
    for row in rows:
        why = why_refused(row[1], row[2])
        if why is None:
            good.append(row)
        else:
            refused.append((*row, why))
    return good, refused
