from __future__ import annotations

import pytest

from agent import wire
from checks.model import Job, Measurement, Metric, Outcome, State, parse_job_id
from checks.plan import Assignment
from collector.evidence import Evidence
from collector.journal import Entry
from collector.live import Live
from collector.pipeline import DURATION, STATE, Pipeline
from collector.store.model import SeriesKey

NOW = 1_750_000_000_000
RTT = (Metric("rtt", 0.02, "s"),)
UP = Outcome(State.OK, "reply", answered=True, metrics=RTT, facts={"sysName": "r1"})
DEAD = Outcome(State.CRIT, "no reply", "timeout")


class Sink:
    """A pipeline with the store's ids."""

    def __init__(self) -> None:
        self.keys: list[SeriesKey] = []
        self.live, self.evidence = Live(), Evidence()
        self.pipeline = Pipeline(
            self.live, self.evidence, self.series_id, lambda agent: frozenset({agent, "c1"}), self.planned
        )

    def planned(self, name: str) -> Assignment | None:
        found = parse_job_id(name)
        job = Job(found.node, found.check, found.label, "", 60, 10, 20)
        return None if "gone" in name else Assignment("d1", job, proves=found.check == "ping")

    def series_id(self, key: SeriesKey) -> int:
        if key not in self.keys:
            self.keys.append(key)
        return self.keys.index(key)

    def points(self, entry: Entry) -> list[tuple[str, str, int, float]]:
        batch = self.pipeline.take(entry)[1]
        assert batch is not None
        return [
            (self.keys[s].node, self.keys[s].metric, at, value)
            for s, at, value in zip(batch.series, batch.at, batch.values, strict=True)
        ]


def entry(
    *rows: tuple[str, int, Outcome], lane: wire.Lane = wire.Lane.LIVE, sent_at: int = NOW, received_at: int = NOW
) -> Entry:
    table = wire.Table(1)
    measured = [(i, Measurement(job, at, 0.25, outcome)) for i, (job, at, outcome) in enumerate(rows, 1)]
    columns = wire.columns_of(measured, table)
    report = wire.Report("d1", 1, lane, sent_at, 1, 0, table.texts, 0, table.series, columns, [])
    return Entry(report, table, received_at, id=7)


def test_a_measurement_becomes_points_of_its_metrics_its_state_and_its_run_time() -> None:
    points = Sink().points(entry(("c1/ping/r1", NOW - 5, UP), ("c1/snmp/r1", NOW - 4, DEAD)))
    assert points == [
        ("c1", STATE, NOW - 5, 0.0),
        ("c1", DURATION, NOW - 5, 0.25),
        ("c1", "rtt", NOW - 5, 0.02),
        ("c1", STATE, NOW - 4, 3.0),
        ("c1", DURATION, NOW - 4, 0.25),
    ]


def test_the_newest_state_of_a_job_keeps_since_when_it_holds() -> None:
    sink = Sink()
    for seconds in (30, 20, 10):
        sink.pipeline.take(entry(("c1/ping/r1", NOW - seconds * 1000, UP)))
    state = sink.live.jobs["c1/ping/r1"]
    assert (state.at, state.since, state.by) == (NOW - 10_000, NOW - 30_000, "d1")
    assert sink.live.metrics("c1/ping/r1") == list(RTT)


def test_what_arrives_late_is_stored_but_is_not_the_newest() -> None:
    sink = Sink()
    sink.pipeline.take(entry(("c1/ping/r1", NOW - 1000, UP)))
    late = entry(("c1/ping/r1", NOW - 60_000, DEAD), lane=wire.Lane.BACKLOG)
    seen, batch = sink.pipeline.take(late)
    assert not seen
    assert batch is not None
    assert len(batch.values) == 2
    assert sink.live.jobs["c1/ping/r1"].state is State.OK


def test_a_backlog_is_no_proof_of_the_present() -> None:
    sink = Sink()
    sink.pipeline.take(entry(("c1/ping/r1", NOW - 1000, UP), lane=wire.Lane.BACKLOG))
    assert sink.evidence.proven_at("c1") == sink.evidence.proven_at("d1") == 0


def test_an_answer_from_elsewhere_is_no_proof_of_the_node() -> None:
    sink = Sink()
    (seen,), _ = sink.pipeline.take(entry(("c1/wan/primary", NOW - 1000, UP)))
    assert not seen.proves
    assert sink.evidence.proven_at("c1") == 0


def test_times_are_corrected_to_the_collectors_clock() -> None:
    sink = Sink()
    slow = NOW - 3_600_000
    (seen,), _ = sink.pipeline.take(entry(("c1/ping/r1", slow - 2000, UP), sent_at=slow, received_at=NOW))
    assert seen.at == NOW - 2000
    assert sink.evidence.proven_at("c1") == NOW - 2000


def test_a_measurement_from_the_agents_future_is_of_now() -> None:
    (seen,), _ = Sink().pipeline.take(entry(("c1/ping/r1", NOW + 10**9, UP)))
    assert seen.at == NOW


def test_an_agent_cannot_report_on_nodes_that_it_does_not_measure() -> None:
    sink = Sink()
    points = sink.points(entry(("bk/ping/r1", NOW, DEAD), ("nonsense", NOW, UP), ("c1/ping/r1", NOW, UP)))
    assert {node for node, *_ in points} == {"c1"}
    assert list(sink.live.jobs) == ["c1/ping/r1"]
    assert sink.pipeline.foreign == 2


def test_taking_an_entry_twice_changes_nothing() -> None:
    sink = Sink()
    one = entry(("c1/ping/r1", NOW - 5, UP))
    assert len(sink.pipeline.take(one)[0]) == 1
    assert sink.pipeline.take(one)[0] == []


def test_a_job_that_is_planned_no_more_is_stored_but_not_judged() -> None:
    sink = Sink()
    late = entry(("c1/ping/gone", NOW - 5, DEAD))
    assert sink.pipeline.take(late)[0] == []
    assert [metric for _, metric, *_ in sink.points(late)] == [STATE, DURATION]
    assert not sink.live.jobs
    assert sink.pipeline.foreign == 0


def test_reading_the_points_of_an_entry_leaves_its_judgement_to_be_made() -> None:
    sink = Sink()
    one = entry(("c1/ping/r1", NOW - 5, DEAD))
    batch = sink.pipeline.points(one)
    assert not sink.live.jobs
    (seen,), again = sink.pipeline.take(one)
    assert seen.outcome.reason == "timeout"
    assert batch == again


def test_a_job_id_cannot_forge_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Sink().pipeline.take(entry(("bk/x\nERROR all is lost/r1", NOW, DEAD)))
    assert "reports on 'bk/x\\nERROR all is lost/r1'" in caplog.text
