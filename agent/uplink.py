"""The two lanes to the collector. *Live* goes first and always: it is also the agent's sign of life. *Backlog*
replays behind it, oldest first, at the share of the link that the collector grants.

The mark divides the spool: rows beyond it are live, rows up to it are backlog. It moves up with each live report
that was taken; at the start it stands at the last row of the process before.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import random
import ssl
from collections.abc import Callable, Sequence

from agent.answers import Answer, Verdict
from agent.backoff import Backoff
from agent.delivery import Counters, Delivery
from agent.link import AwayError, Link
from agent.outbox import Outbox
from agent.settings import Settings
from agent.spool import Spool
from agent.spoolfile import Batch, SpoolError
from agent.wire import Lane, Receipt
from checks.contract import Clock
from checks.model import Measurement

log = logging.getLogger("agent.uplink")


@dataclasses.dataclass(frozen=True)
class Pace:
    """How fast the lanes go, in bytes of the spool and seconds.

    ``gather`` is what a change of state waits for others to go with it. After ``away_after`` without a live report
    only the newest measurement of each job goes live, the rest is backlog. ``resume`` spreads the start of the replay
    of many agents. ``denied`` is between two attempts when the collector does not want this agent.
    """

    live_bytes: int = 1 << 20
    chunk_bytes: int = 256 << 10
    min_bytes: int = 8 << 10
    gather: float = 0.1
    away_after: float = 30.0
    resume: float = 5.0
    denied: float = 60.0
    first_backoff: float = 0.5
    max_backoff: float = 60.0
    request: float = 30.0


DEFAULT_PACE = Pace()


class Uplink:
    """Delivers what the spool holds, for ever. ``on_receipt`` is told of every receipt."""

    def __init__(
        self,
        settings: Settings,
        tls: ssl.SSLContext | None,
        *,
        spool: Spool,
        clock: Clock,
        chance: random.Random,
        on_receipt: Callable[[Receipt], None],
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        self.counters = Counters()
        self.trouble = ""
        """Why the collector does not have what the spool holds; empty when it takes what it is sent."""
        self.denied = False
        self._report_every = 10.0
        self._spool, self._clock, self._chance, self._pace = spool, clock, chance, pace
        self._on_receipt = on_receipt
        outbox = Outbox(settings.node, chance)
        self._links = {lane: Link(settings, tls, timeout=pace.request) for lane in Lane}
        self._deliveries = {
            lane: Delivery(lane, link, spool=spool, outbox=outbox, counters=self.counters, clock=clock)
            for lane, link in self._links.items()
        }
        self._limits = {Lane.LIVE: pace.live_bytes, Lane.BACKLOG: pace.chunk_bytes}
        self._backoffs = {lane: Backoff(chance, first=pace.first_backoff, cap=pace.max_backoff) for lane in Lane}
        self._epoch = self._mark = 0
        self._share = 0.5
        self._well_at = clock.monotonic()
        self._changed = asyncio.Event()
        self._connected = asyncio.Event()
        self._left_over = asyncio.Event()

    def changed(self) -> None:
        """A job's state has changed and is on disk: it goes at once."""
        self._changed.set()

    def report_each(self, seconds: float) -> None:
        """Sends a live report every so many seconds from now on."""
        if seconds != self._report_every:
            self._report_every = seconds
            self._changed.set()

    async def run(self) -> None:
        """Both lanes, until cancelled."""
        await self._begin()
        try:
            async with asyncio.TaskGroup() as lanes:
                lanes.create_task(self._live_lane())
                lanes.create_task(self._backlog_lane())
        finally:
            self._connected.clear()

    async def last_report(self) -> None:
        """One live report of what is left, without another attempt. Never raises."""
        await self._send_live()

    async def close(self) -> None:
        """Closes the connections."""
        for link in self._links.values():
            await link.close()

    async def _begin(self) -> None:
        stats = await self._spool.stats()
        self._epoch, self._mark = stats.epoch, stats.last
        if stats.rows:
            self._left_over.set()

    async def _live_lane(self) -> None:
        due = self._clock.monotonic()
        while True:
            wait = await self._send_live()
            if wait is not None:
                await asyncio.sleep(wait)
                due = self._clock.monotonic()
                continue
            due = max(due + self._report_every, self._clock.monotonic())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(due - self._clock.monotonic()):
                    await self._changed.wait()
                await asyncio.sleep(self._pace.gather)
                due = self._clock.monotonic()

    async def _send_live(self) -> float | None:
        """One live report. Returns the seconds to wait before another attempt, None when it was taken."""
        self._changed.clear()
        try:
            await self._links[Lane.LIVE].connect()
            batch = await self._newest()
            away = self._clock.monotonic() - self._well_at > self._pace.away_after
            rows = newest_of_each_job(batch.rows) if away else batch.rows
            answer = await self._deliveries[Lane.LIVE].send(batch, rows)
        except (AwayError, SpoolError) as error:
            return self._after(Lane.LIVE, Answer(Verdict.LATER, str(error)))
        if answer.verdict is Verdict.COMMITTED:
            self._mark = max([self._mark, *(seq for seq, _ in batch.rows[-1:])])
            if batch.more or len(rows) < len(batch.rows):
                self._left_over.set()
        return self._after(Lane.LIVE, answer)

    async def _newest(self) -> Batch:
        """What is beyond the mark. A spool that was replaced counts from 1 again; one that cannot be read must not
        keep the sign of life back."""
        try:
            batch = await self._spool.newest(self._mark, self._limits[Lane.LIVE])
            if batch.epoch != self._epoch:
                self._epoch, self._mark = batch.epoch, 0
                batch = await self._spool.newest(0, self._limits[Lane.LIVE])
        except SpoolError as error:
            log.error("%s", error)
            return Batch(self._epoch, [], [], more=False)
        return batch

    async def _backlog_lane(self) -> None:
        while True:
            await self._left_over.wait()
            if not self._connected.is_set():
                await self._connected.wait()
                await asyncio.sleep(self._chance.uniform(0, self._pace.resume))
            await asyncio.sleep(await self._send_backlog())

    async def _send_backlog(self) -> float:
        """One chunk of the replay. Returns the seconds to rest after it."""
        if self._share <= 0:
            return self._report_every
        begin = self._clock.monotonic()
        self._left_over.clear()
        try:
            batch = await self._spool.oldest(self._mark, self._limits[Lane.BACKLOG])
            if not batch.rows:
                return 0.0
            self._left_over.set()
            answer = await self._deliveries[Lane.BACKLOG].send(batch, batch.rows)
        except (AwayError, SpoolError) as error:
            self._left_over.set()
            answer = Answer(Verdict.LATER, str(error))
        wait = self._after(Lane.BACKLOG, answer)
        if wait is not None:
            return wait
        return (self._clock.monotonic() - begin) * (1 - self._share) / self._share

    def _after(self, lane: Lane, answer: Answer) -> float | None:
        """Takes note of an answer. Returns the seconds to wait before another attempt, None when all is well."""
        if answer.verdict is Verdict.COMMITTED:
            self._went_well(lane, answer)
            return None
        if answer.verdict is Verdict.TOO_LARGE and self._limits[lane] > self._pace.min_bytes:
            self._limits[lane] //= 2
            return 0.0
        self._went_wrong(lane, answer)
        if answer.verdict is Verdict.DENIED:
            return self._pace.denied * self._chance.uniform(0.5, 1.0)
        backoff = self._backoffs[lane].failed()
        return backoff if answer.wait is None else answer.wait * self._chance.uniform(1.0, 1.2)

    def _went_well(self, lane: Lane, answer: Answer) -> None:
        self._backoffs[lane].succeeded()
        if lane is Lane.LIVE:
            self._well_at = self._clock.monotonic()
            self._connected.set()
            if self.trouble:
                log.info("the collector takes reports again")
            self.trouble, self.denied = "", False
        if answer.receipt is not None:
            self._share = min(1.0, max(0.0, answer.receipt.backlog_share))
            self._on_receipt(answer.receipt)

    def _went_wrong(self, lane: Lane, answer: Answer) -> None:
        """Says it once for each spell of the same trouble."""
        denied = answer.verdict is Verdict.DENIED
        if denied and not self.denied:
            log.error("the collector refuses this agent; all is kept, and asked again seldom: %s", answer.detail)
        elif not denied and not self.trouble:
            log.warning("the collector does not take reports; they are kept: %s", answer.detail)
        self.trouble, self.denied = answer.detail, denied
        if lane is Lane.LIVE:
            self._connected.clear()


def newest_of_each_job(rows: Sequence[tuple[int, Measurement]]) -> list[tuple[int, Measurement]]:
    """Of rows in the order of their numbers, the last of each job."""
    last = {measurement.job: seq for seq, measurement in rows}
    return [row for row in rows if last[row[1].job] == row[0]]
