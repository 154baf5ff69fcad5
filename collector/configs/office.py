"""Keeps the records of all configurations: fed by the pipeline, kept with the state, written into the history."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeGuard

import msgspec

from checks.config.backup import significant
from checks.config.params import ConfigParams
from checks.config.platforms import PLATFORMS
from checks.model import JobId, Outcome, State, parse_job_id
from checks.plan import Assignment
from collector.configs.difference import unified
from collector.configs.history import History, HistoryError, git
from collector.configs.judge import UNAPPROVED, approve, judged, take, version_of
from collector.configs.model import Approval, Record
from collector.configs.windows import ChangeWindow
from collector.live import JobState
from collector.view import ConfigView, VersionView

log = logging.getLogger(__name__)

CHECK = "config"
RECORD, APPROVAL = "config", "config-approval"
"""What they are called among the things of the state."""
_encode = msgspec.msgpack.encode
decode_record = msgspec.msgpack.Decoder(Record).decode
decode_approval = msgspec.msgpack.Decoder(Approval).decode


class Configs:
    """Records by job id, in memory. What changed is kept by the caller: see :meth:`unsaved`."""

    def __init__(
        self,
        kept: Mapping[str, bytes],
        history: History,
        windows: Sequence[ChangeWindow],
        jobs: Callable[[], Mapping[str, Assignment]],
        confirm_after: float,
    ) -> None:
        """``jobs`` are those of the topology in force; ``confirm_after`` is for how many seconds a change is told
        again, which alerting wants to hear more than once. Raises FileNotFoundError when there are configurations to
        keep, and no git to keep them with."""
        self.records = {name: decode_record(body) for name, body in kept.items()}
        self._history, self._windows, self._jobs = history, windows, jobs
        self._confirm = round(confirm_after * 1000)
        self._changed: set[str] = set()
        self._told: dict[str, int] = {}
        self._failed = ""
        if any(one.job.check == CHECK for one in jobs().values()):
            git()

    def take(self, job: JobId, name: str, agent: str, at: int, outcome: Outcome) -> Outcome:
        """What a measurement means at the centre: itself, or that the configuration is not the approved one."""
        seen = version_of(outcome, at, agent) if job.check == CHECK else None
        if seen is None:
            return outcome
        before = self.records.get(name)
        record = take(before, seen, job.node, self._windows)
        self._put(name, record)
        outcome = judged(record, job, msgspec.structs.replace(outcome, documents={}), self._significant(name))
        if outcome.reason == UNAPPROVED and before is not None and before.newest != record.newest:
            self._told[name] = at + self._confirm
        return outcome

    def restated(
        self, approvals: Mapping[str, bytes], states: Mapping[str, JobState], now: int
    ) -> Iterator[tuple[str, Outcome]]:
        """Takes what people approved. Yields the jobs, of those whose newest ``states`` say that a change is not
        approved, where that is so no longer, and those where it has to be told again."""
        for name, body in approvals.items():
            if self._approve(name, decode_approval(body)) and _unapproved(states.get(name)):
                self._told.pop(name, None)
                said = f"{parse_job_id(name).label}: the configuration was approved by {self.records[name].approver}"
                yield name, Outcome(State.OK, said, answered=True, facts=states[name].facts)
        for name, until in list(self._told.items()):
            if until < now:
                del self._told[name]
            if _unapproved(state := states.get(name)):
                yield name, Outcome(state.state, state.summary, state.reason, state.answered, facts=state.facts)

    def _approve(self, name: str, approval: Approval) -> bool:
        record = self.records.get(name)
        if record is None or (new := approve(record, approval)) == record:
            return False
        self._put(name, new)
        log.info("%s: configuration %s was approved by %s: %s", name, new.newest.hash, new.approver, new.why)
        return True

    def views(self, names: Iterable[str]) -> list[ConfigView]:
        """The configurations of jobs, for who looks."""
        return [view_of(name, self.records[name]) for name in names if name in self.records]

    async def versions(self, name: str) -> list[VersionView]:
        """A configuration's history, newest first. Raises KeyError when there is no such job, HistoryError."""
        if name not in self.records:
            raise KeyError(name)
        lines = await asyncio.to_thread(self._history.lines, parse_job_id(name))
        return [VersionView(line.hash, line.at, line.by) for line in lines]

    def set_back(self, lost: int) -> None:
        """The clock was set back by ``lost`` ms: what comes must not look older than what was seen before."""
        for name, record in list(self.records.items()):
            self._put(name, msgspec.structs.replace(record, seen_at=record.seen_at - lost))

    def unsaved(self) -> dict[tuple[str, str], bytes | None]:
        """What is to be kept since the last time."""
        things: dict[tuple[str, str], bytes | None] = {
            (RECORD, name): _encode(self.records[name]) for name in self._changed
        }
        self._changed.clear()
        return things

    async def write(self) -> None:
        """Brings the history up to date, in a thread; what fails is tried again."""
        pending = {name: record.pending for name, record in self.records.items() if record.pending}
        if not pending:
            return
        rows = [(parse_job_id(name), version) for name, versions in pending.items() for version in versions]
        try:
            await asyncio.to_thread(self._history.write, rows)
        except (HistoryError, OSError) as error:
            if str(error) != self._failed:
                log.error("the history of configurations waits: %s", error)
            self._failed = str(error)
            return
        self._failed = ""
        for name, versions in pending.items():
            record = self.records[name]
            left = tuple(version for version in record.pending if version not in versions)
            self._put(name, msgspec.structs.replace(record, pending=left))

    def _put(self, name: str, record: Record) -> None:
        if self.records.get(name) != record:
            self.records[name] = record
            self._changed.add(name)

    def _significant(self, name: str) -> Callable[[str], str]:
        """Leaves out of a job's text what does not count."""
        found = self._jobs().get(name)
        platform = PLATFORMS.get(found.job.params.get("platform", ConfigParams().platform)) if found else None
        return (lambda text: significant(platform, text)) if platform else (lambda text: text)


def view_of(name: str, record: Record) -> ConfigView:
    """A record as people see it."""
    new, approved = record.newest, record.approved
    old_text, new_text = (None, None) if record.well else (approved.text, new.text)
    difference = unified(old_text, new_text) if old_text is not None and new_text is not None else []
    return ConfigView(
        job=name,
        version=new.hash,
        at=new.at,
        by=new.by,
        approved=approved.hash,
        decided_at=record.decided_at,
        approver=record.approver,
        why=record.why,
        difference=difference,
    )


def _unapproved(state: JobState | None) -> TypeGuard[JobState]:
    return state is not None and state.reason == UNAPPROVED
