from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.levels import Levels, judge
from checks.model import State

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False)
LEVELS = st.builds(Levels, warn=NUMBERS, crit=NUMBERS, margin=st.floats(0, 100))
STATES = st.sampled_from(State)


@pytest.mark.parametrize(
    ("value", "state"), [(79.9, State.OK), (80, State.WARN), (94.9, State.WARN), (95, State.CRIT), (200, State.CRIT)]
)
def test_more_is_worse_when_crit_is_above_warn(value: float, state: State) -> None:
    assert judge(value, Levels(warn=80, crit=95)) is state


@pytest.mark.parametrize(("value", "state"), [(31, State.OK), (30, State.WARN), (7, State.CRIT), (-400, State.CRIT)])
def test_less_is_worse_when_crit_is_below_warn(value: float, state: State) -> None:
    assert judge(value, Levels(warn=30, crit=7)) is state


def test_a_level_alone_is_turned_by_below() -> None:
    assert judge(5, Levels(crit=10)) is State.OK
    assert judge(5, Levels(crit=10, below=True)) is State.CRIT


def test_a_level_is_left_only_beyond_the_margin() -> None:
    levels = Levels(warn=80, crit=95, margin=5)
    states = list(
        itertools.accumulate([79, 80, 76, 75, 74, 95, 91, 89, 74], lambda s, v: judge(v, levels, s), initial=State.OK)
    )[1:]
    names = [state.name for state in states]
    assert names == ["OK", "WARN", "WARN", "WARN", "OK", "CRIT", "CRIT", "WARN", "OK"]


@given(NUMBERS)
def test_without_thresholds_everything_is_well(value: float) -> None:
    assert judge(value, Levels()) is State.OK


@given(values=st.tuples(NUMBERS, NUMBERS), levels=LEVELS, previous=STATES)
def test_a_worse_value_is_never_judged_better(values: tuple[float, float], levels: Levels, previous: State) -> None:
    better, worse = sorted(values, reverse=levels.less_is_worse)
    assert judge(better, levels, previous).rank <= judge(worse, levels, previous).rank


@given(value=NUMBERS, levels=LEVELS, previous=STATES)
def test_a_value_that_stays_keeps_its_state(value: float, levels: Levels, previous: State) -> None:
    once = judge(value, levels, previous)
    assert judge(value, levels, once) is once


@pytest.mark.parametrize(
    ("given_levels", "words"),
    [
        ({"margin": -1}, "margin must not be negative"),
        ({"warn": 1, "crit": 2, "below": True}, "warn 1 and crit 2 are in the wrong order for below=True"),
    ],
)
def test_levels_that_contradict_themselves_are_refused(given_levels: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Levels(**given_levels)  # type: ignore[arg-type]  # what a file holds has no types yet
