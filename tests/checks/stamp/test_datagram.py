from __future__ import annotations

import itertools

from checks.stamp.datagram import SteadyClock

SECOND = 1_000_000_000


def test_a_steady_clock_starts_at_the_wall_clock_and_does_not_jump_with_it() -> None:
    wall, monotonic = [1_700_000_000 * SECOND], [5 * SECOND]
    clock = SteadyClock(lambda: wall[0], lambda: monotonic[0])
    assert clock.now() == wall[0]

    wall[0] -= 3600 * SECOND
    monotonic[0] += SECOND

    assert clock.now() == 1_700_000_001 * SECOND


def test_what_the_kernel_received_is_as_old_as_the_wall_clock_says() -> None:
    clock = SteadyClock(lambda: 1_700_000_000 * SECOND, lambda: 0)

    assert clock.of(1_700_000_000 * SECOND - 7) == 1_700_000_000 * SECOND - 7
    assert clock.of(None) == clock.now()


def test_a_time_stamp_from_before_or_after_a_jump_is_not_believed() -> None:
    clock = SteadyClock(lambda: 1_700_000_000 * SECOND, lambda: 0)

    assert clock.of(1_700_000_000 * SECOND + 1) == clock.now()
    assert clock.of(1_600_000_000 * SECOND) == clock.now()


def test_a_pause_while_the_clocks_are_compared_moves_no_time() -> None:
    ticks = itertools.chain([0, 9000], itertools.repeat(9000))
    clock = SteadyClock(lambda: 20_000, lambda: next(ticks))

    assert clock.offset == 11_000
