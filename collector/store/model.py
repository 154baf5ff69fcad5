"""What every store of measurements promises. Frozen values and one protocol; no I/O.

The journal is the durable edge of the collector, a store is where it drains to: so a store may hold things in memory
for a while, as long as it says honestly what is *settled*.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

MAX_AT = 9_223_372_036_854
"""The latest ms that a store takes: 2262-04-11, where InfluxDB's int64 of ns ends."""


class SeriesKey(msgspec.Struct, frozen=True):
    """What a series is of: the job's node, check and label; the metric's name, instance and unit."""

    node: str
    check: str
    label: str
    metric: str
    instance: str
    unit: str


class Selector(msgspec.Struct, frozen=True):
    """Which series are meant. None means any; the empty string means the empty string."""

    node: str | None = None
    check: str | None = None
    label: str | None = None
    metric: str | None = None
    instance: str | None = None

    def takes(self, key: SeriesKey) -> bool:
        """Whether the series is meant."""
        return (
            (self.node is None or self.node == key.node)
            and (self.check is None or self.check == key.check)
            and (self.label is None or self.label == key.label)
            and (self.metric is None or self.metric == key.metric)
            and (self.instance is None or self.instance == key.instance)
        )


class Batch(msgspec.Struct):
    """The points of one journal entry, as columns of one length.

    ``entry`` is the journal's position, strictly growing from batch to batch; ``series`` are ids that this store gave
    by ``series_id``; ``at`` is Unix ms; ``values`` are finite.
    """

    entry: int
    series: Sequence[int]
    at: Sequence[int]
    values: Sequence[float]


class Points(NamedTuple):
    """One series of an answer: ``at`` (array of 'q', Unix ms, strictly growing) and ``values`` (array of 'd')."""

    key: SeriesKey
    at: array[int]
    values: array[float]


class Refusal(msgspec.Struct, frozen=True):
    """A point that a store will never take. ``point`` is readable: its series, its time in ms, its value."""

    point: str
    reason: str


class StoreError(Exception):
    """A store could not do what it was asked, and asking again would not help: the message says what to correct."""


class StoreAway(StoreError):  # noqa: N818 - being away is a state of the store, not a fault of the caller
    """A store cannot be reached, or cannot write, just now. Nothing is lost: keep the journal and ask again later."""


class Store(Protocol):
    """Where points go. All methods are called from one event loop; one ``write`` runs at a time."""

    @property
    def settled(self) -> int:
        """Every entry up to this one is durable here: the journal may forget it. 0 in a new store.

        After a restart the collector writes the later entries again.
        """
        ...

    @property
    def newest(self) -> int:
        """The highest entry that this store remembers, also from before a restart. A journal that was lost must go on
        above it: an entry at or below it may be taken for a replay."""
        ...

    @property
    def quarantined(self) -> int:
        """How many points were refused since the start."""
        ...

    @property
    def refusals(self) -> Sequence[Refusal]:
        """The newest 100 refusals, oldest first."""
        ...

    def series_id(self, key: SeriesKey) -> int:
        """The id of a series, a new one when it is new. In memory, no I/O; holds until this store is closed."""
        ...

    async def write(self, batches: Sequence[Batch]) -> None:
        """Takes the points. Idempotent per (series, entry): a replay changes nothing.

        Of two points of one series at one ms the one of the later entry is kept. A point that can never be taken is
        quarantined. Raises StoreAway when the batches must be written again later.
        """
        ...

    async def query(self, selector: Selector, start: int, end: int, limit: int | None = None) -> list[Points]:
        """The points of each series in ``start`` ≤ at < ``end``, Unix ms; of each series at most the newest ``limit``.

        Series without a point in that time are left out. Sorted by key. Raises StoreAway or StoreError.
        """
        ...

    async def series(
        self, node: str | None = None, check: str | None = None, metric: str | None = None
    ) -> list[SeriesKey]:
        """The series that are known, sorted by key."""
        ...

    async def retain(self, before: int) -> None:
        """Forgets points older than ``before`` (Unix ms); a store may keep some longer, as its blocks fall."""
        ...

    async def flush(self) -> None:
        """Makes all that was written durable. Raises StoreAway when it cannot."""
        ...

    async def close(self) -> None:
        """Flushes and ends. Raises StoreAway when it could not flush; it is closed all the same."""
        ...


def order(key: SeriesKey) -> tuple[str, ...]:
    """The order of series in an answer."""
    return (key.node, key.check, key.label, key.metric, key.instance, key.unit)


def why_refused(at: int, value: float) -> str | None:
    """Why no store takes a point; None when stores do."""
    if not 0 <= at <= MAX_AT:
        return f"time {at} ms: expected 0 to {MAX_AT} (1970 to 2262)"
    if not math.isfinite(value):
        return f"value {value}: expected a finite number"
    return None


def describe(key: SeriesKey, at: int, value: float) -> str:
    """A point, for a person."""
    instance = f"[{key.instance}]" if key.instance else ""
    return f"{key.node}/{key.check}/{key.label} {key.metric}{instance} = {value} at {at}"


def all_acceptable(batch: Batch) -> bool:
    """Whether no point of a batch needs a look by :func:`why_refused`. Fast, and may say no when it should say yes."""
    if not batch.at:
        return True
    return min(batch.at) >= 0 and max(batch.at) <= MAX_AT and math.isfinite(sum(batch.values))
