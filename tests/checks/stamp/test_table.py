from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.table import FullError, ReplayedError, SessionTable


def test_each_session_is_counted_from_0() -> None:
    table = SessionTable(10, 60.0)

    assert [table.count("a", n, 100 + n, 0.0) for n in (0, 1, 5)] == [0, 1, 2]
    assert table.count("b", 0, 100, 0.0) == 0
    assert len(table) == 2


def test_a_packet_that_comes_again_is_a_replay() -> None:
    table = SessionTable(10, 60.0)
    for n in (0, 1, 2):
        table.count("a", n, 100 + n, 0.0)

    for n in (0, 1, 2):
        with pytest.raises(ReplayedError):
            table.count("a", n, 100 + n, 0.0)
    assert table.count("a", 3, 103, 0.0) == 3


def test_a_packet_that_comes_late_is_no_replay() -> None:
    table = SessionTable(10, 60.0)

    assert [table.count("a", n, 100 + n, 0.0) for n in (1, 0, 4, 2, 3)] == [0, 1, 2, 3, 4]


def test_what_is_too_late_to_tell_counts_as_a_replay() -> None:
    table = SessionTable(10, 60.0)
    table.count("a", 0, 100, 0.0)
    table.count("a", 1025, 1125, 0.0)

    assert table.count("a", 2, 102, 0.0) == 2
    with pytest.raises(ReplayedError):
        table.count("a", 1, 101, 0.0)


def test_a_sender_that_starts_anew_from_the_same_port_is_a_new_session() -> None:
    table = SessionTable(10, 60.0)
    for n in range(20):
        table.count("a", n, 100 + n, 0.0)

    assert [table.count("a", n, 200 + n, 0.0) for n in (0, 1)] == [0, 1]
    with pytest.raises(ReplayedError):
        table.count("a", 1, 101, 0.0)


def test_timestamps_that_begin_anew_are_later_still() -> None:
    table = SessionTable(10, 60.0)
    table.count("a", 5, (1 << 64) - 1, 0.0)

    assert table.count("a", 0, 3, 0.0) == 0


def test_a_session_is_forgotten_when_nothing_came_for_a_while() -> None:
    table = SessionTable(10, 60.0)
    for name in ("a", "b"):
        table.count(name, 0, 100, 0.0)
    table.count("a", 1, 101, 50.0)

    table.forget(61.0)
    assert len(table) == 1
    assert table.count("a", 2, 102, 61.0) == 2
    assert table.count("a", 3, 103, 122.0) == 0


def test_a_flood_of_new_sessions_does_not_disturb_those_in_use() -> None:
    table = SessionTable(2, 60.0)
    for name in ("a", "b"):
        table.count(name, 0, 100, 0.0)

    for n in range(100):
        with pytest.raises(FullError):
            table.count(n, 0, 100, 1.0)
    assert table.count("a", 1, 101, 1.0) == 1
    assert table.count("c", 0, 100, 61.0) == 0  # b is idle by then
    assert len(table) == 2


words = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))


@given(st.lists(words, max_size=50))
def test_no_packet_at_all_upsets_the_table(packets: list[tuple[int, int]]) -> None:
    table = SessionTable(1, 60.0)
    for sequence, timestamp in packets:
        try:
            assert 0 <= table.count("a", sequence, timestamp, 0.0) < len(packets)
        except ReplayedError:
            continue


@given(st.permutations(range(30)))
def test_any_order_of_packets_is_taken_once_each(order: list[int]) -> None:
    table = SessionTable(1, 60.0)

    assert [table.count("a", n, 1000 + n, 0.0) for n in order] == list(range(30))
    for n in order:
        with pytest.raises(ReplayedError):
            table.count("a", n, 1000 + n, 0.0)
