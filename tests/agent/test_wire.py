from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import wire
from checks.model import Measurement, Metric, Outcome, State

words = st.text(max_size=12)
numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False),
    st.integers(-(2**53) + 1, 2**53 - 1).map(float),
    st.sampled_from([-0.0, 2.0**53, 1e300]),
)
metrics = st.lists(st.builds(Metric, words, numbers, words, words), max_size=4).map(tuple)
outcomes = st.builds(
    Outcome,
    st.sampled_from(State),
    words,
    words,
    st.booleans(),
    metrics,
    st.dictionaries(words, words, max_size=3),
    st.dictionaries(words, st.binary(max_size=20), max_size=2),
)
measurements = st.builds(
    Measurement,
    words,
    st.integers(0, 2**42),
    st.integers(0, 10**9).map(lambda microseconds: microseconds / 1e6),
    outcomes,
)
rows = st.lists(st.tuples(st.integers(1, 2**40), measurements), max_size=8, unique_by=lambda row: row[0])


def report(columns: wire.Columns, table: wire.Table, texts_from: int = 0, series_from: int = 0) -> wire.Report:
    return wire.Report(
        "c01834",
        7,
        wire.Lane.LIVE,
        1_700_000_000_000,
        table.number,
        texts_from,
        table.texts[texts_from:],
        series_from,
        table.series[series_from:],
        columns,
        [],
    )


@given(rows)
def test_what_was_measured_is_what_arrives(sent: list[tuple[int, Measurement]]) -> None:
    table = wire.Table(1)
    body = wire.encode(report(wire.columns_of(sent, table), table))
    got, learned = wire.decode(body), wire.Table(1)
    learned.learn(got)
    learned.check(got.columns)
    assert wire.measurements_of(got.columns, learned) == sent


@given(rows, st.sets(st.integers(0, 7)))
def test_rows_can_be_left_out(sent: list[tuple[int, Measurement]], left_out: set[int]) -> None:
    table = wire.Table(1)
    kept = wire.without(wire.columns_of(sent, table), left_out)
    table.check(kept)
    expected = [row for i, row in enumerate(sent) if i not in left_out]
    assert wire.measurements_of(kept, table) == expected


@given(st.lists(rows, min_size=2, max_size=4))
def test_a_later_report_brings_only_new_words(reports: list[list[tuple[int, Measurement]]]) -> None:
    table, learned = wire.Table(1), wire.Table(1)
    for sent in reports:
        known = (len(learned.texts), len(learned.series))
        got = wire.decode(wire.encode(report(wire.columns_of(sent, table), table, *known)))
        assert learned.learn(got) == (len(table.texts) - known[0], len(table.series) - known[1])
        learned.check(got.columns)
        assert wire.measurements_of(got.columns, learned) == sent


ONE = (1, Measurement("n/ping/router", 5, 0.1, Outcome(State.OK, "reply", metrics=(Metric("rtt", 0.02, "s"),))))


def test_a_collector_that_forgot_the_table_asks_for_it() -> None:
    table = wire.Table(1)
    columns = wire.columns_of([ONE], table)
    with pytest.raises(wire.UnknownIdsError, match="0 texts and 0 series are known, the report begins at 2 and 1"):
        wire.Table(1).learn(report(columns, table, 2, 1))
    with pytest.raises(wire.UnknownIdsError, match="ids beyond"):
        wire.Table(1).check(columns)


def test_a_table_sent_twice_changes_nothing() -> None:
    table, learned = wire.Table(1), wire.Table(1)
    sent = report(wire.columns_of([ONE], table), table)
    learned.learn(sent)
    assert learned.learn(sent) == (0, 0)
    assert (learned.texts, learned.series) == (table.texts, table.series)


def test_an_earlier_report_sent_again_after_a_later_one_is_still_understood() -> None:
    table, learned = wire.Table(1), wire.Table(1)
    earlier = report(wire.columns_of([ONE], table), table)
    words = len(table.texts)
    later = (2, Measurement("n/ping/other", 6, 0.1, Outcome(State.CRIT, "no reply", "timeout")))
    learned.learn(earlier)
    learned.learn(report(wire.columns_of([later], table), table, words, 1))
    assert learned.learn(earlier) == (0, 0)


def test_words_cannot_be_given_another_meaning() -> None:
    table, learned = wire.Table(1), wire.Table(1)
    sent = report(wire.columns_of([ONE], table), table)
    learned.learn(sent)
    sent.texts[0] = "another"
    with pytest.raises(wire.WireError, match="renames texts"):
        learned.learn(sent)


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_in_words(body: bytes) -> None:
    with pytest.raises(wire.WireError, match="expected"):
        wire.decode(body)


def test_a_report_that_would_unpack_too_large_is_refused() -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(wire.MAX_REPORT_BYTES + 1))
    with pytest.raises(wire.WireError, match="at most 8388608 bytes"):
        wire.decode(bomb)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("seq", [1, 1], "differ in length"),
        ("counts", [2], "not as many"),
        ("counts", [-1], "not as many"),
        ("state", b"\x08", "a state beyond 7"),
        ("facts", [1, 0, 0], "a fact of no row"),
        ("job", [-1], "a negative id"),
        ("job", [99], "ids beyond"),
        ("series", [9], "ids beyond"),
    ],
)
def test_columns_that_contradict_themselves_are_refused(field: str, value: object, message: str) -> None:
    table = wire.Table(1)
    columns = wire.columns_of([ONE], table)
    setattr(columns, field, value)
    with pytest.raises(wire.WireError, match=message):
        table.check(columns)
