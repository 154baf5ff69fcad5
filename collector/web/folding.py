"""Long lists on the page: what needs attention and the first few are seen, the rest is folded away. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

FEW: Final = 8
"""Rows that are seen at once, where all is well."""


class Row(Protocol):
    """A row that knows whether it needs no attention."""

    @property
    def well(self) -> bool:
        """Whether it may be folded away."""


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Folded(Generic[R]):
    """Rows in order: those seen at once, and those behind a click, all of which are well."""

    shown: tuple[R, ...] = ()
    rest: tuple[R, ...] = ()


def folded(rows: Iterable[R], few: int = FEW) -> Folded[R]:
    """What is not well comes first and is never folded; else the order stays. One row alone is not worth a click."""
    ordered = sorted(rows, key=lambda row: row.well)
    seen = max(few, sum(not row.well for row in ordered))
    if len(ordered) <= seen + 1:
        seen = len(ordered)
    return Folded(tuple(ordered[:seen]), tuple(ordered[seen:]))
