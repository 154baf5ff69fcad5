"""What becomes of a committed report: the newest states, evidence, alerts, and points for the store."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import msgspec

from agent import wire
from checks.model import JobId, Outcome, State, parse_job_id
from checks.plan import Assignment
from collector.evidence import Evidence
from collector.journal import Entry
from collector.live import JobState, Live, Numbers
from collector.store.model import Batch, SeriesKey

log = logging.getLogger(__name__)

_STATES = tuple(State.of_rank(rank) for rank in range(4))

STATE = "check.state"
"""Every job's series of State ranks, 0 to 3."""
DURATION = "check.duration"
"""Every job's series of run times in s."""


class Seen(msgspec.Struct, frozen=True):
    """One measurement of a job, by the collector's clock (``at``, Unix ms), and the agent that took it. ``proves``: an
    answer came from the node itself."""

    job: str
    id: JobId
    by: str
    at: int
    lane: wire.Lane
    outcome: Outcome
    proves: bool = False


Meaning = Callable[[JobId, str, str, int, Outcome], Outcome]
"""(a job's id, the same in one word, the agent that measured, when by the collector's clock in Unix ms, outcome)"""


class Pipeline:
    """Takes entries in the journal's order. Everything here is memory; taking an entry again changes nothing.

    ``speaks_for`` maps an agent to the nodes that it may report on, ``planned`` a job of the topology to who runs it
    (None for any other job); ``series_id`` is the store's. What an agent measured of its nodes is stored; only
    what it was to measure is judged, or a job that is planned no more could fail for ever.
    """

    def __init__(
        self,
        live: Live,
        evidence: Evidence,
        series_id: Callable[[SeriesKey], int],
        speaks_for: Callable[[str], frozenset[str]],
        planned: Callable[[str], Assignment | None],
        *,
        meaning: Meaning | None = None,
    ) -> None:
        """``meaning`` says what an outcome means here, where it is not what the agent makes of it."""
        self._live = live
        self._evidence = evidence
        self._series_id = series_id
        self._speaks_for = speaks_for
        self._planned = planned
        self._meaning = meaning
        self._words: dict[str, dict[wire.Table, _Words]] = {}
        self.foreign = 0
        """Measurements of nodes that their agent may not report on: dropped."""

    def take(self, entry: Entry) -> tuple[list[Seen], Batch | None]:
        """The measurements of an entry that are the newest of their jobs, and its points; None when it has none."""
        report = entry.report
        if report.lane is wire.Lane.LIVE:
            self._evidence.report(report.agent, entry.received_at)
        if not report.columns.state:
            return [], None
        words = self._words_of(entry)
        offset = entry.received_at - report.sent_at
        seen = list(self._rows(report, words, offset))
        return seen, _batch(entry.id, report.columns, words)

    def points(self, entry: Entry) -> Batch | None:
        """An entry's points alone, for an entry that is judged already or will be: that must happen once."""
        return _batch(entry.id, entry.report.columns, self._words_of(entry)) if entry.report.columns.state else None

    def reload(self) -> None:
        """Looks anew at what agents may report on and at the store's ids: the topology or the store has changed."""
        self._words.clear()

    def _words_of(self, entry: Entry) -> _Words:
        agent = entry.report.agent
        known = self._words.setdefault(agent, {})
        words = known.get(entry.table)
        if words is None:
            for table in list(known)[:-1]:  # the last process of an agent may still be in the journal
                del known[table]
            words = known[entry.table] = _Words(entry.table, self._series_id, self._speaks_for(agent))
        words.extend()
        return words

    def _rows(self, report: wire.Report, words: _Words, offset: int) -> Iterator[Seen]:
        columns, texts = report.columns, words.table.texts
        facts, documents = wire.facts_of(columns, texts), wire.documents_of(columns, texts)
        at = next_metric = 0
        for row, byte in enumerate(columns.state):
            at += columns.at[row]
            begin, next_metric = next_metric, next_metric + columns.counts[row]
            job = texts[columns.job[row]]
            identity = words.job(columns.job[row])
            if identity is None:
                self._drop(report.agent, job)
                continue
            planned = self._planned(job)
            if planned is None or planned.agent != report.agent:
                continue
            # A run lies in the past of the report that brings it, whatever the agent's clock says.
            corrected = min(at, report.sent_at) + offset
            outcome = Outcome(
                _STATES[byte & wire.STATE_BITS],
                texts[columns.summary[row]],
                texts[columns.reason[row]],
                bool(byte & wire.ANSWERED),
                facts=facts.get(row, {}),
                documents=documents.get(row, {}),
            )
            if self._meaning is not None:
                outcome = self._meaning(identity, job, report.agent, corrected, outcome)
            new = state_of(report.agent, corrected, outcome)
            numbers = Numbers(words.table, columns.series[begin:next_metric], columns.values[begin:next_metric])
            if not self._live.take(job, new, numbers):
                continue
            if report.lane is wire.Lane.LIVE and planned.proves:
                self._evidence.observe(report.agent, identity.node, outcome, corrected)
            yield Seen(job, identity, report.agent, corrected, report.lane, outcome, planned.proves)

    def _drop(self, agent: str, job: str) -> None:
        self.foreign += 1
        if self.foreign == 1 or self.foreign % 1000 == 0:
            log.warning(
                "%s reports on %.200r, which it does not measure: dropped (%d so far)", agent, job, self.foreign
            )


def state_of(agent: str, at: int, outcome: Outcome) -> JobState:
    """An outcome as the newest state of its job."""
    facts = dict(outcome.facts)
    return JobState(agent, at, at, outcome.state, outcome.reason, outcome.summary, outcome.answered, facts)


class _Words:
    """A table's ids in the store's terms, filled in as the table grows."""

    def __init__(self, table: wire.Table, series_id: Callable[[SeriesKey], int], allowed: frozenset[str]) -> None:
        self.table = table
        self._series_id = series_id
        self._allowed = allowed
        self._jobs: dict[int, JobId | None] = {}
        self._own: dict[int, tuple[int, int] | None] = {}
        self.series: list[int | None] = []

    def extend(self) -> None:
        """Takes in the series that came since."""
        texts = self.table.texts
        for job, metric, instance, unit in self.table.series[len(self.series) :]:
            key = self._key(job, texts[metric], texts[instance], texts[unit])
            self.series.append(None if key is None else self._series_id(key))

    def job(self, text: int) -> JobId | None:
        """A job's id taken apart; None when it is none, or of a node that the agent may not report on."""
        if text not in self._jobs:
            try:
                identity = parse_job_id(self.table.texts[text])
            except ValueError:
                identity = None
            self._jobs[text] = identity if identity and identity.node in self._allowed else None
        return self._jobs[text]

    def own(self, text: int) -> tuple[int, int] | None:
        """The series of a job's state and of its run time."""
        if text not in self._own:
            state, duration = self._key(text, STATE, "", "1"), self._key(text, DURATION, "", "s")
            if state is None or duration is None:
                self._own[text] = None
            else:
                self._own[text] = (self._series_id(state), self._series_id(duration))
        return self._own[text]

    def _key(self, job: int, metric: str, instance: str, unit: str) -> SeriesKey | None:
        identity = self.job(job)
        if identity is None:
            return None
        return SeriesKey(identity.node, identity.check, identity.label, metric, instance, unit)


def _batch(entry: int, columns: wire.Columns, words: _Words) -> Batch:
    """The entry's points, by the agent's clock."""
    series: list[int] = []
    at: list[int] = []
    values: list[float] = []
    now = next_metric = 0
    for row, byte in enumerate(columns.state):
        now += columns.at[row]
        count = columns.counts[row]
        own = words.own(columns.job[row])
        if own is not None:
            series += own
            values += (byte & wire.STATE_BITS, columns.duration[row] / 1e6)
            of_metrics = [words.series[s] for s in columns.series[next_metric : next_metric + count]]
            series += of_metrics  # type: ignore[arg-type]  # no series of an accepted job is None
            values += columns.values[next_metric : next_metric + count]
            at += [now] * (count + 2)
        next_metric += count
    return Batch(entry, series, at, values)
