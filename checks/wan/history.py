"""What a job remembers of its line from run to run: round trips of a window, the fastest, the path, the path MTU."""

from __future__ import annotations

import collections
import dataclasses
import math
from collections.abc import Sequence
from typing import Any

from checks.wan.mtu import Search, begin
from checks.wan.params import MtuParams
from checks.wan.path import Path, settle


@dataclasses.dataclass(frozen=True)
class Window:
    """Round trips of several runs in seconds, ascending, and the seconds from the first of these runs to now."""

    times: tuple[float, ...]
    seconds: float


@dataclasses.dataclass
class History:
    """``fastest`` is the shortest round trip since the path last changed, in seconds. ``mtu`` is the last search that
    came to its end, ``searching`` the one under way."""

    runs: collections.deque[tuple[float, Sequence[float]]]
    fastest: float = math.inf
    path: Path | None = None
    mtu: Search | None = None
    searching: Search | None = None
    age: int = 0
    """Runs since the last search was begun."""

    def add(self, at: float, times: Sequence[float]) -> Window:
        """Adds a run that began ``at`` monotonic s; the window that ends with it."""
        self.runs.append((at, times))
        self.fastest = min(self.fastest, *times)
        return Window(tuple(sorted(time for _, run in self.runs for time in run)), at - self.runs[0][0])

    def go(self, seen: Path, times: Sequence[float]) -> Path:
        """The path to go by, once one is seen. On another path other round trips are usual, and another MTU."""
        before, self.path = self.path, settle(self.path, seen)
        if before is not None and before.reached and self.path is not before:
            self.fastest = min(times)
            self.searching, self.age = None, 0
        return self.path

    def search(self, version: int, params: MtuParams) -> Search | None:
        """The search to go on with; None when it is not yet time for one. Counts the run."""
        if self.searching is None and self.age % params.every == 0:
            self.searching, self.age = begin(version, params.expected), 0
        self.age += 1
        return self.searching

    def searched(self, search: Search) -> None:
        """Keeps how far a search has come."""
        over = search.trial is None
        self.searching = None if over else search
        if over:
            self.mtu = search


def history(memory: dict[str, Any], window: int) -> History:
    """The job's, of at most ``window`` runs."""
    kept: History = memory.setdefault("history", History(collections.deque(maxlen=window)))
    return kept
