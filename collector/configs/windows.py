"""When changes are approved beforehand."""

from __future__ import annotations

import datetime
from collections.abc import Iterable

import msgspec


class ChangeWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Changes of the configurations at ``nodes`` (all when empty), from a time to a time, approved by ``approver`` with
    the ``document`` of that number."""

    start: datetime.datetime
    end: datetime.datetime
    approver: str
    document: str
    nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError("from and to need their offset from UTC, such as 2026-11-23T22:00:00+07:00")
        if self.end <= self.start:
            raise ValueError("to is not after from")
        if not self.approver or not self.document:
            raise ValueError("approver and document must not be empty")


def covering(windows: Iterable[ChangeWindow], node: str, after: int, until: int) -> ChangeWindow | None:
    """A window within which a change may have been made that came about after one time, and was seen at another, Unix
    ms."""
    for window in windows:
        begins, ends = (round(moment.timestamp() * 1000) for moment in (window.start, window.end))
        if (not window.nodes or node in window.nodes) and begins <= until and after < ends:
            return window
    return None
