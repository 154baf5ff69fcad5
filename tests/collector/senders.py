"""An agent's side of the wire, for tests of the collector."""

from __future__ import annotations

from agent import wire
from checks.model import Measurement, Metric, Outcome, State

NOW = 1_750_000_000_000


class Sender:
    """An agent's side of the wire: numbers its measurements and keeps its table."""

    def __init__(self, agent: str = "d1", epoch: int = 1, table: int = 1) -> None:
        self.agent, self.epoch, self.table, self.next = agent, epoch, wire.Table(table), 1

    def rows(self, count: int, job: str = "d1/ping/r1") -> list[tuple[int, Measurement]]:
        outcome = Outcome(State.OK, "reply", answered=True, metrics=(Metric("rtt", 0.01, "s"),))
        numbers = range(self.next, self.next + count)
        self.next += count
        return [(n, Measurement(job, NOW + n, 0.5, outcome)) for n in numbers]

    def body(
        self,
        rows: list[tuple[int, Measurement]],
        *,
        words_from: tuple[int, int] = (0, 0),
        gaps: tuple[wire.Gap, ...] = (),
        lane: wire.Lane = wire.Lane.LIVE,
        sent_at: int = NOW,
    ) -> bytes:
        columns = wire.columns_of(rows, self.table)
        texts, series = words_from
        return wire.encode(
            wire.Report(
                self.agent,
                self.epoch,
                lane,
                sent_at,
                self.table.number,
                texts,
                self.table.texts[texts:],
                series,
                self.table.series[series:],
                columns,
                list(gaps),
            )
        )
