"""The rhythm of a week, and volumes that follow from it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.demo.traffic import Flow, busy_time, busyness

HANOI = timezone(timedelta(hours=7))
SECONDS = st.floats(1_500_000_000, 2_000_000_000)


def unix(*when: int) -> float:
    return datetime(*when, tzinfo=HANOI).timestamp()  # type: ignore[misc,arg-type]  # year to minute


def test_offices_are_busiest_on_a_working_morning_in_vietnam() -> None:
    assert busyness(unix(2026, 3, 4, 9)) == pytest.approx(1.0)
    assert busyness(unix(2026, 3, 4, 12)) < 0.5
    assert busyness(unix(2026, 3, 4, 3)) < 0.05
    assert busyness(unix(2026, 3, 7, 9)) == pytest.approx(0.2)


@given(SECONDS)
def test_busy_time_is_the_integral_of_busyness(at: float) -> None:
    grown = busy_time(at + 1) - busy_time(at - 1)
    assert grown == pytest.approx(2 * busyness(at), abs=2e-4)


@given(SECONDS, st.floats(0.001, 1e6), st.integers(0, 1000))
def test_a_volume_never_falls(at: float, later: float, seed: int) -> None:
    flow = Flow.noisy(1e7, random.Random(seed))
    assert flow.volume(at + later) >= flow.volume(at)


@given(SECONDS, st.integers(0, 1000))
def test_a_volume_grows_by_what_the_rate_says(at: float, seed: int) -> None:
    flow = Flow.noisy(1e7, random.Random(seed))
    grown = flow.volume(at + 0.5) - flow.volume(at - 0.5)
    assert grown == pytest.approx(flow.rate(at), rel=0.02)
    assert 0 < flow.rate(at) < 1.45e7
