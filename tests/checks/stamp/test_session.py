from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.session import BEGIN, Loss, Mark, Reply, Summary, jitter, percentile, summarise

MS = 1_000_000
START = 1_700_000_000_000 * MS


def reply(number: int, reflector: int | None = None, *, there: float = 10, back: float = 20, ahead: float = 0) -> Reply:
    """Of a packet sent every 100 ms and held for 1 ms, by a reflector whose clock is ``ahead`` ms."""
    sent = START + number * 100 * MS
    received = sent + round((there + ahead) * MS)
    reflected = received + MS
    returned = reflected + round((back - ahead) * MS)
    return Reply(number, number if reflector is None else reflector, sent, received, reflected, returned)


def test_a_run_without_loss() -> None:
    found = summarise(3, [reply(n) for n in range(3)], stateful=True)

    assert (found.loss, found.forward, found.backward) == (Loss(0, 3), Loss(0, 3), Loss(0, 3))
    assert found.round_trips == pytest.approx([0.030] * 3)
    assert (found.jitter_forward, found.jitter_backward) == (0, 0)
    assert (found.duplicates, found.reordered) == (0, 0)


def test_nothing_came_back() -> None:
    found = summarise(3, [], stateful=True)

    assert found.loss == Loss(3, 3)
    assert found.loss.percent == 100
    assert (found.forward, found.backward, found.round_trips) == (None, None, ())
    assert (found.jitter_forward, found.offset, found.uncertainty) == (None, None, None)


def test_the_reflector_s_numbers_tell_the_direction_of_a_loss() -> None:
    # 1 never got there; of what came back, the answers to 3 and 4 are missing.
    found = summarise(6, [reply(0, 0), reply(2, 1), reply(5, 4)], stateful=True)

    assert (found.forward, found.backward) == (Loss(1, 6), Loss(2, 5))
    assert found.loss == Loss(3, 6)


def test_a_loss_before_the_first_reply_has_a_direction_too() -> None:
    found = summarise(4, [reply(2, 1), reply(3, 2)], stateful=True)

    assert (found.forward, found.backward) == (Loss(1, 4), Loss(1, 3))


def test_what_is_lost_at_the_end_is_of_no_direction() -> None:
    found = summarise(10, [reply(n) for n in range(4)], stateful=True)

    assert (found.loss, found.forward, found.backward) == (Loss(6, 10), Loss(0, 4), Loss(0, 4))


def test_a_stateless_reflector_tells_the_loss_of_the_round_trip_alone() -> None:
    found = summarise(6, [reply(0), reply(2), reply(5)], stateful=False)

    assert (found.loss, found.forward, found.backward) == (Loss(3, 6), None, None)


def test_a_reflector_that_restarted_tells_no_direction() -> None:
    assert summarise(4, [reply(0, 0), reply(1, 1), reply(2, 0), reply(3, 1)], stateful=True).forward is None


def test_a_reflector_that_had_counted_before_tells_no_direction() -> None:
    assert summarise(2, [reply(0, 1000), reply(1, 1001)], stateful=True).backward is None


def test_duplicates_are_no_replies_of_their_own() -> None:
    back_twice = [reply(0, 0), reply(0, 0), reply(1, 1)]
    there_twice = [reply(0, 0), reply(0, 1), reply(1, 2)]

    for replies in (back_twice, there_twice):
        found = summarise(2, replies, stateful=True)
        assert (found.duplicates, found.loss) == (1, Loss(0, 2))
        assert (found.forward, found.backward and found.backward.lost) == (Loss(0, 2), 0)


def test_what_comes_after_a_later_one_is_reordered() -> None:
    # 2 and 1 changed places on the way there, 5 and 4 on the way back.
    arrived = [reply(0, 0), reply(2, 1), reply(1, 2), reply(3, 3), reply(5, 5), reply(4, 4)]

    found = summarise(6, arrived, stateful=True)

    assert (found.reordered, found.loss) == (2, Loss(0, 6))
    assert (found.forward, found.backward) == (Loss(0, 6), Loss(0, 6))


def test_the_offset_is_that_of_the_fastest_round_trip_and_off_by_half_of_it_at_most() -> None:
    replies = [reply(0, there=80, back=10, ahead=5000), reply(1, there=10, back=14, ahead=5000)]

    found = summarise(2, replies, stateful=True)

    assert found.uncertainty == pytest.approx(0.012)
    assert found.offset == pytest.approx(4.998)


def test_a_reflector_s_clock_that_jumps_while_it_holds_a_packet_spoils_no_round_trip() -> None:
    jumped = Reply(0, 0, START, START + 10 * MS, START - 3600_000 * MS, START + 31 * MS)

    assert jumped.round_trip == 31 * MS


def test_jitter_is_rfc_3550_s() -> None:
    # Transit times of 10, 26, 10 ms: differences of 16 ms each; 16/16 = 1, then 1 + (16 - 1)/16.
    transits = [(0, 10 * MS), (20 * MS, 46 * MS), (40 * MS, 50 * MS)]

    assert jitter(transits[:2]) == pytest.approx(0.001)
    assert jitter(transits) == pytest.approx(0.0019375)
    assert jitter(transits[:1]) is None


def test_jitter_of_the_one_way_is_not_that_of_the_other() -> None:
    random.seed(1)
    found = summarise(200, [reply(n, there=10 + 8 * random.random()) for n in range(200)], stateful=True)

    assert found.jitter_forward == pytest.approx(0.0027, abs=0.0008)  # the mean difference of two is a third of 8 ms
    assert found.jitter_backward == 0


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(n) for n in range(1, 21)]

    assert (percentile(values, 95), percentile(values, 100), percentile(values, 0)) == (19, 20, 1)
    assert percentile([7.0], 95) == 7


@given(st.data())
def test_the_lost_of_both_ways_are_those_that_were_lost(data: st.DataObject) -> None:
    fates = data.draw(st.lists(st.sampled_from(["there", "back", "kept"]), min_size=1, max_size=60))
    replies, reflected = [], 0
    for number, fate in enumerate(fates):
        if fate == "kept":
            replies.append(reply(number, reflected))
        reflected += fate != "there"
    if not replies:
        return

    found = summarise(len(fates), replies, stateful=True)

    told = fates[: replies[-1].sequence + 1]
    assert found.forward == Loss(told.count("there"), len(told))
    assert found.backward == Loss(told.count("back"), len(told) - told.count("there"))
    assert found.loss == Loss(len(fates) - len(replies), len(fates))


numbers = st.integers(0, 2**32 - 1)
times = st.integers(-(2**62), 2**63)


@given(st.lists(st.builds(Reply, st.integers(0, 9), numbers, times, times, times, times), max_size=30), st.booleans())
def test_whatever_a_reflector_says_the_sums_hold(replies: list[Reply], stateful: bool) -> None:
    found = summarise(10, replies, stateful=stateful)

    assert 0 <= found.loss.lost <= 10
    for way in (found.forward, found.backward):
        assert way is None or 0 <= way.lost <= way.of


WAYS = st.sampled_from(["passes", "lost there", "lost back"])


def windows(fates: list[str], size: int) -> list[Summary]:
    """A session's packets with these fates, in runs of so many."""
    found, reflected, since = [], 0, BEGIN
    for first in range(0, len(fates), size):
        replies = []
        for number, fate in enumerate(fates[first : first + size], first):
            if fate == "passes":
                replies.append(reply(number, reflected))
            reflected += fate != "lost there"
        sent = min(size, len(fates) - first)
        found.append(summarise(sent, replies, stateful=True, first=first, since=since))
        if replies:
            since = Mark(replies[-1].sequence, replies[-1].reflector_sequence)
    return found


@given(st.lists(WAYS, max_size=40), st.integers(1, 12))
def test_the_runs_of_a_session_lose_together_what_it_loses_in_each_direction(fates: list[str], size: int) -> None:
    fates = [*fates, "passes"]
    (whole,) = windows(fates, len(fates))
    parts = windows(fates, size)

    for way in ("forward", "backward"):
        known = [loss for part in parts if (loss := getattr(part, way)) is not None]
        assert Loss(sum(one.lost for one in known), sum(one.of for one in known)) == getattr(whole, way)
    assert (
        sum(part.loss.lost for part in parts) == whole.loss.lost == fates.count("lost there") + fates.count("lost back")
    )


def test_a_reflector_that_counts_anew_between_two_runs_leaves_the_direction_open() -> None:
    found = summarise(2, [reply(30, 0), reply(31, 1)], stateful=True, first=30, since=Mark(29, 29))

    assert (found.loss, found.forward, found.backward) == (Loss(0, 2), None, None)
