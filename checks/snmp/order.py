"""The order of a walk: OIDs must increase (RFC 3416, 4.2.2). Where they do not, the rows are still good, as long as the
device does not go round in a circle. Pure."""

from __future__ import annotations

from typing import Final

from checks.snmp.reader import MAX_ROWS

_PATIENCE: Final = 8
"""So many rows without a new one are a circle."""


class Order:
    """Which rows of one walk are new, and when it must end."""

    def __init__(self, limit: int = MAX_ROWS) -> None:
        self.faults: set[str] = set()
        self.ended = False
        self._limit = limit
        self._seen: set[tuple[int, ...]] = set()
        self._last: tuple[int, ...] = ()
        self._old = 0
        self._resumed = False

    def resume(self) -> None:
        """The walk begins anew, after a request was lost: what was seen comes again."""
        self._resumed = True

    def admits(self, oid: tuple[int, ...]) -> bool:
        """Whether a row is new."""
        if oid in self._seen:
            if not self._resumed:
                self._repeated(oid)
            return False
        if oid < self._last:
            self.faults.add("unsorted")
        self._seen.add(oid)
        self._last, self._old, self._resumed = oid, 0, False
        if len(self._seen) >= self._limit:
            self.faults.add("endless")
            self.ended = True
        return True

    def _repeated(self, oid: tuple[int, ...]) -> None:
        self._old += 1
        if oid == self._last and self._old == 1:
            self.faults.add("duplicates")
        if self._old >= _PATIENCE:
            self.faults.add("loop")
            self.ended = True
