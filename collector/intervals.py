"""Sets of whole numbers kept as runs: which sequence numbers of an agent have arrived."""

from __future__ import annotations

import bisect
from collections.abc import Iterable


class Intervals:
    """A set of integers as sorted, disjoint, non-adjacent inclusive runs."""

    def __init__(self, runs: Iterable[tuple[int, int]] = ()) -> None:
        self._first: list[int] = []
        self._last: list[int] = []
        for first, last in runs:
            self.add(first, last)

    def __contains__(self, number: int) -> bool:
        i = bisect.bisect_right(self._first, number) - 1
        return i >= 0 and number <= self._last[i]

    def __len__(self) -> int:
        """How many numbers are in the set."""
        return sum(last - first + 1 for first, last in self.runs())

    def runs(self) -> list[tuple[int, int]]:
        """The runs, lowest first."""
        return list(zip(self._first, self._last, strict=True))

    def add(self, first: int, last: int) -> None:
        """Adds first..last, inclusive. Raises ValueError when first > last."""
        if first > last:
            raise ValueError(f"run {first}..{last} ends before it begins")
        begin = bisect.bisect_left(self._last, first - 1)
        end = bisect.bisect_right(self._first, last + 1)
        if begin < end:
            first, last = min(first, self._first[begin]), max(last, self._last[end - 1])
        self._first[begin:end] = [first]
        self._last[begin:end] = [last]


def runs_of(numbers: Iterable[int]) -> Iterable[tuple[int, int]]:
    """Numbers as inclusive runs of neighbours, in the order they come."""
    run: tuple[int, int] | None = None
    for number in numbers:
        if run is not None and number == run[1] + 1:
            run = (run[0], number)
            continue
        if run is not None:
            yield run
        run = (number, number)
    if run is not None:
        yield run
