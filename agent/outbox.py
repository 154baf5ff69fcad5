"""From rows of the spool to reports. Keeps which names and series the collector knows, so that only new ones go."""

from __future__ import annotations

import random
from collections.abc import Sequence

from agent.wire import Gap, Lane, Report, Table, columns_of
from checks.model import Measurement

MAX_TABLE = 20_000
"""Entries after which a new table begins, so that neither side remembers every sentence ever said."""


class Outbox:
    """Makes reports of one agent. Several may be on their way at once: each brings every name that is not known to
    have arrived."""

    def __init__(self, agent: str, chance: random.Random) -> None:
        self._agent = agent
        self._chance = chance
        self.renew()

    def renew(self) -> None:
        """Begins a new table."""
        self._table = Table(self._chance.getrandbits(62))
        self.forget()

    def forget(self) -> None:
        """The collector does not know the table: the next report brings all of it."""
        self._texts = self._series = 0

    def compose(
        self, lane: Lane, epoch: int, rows: Sequence[tuple[int, Measurement]], gaps: Sequence[Gap], now: int
    ) -> Report:
        """A report of rows in the order of their sequence numbers; ``now`` in Unix ms."""
        if len(self._table) > MAX_TABLE:
            self.renew()
        table = self._table
        columns = columns_of(rows, table)
        return Report(
            agent=self._agent,
            epoch=epoch,
            lane=lane,
            sent_at=now,
            table=table.number,
            texts_from=self._texts,
            texts=table.texts[self._texts :],
            series_from=self._series,
            series=table.series[self._series :],
            columns=columns,
            gaps=list(gaps),
        )

    def acknowledged(self, report: Report) -> None:
        """The collector took a report: it knows the names in it."""
        if report.table == self._table.number:
            self._texts = max(self._texts, report.texts_from + len(report.texts))
            self._series = max(self._series, report.series_from + len(report.series))
