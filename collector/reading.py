"""What the page and the API may ask of the collector."""

from __future__ import annotations

import asyncio
from typing import Protocol

from collector.view import (
    CertificateView,
    CoverageView,
    FactChangeView,
    GapView,
    IncidentView,
    NodePage,
    NodeView,
    Overview,
    SeriesView,
    VersionView,
)


class Readings(Protocol):
    """The read side. Raises KeyError for a node or incident that there is none of."""

    def overview(self) -> Overview:
        """The front page: coverage, every node, the open incidents."""
        ...

    def coverage(self) -> CoverageView:
        """Coverage now."""
        ...

    def nodes(self) -> list[NodeView]:
        """Every node in the register."""
        ...

    def node(self, node: str) -> NodePage:
        """One node with its jobs."""
        ...

    def incidents(self, *, open_only: bool = False, node: str | None = None, limit: int = 200) -> list[IncidentView]:
        """Incidents, newest first."""
        ...

    def incident(self, number: int) -> IncidentView:
        """One incident."""
        ...

    def gaps(self, *, node: str | None = None, limit: int = 200) -> list[GapView]:
        """What agents had measured and lost, newest first."""
        ...

    def fact_changes(self, *, node: str | None = None, limit: int = 200) -> list[FactChangeView]:
        """What was seen to be another than before, newest first."""
        ...

    def certificates(self) -> list[CertificateView]:
        """Every certificate that was seen, those that end first coming first."""
        ...

    async def versions(self, job: str) -> list[VersionView]:
        """The history of a job's configuration, newest first. Raises KeyError when it has none."""
        ...

    async def series(
        self, node: str, metric: str | None, start: int, end: int, check: str | None = None
    ) -> list[SeriesView]:
        """The series of a node in start ≤ at < end, Unix ms."""
        ...

    def subscribe(self) -> asyncio.Queue[bytes]:
        """A queue of server-sent events, ready to write; an empty one is the last.

        ``overview`` ({"at", "coverage": the total ShareView, "incidents": how many are open}) when one of them or a
        node's state has changed, and every 20 s; ``nodes`` ({"ids": [...]}), at most one a second, of which nodes new
        measurements came. Bounded: a slow reader loses the oldest.
        """
        ...

    def unsubscribe(self, queue: asyncio.Queue[bytes]) -> None:
        """Ends a subscription."""
        ...
