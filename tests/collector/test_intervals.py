from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.intervals import Intervals, runs_of

pairs = st.tuples(st.integers(0, 60), st.integers(0, 6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


@given(st.lists(pairs, max_size=20))
def test_runs_are_the_set_of_the_numbers_they_span(added: list[tuple[int, int]]) -> None:
    plain: set[int] = set()
    intervals = Intervals()
    for first, last in added:
        intervals.add(first, last)
        plain.update(range(first, last + 1))
    assert [n for n in range(80) if n in intervals] == sorted(plain)
    assert len(intervals) == len(plain)
    runs = intervals.runs()
    assert all(last + 1 < first for (_, last), (first, _) in itertools.pairwise(runs))
    assert Intervals(runs).runs() == runs


@given(st.lists(st.integers(0, 40), max_size=30))
def test_numbers_become_runs_in_their_order(numbers: list[int]) -> None:
    assert [n for first, last in runs_of(numbers) for n in range(first, last + 1)] == numbers


def test_a_run_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"run 5\.\.3 ends before it begins"):
        Intervals().add(5, 3)
