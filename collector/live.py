"""The newest state of every job."""

from __future__ import annotations

from collections.abc import Container, Iterator

import msgspec

from agent import wire
from checks.model import Metric, State


class JobState(msgspec.Struct):
    """A job's newest measurement. ``at`` is the start of that run by the collector's clock, ``since`` that of the
    first run in this state, Unix ms; ``by`` the agent that measured."""

    by: str
    at: int
    since: int
    state: State
    reason: str
    summary: str
    answered: bool
    facts: dict[str, str]


class Numbers(msgspec.Struct, frozen=True):
    """The metrics of a job's newest measurement, as they came; taken apart only for who looks."""

    table: wire.Table
    series: list[int]
    values: list[float]

    def metrics(self) -> Iterator[Metric]:
        """Each number with its name."""
        texts = self.table.texts
        for series, value in zip(self.series, self.values, strict=True):
            _, name, instance, unit = self.table.series[series]
            yield Metric(texts[name], float(value), texts[unit], texts[instance])


class Live:
    """The newest state of every job that has ever reported, and which of them changed since they were last kept."""

    def __init__(self, kept: dict[str, JobState] | None = None) -> None:
        self.jobs: dict[str, JobState] = kept or {}
        self._numbers: dict[str, Numbers] = {}
        self.changed: set[str] = set()

    def take(self, job: str, new: JobState, numbers: Numbers) -> bool:
        """Takes a measurement in; ``new.since`` is its own start. False when a newer one is known already."""
        old = self.jobs.get(job)
        if old is not None and new.at <= old.at:
            return False
        if old is not None and old.state is new.state:
            new.since = old.since
        if old is None or not _same(old, new):
            self.changed.add(job)
        self.jobs[job] = new
        self._numbers[job] = numbers
        return True

    def numbers(self, job: str) -> Numbers:
        """The numbers of a job's newest measurement, as they came."""
        return self._numbers.get(job) or Numbers(wire.Table(0), [], [])

    def metrics(self, job: str) -> list[Metric]:
        """The numbers of a job's newest measurement; none before its first since the collector started."""
        numbers = self._numbers.get(job)
        return list(numbers.metrics()) if numbers else []

    def forget(self, planned: Container[str]) -> list[str]:
        """Forgets the jobs that are not planned, and returns them."""
        gone = [job for job in self.jobs if job not in planned]
        for job in gone:
            del self.jobs[job]
            self._numbers.pop(job, None)
            self.changed.discard(job)
        return gone

    def set_back(self, lost: int) -> None:
        """The clock was set back by ``lost`` ms: what was seen before is dated by the new time."""
        for state in self.jobs.values():
            state.at -= lost
            state.since -= lost


def _same(old: JobState, new: JobState) -> bool:
    """Whether two states are alike in what must outlive a restart: all but the time of the newest run."""
    return (
        old.since == new.since
        and old.state is new.state
        and old.summary == new.summary
        and old.reason == new.reason
        and old.answered is new.answered
        and old.by == new.by
        and old.facts == new.facts
    )
