"""The step of time of a session, apart from sleeping; and what it is worth, by a simulation with a seed."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.pulse import DEAD_AFTER, ENOUGH, Pulse


def sent_until(pulse: Pulse, begin: float, end: float) -> list[float]:
    """When packets go, while nothing is heard."""
    times = []
    now = begin
    while (now := max(now, pulse.wake_at())) < end:
        if pulse.due(now):
            times.append(now)
    return times


@given(st.floats(0, 0.999), st.floats(0, 1000), st.sampled_from([0.1, 1.0, 5.0]))
def test_an_answered_session_sends_one_packet_a_spacing_on_its_grid(phase: float, now: float, spacing: float) -> None:
    pulse = Pulse(spacing, phase, now)
    for _ in range(20):
        now = pulse.wake_at()
        assert pulse.due(now)
        assert now / spacing % 1 == pytest.approx(phase, abs=1e-6) or now / spacing % 1 == pytest.approx(phase + 1)
        pulse.heard(now + 0.02 * spacing)


def test_a_dead_line_is_called_so_after_ten_quick_packets_and_then_tried_once_a_spacing() -> None:
    pulse = Pulse(1.0, 0.0, 0.0)
    assert pulse.due(pulse.wake_at())
    pulse.heard(1.02)

    times = sent_until(pulse, 1.02, 3.53)
    assert times[:2] == pytest.approx([2.0, 2.52])
    assert len(times) == pulse.unanswered >= 11
    assert pulse.dead
    assert sent_until(pulse, 3.53, 7.5) == [4.0, 5.0, 6.0, 7.0]


def test_one_answer_ends_the_quick_packets() -> None:
    pulse = Pulse(1.0, 0.0, 0.0)
    times = sent_until(pulse, 0.0, 1.75)
    assert times == pytest.approx([1.0, 1.5, 1.6, 1.7])
    pulse.heard(1.75)
    assert sent_until(pulse, 1.75, 3.2) == [2.0, 3.0]


def test_an_answer_brings_a_dead_line_back() -> None:
    pulse = Pulse(1.0, 0.0, 0.0)
    sent_until(pulse, 0.0, 5.5)
    assert pulse.dead
    pulse.heard(5.6)
    assert (pulse.dead, pulse.unanswered) == (False, 0)
    assert pulse.wake_at() == 6.0


def test_a_host_that_slept_tries_before_it_calls_the_line_dead() -> None:
    pulse = Pulse(1.0, 0.0, 0.0)
    pulse.due(1.0)
    pulse.heard(1.02)
    pulse.due(3600.0)
    assert not pulse.dead
    assert len(sent_until(pulse, 3600.0, 3601.1)) >= ENOUGH
    assert pulse.dead


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans()), max_size=60))
def test_whatever_happens_a_packet_goes_each_spacing_and_never_many(steps: list[tuple[float, bool]]) -> None:
    pulse, now = Pulse(1.0, 0.5, 0.0), 0.0
    times: list[float] = []
    for wait, answered in steps:
        now = max(now, pulse.wake_at()) + wait
        if pulse.due(now):
            times.append(now)
            assert sum(time > now - 1 for time in times) <= 12
        assert pulse.wake_at() <= now + 1.0001
        if answered:
            pulse.heard(now)


def gaps(hours: float, loss: float, round_trip: float, seed: int) -> list[float]:
    """How long a reflector waits for the next packet, again and again, over a line that loses so much each way."""
    chance = random.Random(seed).random
    pulse = Pulse(1.0, chance(), 0.0)
    answers: collections.deque[float] = collections.deque()
    found, last, now = [], None, 0.0
    while now < hours * 3600:
        if answers and answers[0] <= pulse.wake_at():
            pulse.heard(answers.popleft())
            continue
        now = pulse.wake_at()
        if not pulse.due(now) or chance() < loss:
            continue
        if last is not None:
            found.append(now - last)
        last = now
        if chance() >= loss:
            answers.append(now + round_trip)
    return found


def test_a_line_that_loses_packets_leaves_no_gap_that_a_dead_one_does() -> None:
    found = gaps(0.5, 0.05, 0.05, seed=1)

    assert max(found) < 2.5
    assert sum(gap > 1.01 for gap in found) > 50  # it did lose
    assert len(found) < 1800 * 1.3  # and cost less than a third more


def test_a_quarter_lost_each_way_is_no_dead_line_either() -> None:
    assert max(gaps(0.5, 0.25, 0.3, seed=2)) < 2.75


def test_an_hour_of_117_sessions_at_five_per_cent_is_without_a_false_alarm() -> None:
    # 117 h: 3,600 * 117 * 0.05^11 = 2e-9 are expected. At one packet a second, three in a row would miss 50 times.
    found = gaps(117, 0.05, 0.05, seed=3)

    assert max(found) < DEAD_AFTER
