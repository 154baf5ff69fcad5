"""When each job runs. The step of time is apart from sleeping: the schedule is told the time and answers.

All times are seconds of a monotonic clock, so that a jump of the wall clock does not matter.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import heapq
import math
from collections.abc import Callable, Iterable

from checks.contract import Clock
from checks.model import Job, State

CONFIRMING_RUNS = 3
"""Runs at the retry interval after a change of state."""

FIRST_RUNS_WITHIN = 10.0
"""Seconds in which all jobs of a fresh plan have their first run, so that nobody waits an interval to see them."""

HASTE = 2.0
"""Seconds between two starts of a job that is hastened."""


def phase(agent: str, job: str) -> float:
    """Where in its interval a job runs, as a fraction 0 ≤ f < 1: a hash, so that agents do not move in step."""
    digest = hashlib.blake2b(f"{agent}\0{job}".encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


@dataclasses.dataclass
class _Slot:
    job: Job
    phase: float
    """0 ≤ phase < 1, of the interval."""
    at: float
    state: State = State.OK
    retries: int = 0
    running: bool = False
    again: bool = False
    """Whether it is to run once more at once, since what it is reading may have changed behind it."""
    started: float = -math.inf
    skipped: int = 0
    """Runs that were due while the job was still running, or while the host slept."""

    def grid_after(self, begin: float, now: float) -> float:
        """The job's first place on the grid at or after ``now``."""
        interval = self.job.interval
        origin = begin + self.phase * interval
        return origin + max(0, math.ceil((now - origin) / interval)) * interval


class Schedule:
    """The jobs of one agent, and when each is due next. ``begin`` is where the grid of intervals starts."""

    def __init__(self, agent: str, begin: float) -> None:
        self._agent = agent
        self._begin = begin
        self._slots: dict[str, _Slot] = {}
        self._heap: list[tuple[float, str]] = []

    def replace(self, jobs: Iterable[Job], now: float) -> None:
        """Takes a new plan. An unchanged job keeps its place; a new or changed one runs within
        ``FIRST_RUNS_WITHIN``; one that is gone runs no more."""
        old = self._slots
        self._slots = {job.id: self._slot(job, old.get(job.id), now) for job in jobs}
        self._heap = [(slot.at, key) for key, slot in self._slots.items() if not slot.running]
        heapq.heapify(self._heap)

    def _slot(self, job: Job, old: _Slot | None, now: float) -> _Slot:
        if old is not None and old.job == job:
            return old
        fraction = phase(self._agent, job.id)
        slot = _Slot(job, fraction, now + fraction * min(job.interval, FIRST_RUNS_WITHIN))
        if old is not None:
            # The run of the old job may be under way: its end gives the new one its place.
            slot.state, slot.running, slot.skipped = old.state, old.running, old.skipped
        return slot

    def due(self, now: float) -> list[Job]:
        """The jobs to start now. Each is taken as running until :meth:`done`. Runs that were missed are counted as
        skipped, not made up for."""
        found: list[Job] = []
        while self._heap and self._heap[0][0] <= now:
            at, key = heapq.heappop(self._heap)
            slot = self._slots[key]
            if slot.running or at != slot.at:
                continue  # it was hastened, and this was its place before
            slot.running = True
            slot.skipped += int((now - at) / slot.job.interval)
            found.append(slot.job)
        return found

    def done(self, job: str, state: State, started: float, now: float) -> bool:
        """A run of a job has ended. Returns whether its state differs from the run before (at first: from OK).

        The next run comes at the retry interval while the change is not confirmed, else at the job's next place on
        the grid, but no sooner than half an interval after this one started.
        """
        slot = self._slots.get(job)
        if slot is None or not slot.running:
            return False
        changed = state is not slot.state
        slot.state = state
        slot.retries = CONFIRMING_RUNS if changed else max(0, slot.retries - 1)
        interval = slot.job.interval
        if slot.retries:
            slot.at = max(now, started + min(slot.job.retry, interval))
        else:
            earliest = started + interval / 2
            wanted = slot.grid_after(self._begin, earliest)
            slot.at = wanted if wanted >= now else slot.grid_after(self._begin, now)
            slot.skipped += round((slot.at - wanted) / interval)
        if slot.again:
            slot.at = min(slot.at, max(now, started + HASTE))
        slot.running, slot.again, slot.started = False, False, started
        heapq.heappush(self._heap, (slot.at, job))
        return changed

    def hasten(self, job: str, now: float) -> None:
        """Has a job run at once, because something is known to have happened: but not within ``HASTE`` of its last
        start, so that nobody can keep it running."""
        slot = self._slots.get(job)
        if slot is None:
            return
        if slot.running:
            slot.again = True
            return
        at = max(now, slot.started + HASTE)
        if at < slot.at:
            slot.at = at
            heapq.heappush(self._heap, (at, job))

    def next_at(self) -> float | None:
        """When the next job is due; None when there is none to wait for."""
        return self._heap[0][0] if self._heap else None

    def skipped(self) -> int:
        """Runs that did not take place because the job was still running or the host slept."""
        return sum(slot.skipped for slot in self._slots.values())

    def states(self) -> dict[str, State]:
        """The last state of each job by its id; OK before the first run."""
        return {key: slot.state for key, slot in self._slots.items()}


async def drive(schedule: Schedule, clock: Clock, wake: asyncio.Event, launch: Callable[[Job], None]) -> None:
    """Launches jobs as they fall due, for ever. Set ``wake`` when the schedule has changed."""
    while True:
        wake.clear()
        for job in schedule.due(clock.monotonic()):
            launch(job)
        at = schedule.next_at()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if at is None else max(0.0, at - clock.monotonic())):
                await wake.wait()
