from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.keys import LAST_GIVEN
from checks.stamp.life import Life

HALF = 1 << 63


@given(st.lists(st.integers(0, 50), max_size=30))
def test_only_what_is_later_than_all_before_is_life(stamps: list[int]) -> None:
    heard: list[int] = []
    life = Life(heard.append)
    for stamp in stamps:
        if life.is_new(7, stamp):
            life.take(7, stamp)

    assert len(heard) == sum(stamp > max(stamps[:i], default=-1) for i, stamp in enumerate(stamps))
    assert life.newest.get(7) == max(stamps, default=None)


def test_time_goes_on_over_the_end_of_an_era() -> None:
    life = Life(lambda _: None, {7: 2**64 - 1})

    assert life.is_new(7, 3)
    assert not life.is_new(7, 2**64 - 2)


def test_what_belongs_to_no_agent_is_no_life_and_is_not_remembered() -> None:
    heard: list[int] = []
    life = Life(heard.append)
    for ssid in (0, LAST_GIVEN + 1):
        life.take(ssid, 1)

    assert (heard, life.newest) == ([], {})


def test_a_clock_that_was_set_back_is_believed_again() -> None:
    heard: list[int] = []
    life = Life(heard.append, {7: 1000})
    assert not life.is_new(7, 500)
    life.set_back(7, 400)

    assert life.is_new(7, 500)


def test_of_whom_nothing_later_came_than_before_anything_is_taken_again() -> None:
    life = Life(lambda _: None, {7: 1000, 8: 1000})
    before = dict(life.newest)
    life.take(8, 1001)
    life.forget_unchanged(before)

    assert life.is_new(7, 500)
    assert not life.is_new(8, 500)
