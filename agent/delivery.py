"""Hands a batch of the spool to the collector, and does what the answer asks: delete, resend, halve, set aside."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from agent.answers import Answer, Verdict, answer_of
from agent.link import Link
from agent.outbox import Outbox
from agent.spool import Spool
from agent.spoolfile import Batch
from agent.wire import Gap, Lane, encode
from checks.contract import Clock
from checks.model import Measurement

log = logging.getLogger("agent.uplink")

Rows = Sequence[tuple[int, Measurement]]


class Counters(msgspec.Struct):
    """What has been delivered since the start. ``committed_at`` is the Unix ms of the last receipt, 0 before it."""

    reports: int = 0
    measurements: int = 0
    bytes: int = 0
    refused: int = 0
    committed_at: int = 0


class _EndedError(Exception):
    """The collector gave an answer that ends the search for a bad row."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.detail)
        self.answer = answer


class Delivery:
    """One lane's way from a batch to a receipt. Lanes share the outbox and the counters."""

    def __init__(
        self, lane: Lane, link: Link, *, spool: Spool, outbox: Outbox, counters: Counters, clock: Clock
    ) -> None:
        self._lane = lane
        self._link = link
        self._spool = spool
        self._outbox = outbox
        self._counters = counters
        self._clock = clock

    async def send(self, batch: Batch, rows: Rows) -> Answer:
        """Sends rows of a batch and its gaps, in the order of their numbers; deletes what was committed.

        A row that the collector will never take is set aside without taking others along. Raises AwayError,
        SpoolError.
        """
        gaps = [gap for _, gap in batch.gaps]
        answer = await self._post(batch.epoch, rows, gaps)
        if answer.verdict is Verdict.MALFORMED:
            answer = await self._isolate(batch, rows, answer) if rows or gaps else _nothing_taken(answer)
        elif answer.verdict is Verdict.COMMITTED:
            await self._spool.delete(batch.epoch, [seq for seq, _ in rows], [key for key, _ in batch.gaps])
        elif answer.verdict is Verdict.TOO_LARGE:
            # The names may be what is too much: a new table brings only those of the rows.
            self._outbox.renew()
            if len(rows) == 1:
                await self._refuse(batch.epoch, rows[0], answer.detail)
        return answer

    async def _post(self, epoch: int, rows: Rows, gaps: Sequence[Gap]) -> Answer:
        for _ in range(2):
            report = self._outbox.compose(self._lane, epoch, rows, gaps, self._clock.now())
            body = encode(report)
            answer = answer_of(await self._link.report(body), self._clock.now())
            if answer.verdict is Verdict.COMMITTED:
                self._outbox.acknowledged(report)
                self._count(len(rows), len(body))
                return answer
            if answer.verdict is not Verdict.WHOLE_TABLE:
                return answer
            self._outbox.forget()
        self._outbox.renew()
        return Answer(Verdict.LATER, f"the collector asks for a table that it was just sent: {answer.detail}")

    def _count(self, rows: int, size: int) -> None:
        self._counters.reports += 1
        self._counters.measurements += rows
        self._counters.bytes += size
        self._counters.committed_at = self._clock.now()

    async def _isolate(self, batch: Batch, rows: Rows, refused: Answer) -> Answer:
        """Finds what in a batch is malformed. If not even an empty report is taken, it is none of the rows."""
        self._outbox.renew()
        answer = await self._post(batch.epoch, [], [])
        if answer.verdict is Verdict.MALFORMED:
            return _nothing_taken(refused)
        if answer.verdict is not Verdict.COMMITTED:
            return answer
        try:
            await self._bisect(batch.epoch, rows)
        except _EndedError as ended:
            return ended.answer
        finally:
            self._outbox.renew()
        if batch.gaps:
            last = await self._post(batch.epoch, [], [gap for _, gap in batch.gaps])
            if last.verdict not in (Verdict.COMMITTED, Verdict.MALFORMED):
                return last
            if last.verdict is Verdict.MALFORMED:
                log.error("the collector will never take %d gap records: %s", len(batch.gaps), last.detail)
            await self._spool.delete(batch.epoch, [], [key for key, _ in batch.gaps])
        return answer

    async def _bisect(self, epoch: int, rows: Rows) -> None:
        """Each part goes with a table of its own, so that a bad name condemns its own row alone."""
        if not rows:
            return
        self._outbox.renew()
        answer = await self._post(epoch, rows, [])
        if answer.verdict is Verdict.COMMITTED:
            await self._spool.delete(epoch, [seq for seq, _ in rows])
        elif answer.verdict is not Verdict.MALFORMED:
            raise _EndedError(answer)
        elif len(rows) == 1:
            await self._refuse(epoch, rows[0], answer.detail)
        else:
            middle = len(rows) // 2
            await self._bisect(epoch, rows[:middle])
            await self._bisect(epoch, rows[middle:])

    async def _refuse(self, epoch: int, row: tuple[int, Measurement], why: str) -> None:
        seq, measurement = row
        self._counters.refused += 1
        log.error("the collector will never take measurement %d of %s: set aside: %s", seq, measurement.job, why)
        await self._spool.set_aside(epoch, [seq], why)


def _nothing_taken(refused: Answer) -> Answer:
    """When not even an empty report is taken, it is no row's fault, and none is given up."""
    why = "the collector takes not even an empty report: are its version and this agent's far apart?"
    return Answer(Verdict.DENIED, f"{why} ({refused.detail})")
