"""From the bytes of a report to a journal entry: decoded, verified, each measurement once."""

from __future__ import annotations

from itertools import accumulate

import msgspec

from agent import wire
from collector.intervals import Intervals, runs_of
from collector.journal import Entry, Journal

MAX_WORDS = 250_000
"""Most texts and series of one table: agents begin a new one long before."""
MOST = 1 << 53
"""Beyond this no sequence number, time or count is taken: what is kept of them, and of their sums, has 64 bits."""
MOST_ID = (1 << 63) - 1
"""The largest that an epoch or a table may be called."""


class RefusedError(Exception):
    """A report that is not taken: the HTTP status, and what the agent is told."""

    def __init__(self, status: int, error: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.refusal = wire.Refusal(error, detail)


class Counters(msgspec.Struct):
    """What ingest has done since the start, for /metrics."""

    reports: int = 0
    measurements: int = 0
    values: int = 0
    repeated: int = 0
    bytes: int = 0
    refused: dict[str, int] = {}


class Ingest:
    """Takes reports. ``journal.committed()`` hands on what it took."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.counters = Counters()

    async def take(self, agent: str, body: bytes, now: int) -> int:
        """Puts an authenticated agent's report into the journal; ``now`` is the arrival in Unix ms.

        Returns how many measurements are durable now that were not before, when they are. Raises RefusedError when
        the report is not one that this agent may send, JournalError when the disk fails.
        """
        self.counters.bytes += len(body)
        try:
            entry = self._entry(agent, body, now)
        except RefusedError as refused:
            told = refused.refusal.error
            self.counters.refused[told] = self.counters.refused.get(told, 0) + 1
            raise
        await self.journal.append(entry)
        columns = entry.report.columns
        self.counters.reports += 1
        self.counters.measurements += len(columns.state)
        self.counters.values += len(columns.values)
        return len(columns.state)

    def _entry(self, agent: str, body: bytes, now: int) -> Entry:
        """Everything between the bytes and the journal. Never awaits: memory and the journal's queue change as one."""
        try:
            report = wire.decode(body)
        except wire.WireError as error:
            raise RefusedError(422, "malformed", str(error)) from error
        if report.agent != agent:
            raise RefusedError(403, "wrong-agent", f"{agent}'s token cannot speak for {report.agent!r}")
        table = self.journal.tables.get((agent, report.table)) or wire.Table(report.table)
        sequence = list(wire.sequence_numbers(report.columns))
        new_texts, new_series = self._learn(report, table, sequence)
        if len(table):
            self.journal.tables[agent, report.table] = table
        if not sequence and not report.gaps:
            return Entry(report, table, now, [], new_texts, new_series)

        received = self.journal.received(agent, report.epoch)
        repeated = _repeated(sequence, received)
        if repeated:
            self.counters.repeated += len(repeated)
            report = msgspec.structs.replace(report, columns=wire.without(report.columns, repeated))
        for first, last in runs_of(sequence):
            received.add(first, last)
        for gap in report.gaps:
            received.add(gap.first, gap.last)
        return Entry(report, table, now, received.runs(), new_texts, new_series)

    def _learn(self, report: wire.Report, table: wire.Table, sequence: list[int]) -> tuple[int, int]:
        if len(table) + len(report.texts) + len(report.series) > MAX_WORDS:
            raise RefusedError(413, "too-large", f"a table is at most {MAX_WORDS} texts and series: begin a new one")
        try:
            new = table.learn(report)
        except wire.UnknownIdsError as error:
            raise RefusedError(409, "unknown-ids", str(error)) from error
        except wire.WireError as error:
            raise RefusedError(422, "malformed", str(error)) from error
        try:
            table.check(report.columns)
            _check_numbers(report, sequence)
            if len(set(sequence)) != len(sequence):
                raise wire.WireError("a sequence number stands twice")
        except wire.WireError as error:
            # The words came with a report that is not kept: forget them, or the journal would lack them.
            del table.texts[len(table.texts) - new[0] :]
            del table.series[len(table.series) - new[1] :]
            if isinstance(error, wire.UnknownIdsError):
                raise RefusedError(409, "unknown-ids", str(error)) from error
            raise RefusedError(422, "malformed", str(error)) from error
        return new


def _repeated(sequence: list[int], received: Intervals) -> set[int]:
    """The rows that came before. Mostly none: then all that comes is beyond all that came."""
    came = received.runs()
    if not came or not sequence or min(sequence) > came[-1][1]:
        return set()
    return {row for row, number in enumerate(sequence) if number in received}


def _check_numbers(report: wire.Report, sequence: list[int]) -> None:
    """Raises WireError for numbers that no honest agent sends and that could not be kept."""
    columns = report.columns
    if not (0 <= report.epoch <= MOST_ID and 0 <= report.table <= MOST_ID):
        raise wire.WireError(f"an epoch or table beyond 0 to {MOST_ID}")
    if report.texts_from < 0 or report.series_from < 0:
        raise wire.WireError("words from before the first")
    bounds = list(sequence)
    times = [report.sent_at, *accumulate(columns.at), *columns.duration]
    for gap in report.gaps:
        if gap.first > gap.last:
            raise wire.WireError("a gap ends before it begins")
        bounds += (gap.first, gap.last, gap.count)
        times += (gap.start, gap.end)
    if bounds and not 0 <= min(bounds) <= max(bounds) <= MOST:
        raise wire.WireError(f"a sequence number or count beyond 0 to {MOST}")
    if not -MOST <= min(times) <= max(times) <= MOST:
        raise wire.WireError(f"a time beyond {MOST} ms")
