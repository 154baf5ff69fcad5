"""The plan: fetched from the collector, kept on disk for when it is away, and looked over before it is run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from agent.backoff import Backoff
from agent.link import AwayError, Link
from checks.model import Job, Plan

REPORT_EVERY = (0.2, 3600.0)
"""Seconds between two live reports that a plan may ask for."""
SPACING = 1.0
"""Seconds between two fetches, so that a collector that contradicts itself is not asked without end."""
_FALLBACK_INTERVAL = 60.0
_FALLBACK_DEADLINE = 10.0

log = logging.getLogger("agent.planning")
_decoder = msgspec.json.Decoder(Plan)


class PlanError(ValueError):
    """A plan that cannot be run at all. Says where it came from and what was expected."""


class Admitted(NamedTuple):
    """The jobs to run, and by their ids why some of them are answered with UNKNOWN instead."""

    jobs: tuple[Job, ...]
    refused: dict[str, str]


def decode(body: bytes, agent: str, source: str) -> Plan:
    """The plan of some JSON. Raises PlanError when it is none, or another agent's."""
    try:
        plan = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise PlanError(f"{source}: not a plan: {error}") from error
    if plan.agent != agent:
        raise PlanError(f"{source}: the plan is for {plan.agent!r}, this agent is {agent!r}")
    low, high = REPORT_EVERY
    if not low <= plan.report_every <= high:
        raise PlanError(f"{source}: report_every: expected {low:g} to {high:g} s, got {plan.report_every:g}")
    return plan


def admit(plan: Plan, refusal: Callable[[Job], str | None]) -> Admitted:
    """Looks a plan over, job by job: one bad job does not keep the others from running. ``refusal`` says what is
    wrong with a job's check and parameters."""
    jobs: dict[str, Job] = {}
    refused: dict[str, str] = {}
    for job in plan.jobs:
        if job.id in jobs:
            log.error("plan %s: job %s is there twice: the first is run", plan.version, job.id)
            continue
        why = _bad_times(job) or refusal(job)
        if why:
            refused[job.id] = why
            log.error("plan %s: job %s is not run: %s", plan.version, job.id, why, extra={"fields": {"job": job.id}})
        jobs[job.id] = _with_sound_times(job) if why else job
    return Admitted(tuple(jobs.values()), refused)


def _bad_times(job: Job) -> str:
    for name in ("interval", "deadline", "retry"):
        seconds = getattr(job, name)
        if not (math.isfinite(seconds) and seconds > 0):
            return f"{name}: expected seconds above 0, got {seconds:g}"
    return ""


def _with_sound_times(job: Job) -> Job:
    """A job that is only ever answered with UNKNOWN still needs a time to say so."""
    if not _bad_times(job):
        return job
    return msgspec.structs.replace(
        job, interval=_FALLBACK_INTERVAL, retry=_FALLBACK_INTERVAL, deadline=_FALLBACK_DEADLINE
    )


class PlanFile:
    """The last good plan on disk. It holds credentials: mode 0600."""

    def __init__(self, path: Path, agent: str) -> None:
        self._path = path
        self._agent = agent

    def load(self) -> Plan | None:
        """The plan; None when there is none that can be used, which is logged."""
        try:
            return decode(self._path.read_bytes(), self._agent, str(self._path))
        except FileNotFoundError:
            return None
        except (OSError, PlanError) as error:
            log.warning("the kept plan is not used: %s", error)
            return None

    def store(self, plan: Plan) -> None:
        """Replaces the plan, whole or not at all. A failure is logged: the plan runs all the same."""
        try:
            replace_file(self._path, msgspec.json.encode(plan), 0o600)
        except OSError as error:
            log.error("the plan is not kept for the next start: %s: %s", self._path, error.strerror)


def replace_file(path: Path, content: bytes, mode: int, *, durable: bool = True) -> None:
    """Writes a file so that readers find the old or the new one whole; if ``durable``, after a power failure too.
    Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.touch(mode)
        fresh.chmod(mode)
        with fresh.open("wb") as file:
            file.write(content)
            file.flush()
            if durable:
                os.fsync(file.fileno())
        fresh.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise


class Planning:
    """Keeps the agent's plan up to date. ``adopt`` is called with every new plan."""

    def __init__(
        self, agent: str, link: Link, file: PlanFile, chance: random.Random, adopt: Callable[[Plan], None]
    ) -> None:
        self.trouble = ""
        """Why the plan is not the collector's; empty when it is."""
        self._agent, self._link, self._file = agent, link, file
        self._chance, self._adopt = chance, adopt
        self._version = ""
        self._wanted = asyncio.Event()

    def resume(self) -> None:
        """Adopts the plan that was kept, if there is one."""
        plan = self._file.load()
        if plan is not None:
            self._version = plan.version
            self._adopt(plan)

    def offered(self, version: str) -> None:
        """The collector says which version this agent should run; another than ours is fetched."""
        if version and version != self._version:
            self._wanted.set()

    def fetch_now(self) -> None:
        """Asks the collector again, whatever it said."""
        self._wanted.set()

    async def follow(self) -> None:
        """Fetches the plan now and whenever it is wanted, for ever."""
        backoff = Backoff(self._chance)
        while True:
            self._wanted.clear()
            try:
                await self._fetch()
            except (AwayError, PlanError) as error:
                if not self.trouble:
                    log.warning("no new plan, the last good one runs on: %s", error)
                self.trouble = str(error)
                await asyncio.sleep(backoff.failed())
                continue
            finally:
                await self._link.close()
            self.trouble = ""
            backoff.succeeded()
            await asyncio.sleep(SPACING * self._chance.uniform(0.5, 1.0))
            await self._wanted.wait()

    async def _fetch(self) -> None:
        response = await self._link.plan(self._version)
        if response.status == 304:
            return
        if response.status != 200:
            raise PlanError(f"the collector answers {response.status} to the question for this agent's plan")
        plan = decode(response.body, self._agent, "the collector's plan")
        if plan.version != self._version:
            self._version = plan.version
            self._adopt(plan)
            self._file.store(plan)
