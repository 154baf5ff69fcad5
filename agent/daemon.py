"""The agent's process: plan → schedule → runner → spool → uplink, from start to an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
from collections.abc import Mapping, Sequence
from typing import Any

from agent import VERSION, reflecting, status
from agent.beats import Beats
from agent.link import Link, tls_context
from agent.planning import PlanFile, Planning, admit
from agent.reflecting import Reflecting
from agent.runner import Find, Runner
from agent.schedule import Schedule, drive
from agent.settings import Settings
from agent.spool import Spool
from agent.spoolfile import SpoolError
from agent.status import JobStatus, Status
from agent.traps import Traps
from agent.uplink import DEFAULT_PACE, Pace, Uplink
from agent.wire import Receipt
from checks.contract import Clock
from checks.model import Job, Measurement, Plan
from service.sdnotify import Notifier

FINISH_SECONDS = 1.0
"""What runs that are under way get to end by themselves when the agent stops."""
LAST_REPORT_SECONDS = 2.0
SPOOL_SECONDS = 10.0
"""Within which a living spool answers."""

log = logging.getLogger("agent.daemon")


class Agent:
    """Everything a running agent consists of."""

    def __init__(
        self,
        settings: Settings,
        find: Find,
        spool: Spool,
        *,
        clock: Clock,
        chance: random.Random,
        notifier: Notifier,
        pace: Pace = DEFAULT_PACE,
    ) -> None:
        tls = tls_context(settings)
        self._settings, self._clock, self._spool, self._notifier = settings, clock, spool, notifier
        self._runner = Runner(find, clock, allowed=settings.prefixes())
        self._schedule = Schedule(settings.node, clock.monotonic())
        self._uplink = Uplink(
            settings, tls, spool=spool, clock=clock, chance=chance, on_receipt=self._receipt, pace=pace
        )
        self._plan_link = Link(settings, tls)
        plan_file = PlanFile(settings.directory / "plan.json", settings.node)
        self._planning = Planning(settings.node, self._plan_link, plan_file, chance, self._adopt)
        self._beats = Beats(settings.node, clock, self._keep, allowed=settings.prefixes())
        self._reflecting = Reflecting(settings.directory / reflecting.FILE_NAME)
        self._traps = Traps(clock, self._keep, self._poll_now, allowed=settings.prefixes())
        self._plan: Plan | None = None
        self._runs: dict[str, asyncio.Task[None]] = {}
        self._last: dict[str, Measurement] = {}
        self._wake = asyncio.Event()
        self._started_at = clock.now()

    async def run(self, stop: asyncio.Event) -> None:
        """Measures and delivers until ``stop`` is set, then ends in order. The spool is closed."""
        self._planning.resume()
        parts: list[asyncio.Task[Any]] = [
            asyncio.create_task(part, name=name)
            for name, part in (
                ("schedule", drive(self._schedule, self._clock, self._wake, self._launch)),
                ("uplink", self._uplink.run()),
                ("planning", self._planning.follow()),
                ("status", self._tell_status()),
                ("watchdog", self._tell_systemd()),
                ("stop", stop.wait()),
            )
        ]
        self._notifier.ready()
        done, _ = await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        self._notifier.stopping()
        try:
            await self._end(parts)
        finally:
            await self._spool.close()
        for part in done:
            part.result()  # a part that fell over takes the agent down, loudly

    def reload(self) -> None:
        """Asks the collector for the plan again."""
        log.info("asked to fetch the plan again")
        self._planning.fetch_now()

    def _receipt(self, receipt: Receipt) -> None:
        self._planning.offered(receipt.plan)

    def _adopt(self, plan: Plan) -> None:
        """Swaps the jobs. What has not changed keeps its memory, its place in the schedule and its run."""
        admitted = admit(plan, self._runner.refusal)
        now = self._clock.monotonic()
        self._plan = plan
        self._runner.adopt(admitted.jobs, admitted.refused)
        self._schedule.replace(admitted.jobs, now)
        self._uplink.report_each(plan.report_every)
        self._beats.adopt(plan.beats)
        self._reflecting.adopt(plan.reflect)
        self._traps.adopt(plan.traps, admitted.jobs)
        kept = {job.id for job in admitted.jobs} | {*self._beats.jobs, *self._traps.jobs}
        for key, run in self._runs.items():
            if key not in kept:
                run.cancel()
        self._last = {key: last for key, last in self._last.items() if key in kept}
        self._wake.set()
        log.info(
            "plan %s: %d jobs, %d of them refused; %d STAMP sessions",
            plan.version,
            len(admitted.jobs),
            len(admitted.refused),
            len(plan.beats),
        )

    def _poll_now(self, job: str) -> None:
        self._schedule.hasten(job, self._clock.monotonic())
        self._wake.set()

    def _launch(self, job: Job) -> None:
        run = asyncio.create_task(self._measure(job), name=job.id)
        self._runs[job.id] = run
        run.add_done_callback(lambda ended: self._ended(job.id, ended))

    def _ended(self, key: str, run: asyncio.Task[None]) -> None:
        if self._runs.get(key) is run:
            del self._runs[key]
        if not run.cancelled() and (error := run.exception()) is not None:
            log.error("job %s: a bug in the agent", key, exc_info=error)

    async def _measure(self, job: Job) -> None:
        started = self._clock.monotonic()
        measurement = await self._runner.run(job)
        changed = self._schedule.done(job.id, measurement.outcome.state, started, self._clock.monotonic())
        self._wake.set()
        self._keep(measurement, changed)

    def _keep(self, measurement: Measurement, changed: bool) -> None:
        """Puts a measurement into the spool; one whose state has changed goes to the collector at once."""
        job, outcome = measurement.job, measurement.outcome
        self._last[job] = measurement
        spooled = self._spool.append(measurement, changed=changed)
        if changed:
            log.info("%s is %s: %s", job, outcome.state.value, outcome.summary, extra={"fields": {"job": job}})
            spooled.add_done_callback(lambda _: self._uplink.changed())

    async def _tell_status(self) -> None:
        path = self._settings.directory / status.FILE_NAME
        while True:
            with contextlib.suppress(SpoolError, OSError, TimeoutError):
                async with asyncio.timeout(SPOOL_SECONDS):
                    now = await self._status()
                await asyncio.to_thread(status.write, path, now)
                state, why = status.health(now, now.written_at)
                self._notifier.status(f"{state.value}: {why}; {len(now.jobs)} jobs, {now.spool.rows} rows in the spool")
            await asyncio.sleep(status.EVERY)

    async def _tell_systemd(self) -> None:
        """The sign of life: this loop turns, and the spool's thread answers."""
        while self._notifier.watchdog is not None:
            try:
                async with asyncio.timeout(min(SPOOL_SECONDS, self._notifier.watchdog)):
                    await self._spool.alive()
                self._notifier.alive()
            except TimeoutError:
                log.error("the spool does not answer: its disk hangs, or a bug holds it")
            await asyncio.sleep(self._notifier.watchdog / 4)  # two signs of life may be missed
        await asyncio.Event().wait()

    async def _status(self) -> Status:
        return Status(
            node=self._settings.node,
            version=VERSION,
            pid=os.getpid(),
            written_at=self._clock.now(),
            started_at=self._started_at,
            collector=self._settings.collector,
            plan=self._plan.version if self._plan else "",
            plan_trouble=self._planning.trouble,
            uplink_trouble=self._uplink.trouble,
            spool_trouble=self._spool.trouble,
            spool=await self._spool.stats(),
            delivered=self._uplink.counters,
            skipped=self._schedule.skipped(),
            jobs=tuple(
                _job_status(key, self._last.get(key))
                for key in (*self._schedule.states(), *self._beats.jobs, *self._traps.jobs)
            ),
        )

    async def _end(self, parts: Sequence[asyncio.Task[Any]]) -> None:
        await _cancel(parts)
        await self._reflecting.close()
        await self._beats.close()
        await self._traps.close()
        runs = list(self._runs.values())
        if runs:
            await asyncio.wait(runs, timeout=FINISH_SECONDS)
            await _cancel(runs)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_REPORT_SECONDS):
                await self._uplink.last_report()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                await self._uplink.close()


def _job_status(job: str, last: Measurement | None) -> JobStatus:
    if last is None:
        return JobStatus(job, None, 0, "not run yet")
    return JobStatus(job, last.outcome.state, last.at, last.outcome.summary)


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def run(settings: Settings, find: Find, clock: Clock, environ: Mapping[str, str]) -> None:
    """Runs an agent until SIGTERM or SIGINT; SIGHUP fetches the plan again. Raises SpoolError, OSError."""
    settings.directory.mkdir(mode=0o750, parents=True, exist_ok=True)
    spool = await Spool.open(settings.directory / "spool.db", settings.spool_max_bytes, clock)
    notifier = Notifier(environ, os.getpid())
    agent = Agent(settings, find, spool, clock=clock, chance=random.SystemRandom(), notifier=notifier)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, agent.reload)
    log.info("agent %s of node %s delivers to %s", VERSION, settings.node, settings.collector)
    await agent.run(stop)
    log.info("stopped")
