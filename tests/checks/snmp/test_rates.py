from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.snmp.mib import MAX_SPEED
from checks.snmp.rates import TICKS, Snapshot, boot_minute, increase, rates, rebooted, running_for
from checks.snmp.tables import Count, Interface

DAY = 86_400.0


def interface(octets: int, *, bits: int = 64, speed: float = 1e9, name: str = "wan0", index: int = 1) -> Interface:
    return Interface(index, name, "", 1, 1, speed, 0, {"ifInBits": Count(octets, bits)})


def snapshot(at: float, *interfaces: Interface, up: float | None = None) -> Snapshot:
    ticks = None if up is None else round(up * 100) % TICKS
    return Snapshot(at, ticks, None, interfaces)


def rate(before: Snapshot, now: Snapshot, name: str = "wan0") -> float | None:
    return rates(before, now).get(name, {}).get("ifInBits")


def test_the_first_run_has_no_rates() -> None:
    assert rates(None, snapshot(0, interface(5))) == {}


def test_octets_become_bits_per_second() -> None:
    assert rate(snapshot(0, interface(1000)), snapshot(60, interface(1000 + 7500))) == 1000


def test_the_device_s_clock_counts_when_it_is_one() -> None:
    before, now = snapshot(0, interface(0), up=100), snapshot(61, interface(7500), up=160)
    assert rate(before, now) == 1000


def test_our_clock_counts_when_sys_up_time_stands_still() -> None:
    before, now = snapshot(0, interface(0), up=100), snapshot(8, interface(1000), up=100)
    assert rate(before, now) == 1000


def test_a_reboot_gives_no_rates_even_when_counters_went_up() -> None:
    assert rate(snapshot(0, interface(10), up=90), snapshot(300, interface(10_000), up=95)) is None


def test_the_wrap_of_sys_up_time_after_497_days_is_no_reboot() -> None:
    up = TICKS / 100 - 30
    before, now = snapshot(0, interface(0), up=up), snapshot(60, interface(7500), up=up + 60)
    assert not rebooted(before, 60, now.up_time)
    assert rate(before, now) == 1000


@pytest.mark.parametrize("days", [1, 249, 300, 496])
def test_a_reboot_after_any_time_is_seen(days: float) -> None:
    assert rebooted(snapshot(0, up=days * DAY), 60, 30 * 100)


def test_a_pause_of_the_observer_s_clock_is_no_reboot() -> None:
    assert not rebooted(snapshot(0, up=1 * DAY), 60, round(3 * DAY * 100))


def test_an_interface_that_got_another_index_keeps_its_rate() -> None:
    before = snapshot(0, interface(0, name="a", index=1), interface(9_000_000, name="b", index=2))
    now = snapshot(8, interface(1000, name="a", index=2), interface(9_000_000, name="b", index=3))
    assert (rate(before, now, "a"), rate(before, now, "b")) == (1000, 0)


def test_a_discontinuity_gives_no_rate() -> None:
    before = interface(0)
    now = Interface(1, "wan0", "", 1, 1, 1e9, 4711, {"ifInBits": Count(1000, 64)})
    assert rate(snapshot(0, before), snapshot(8, now)) is None


def test_a_change_from_32_to_64_bits_gives_no_rate() -> None:
    assert rate(snapshot(0, interface(100, bits=32)), snapshot(8, interface(100 + 2**33, bits=64))) is None


def test_a_64_bit_counter_that_went_back_was_reset() -> None:
    assert rate(snapshot(0, interface(2**40)), snapshot(60, interface(5))) is None


def test_a_32_bit_counter_that_went_back_on_a_fast_enough_link_has_wrapped() -> None:
    before, now = interface(2**32 - 500, bits=32, speed=1e8), interface(500, bits=32, speed=1e8)
    assert rate(snapshot(0, before), snapshot(8, now)) == 1000


def test_a_32_bit_counter_that_went_back_further_than_the_link_can_count_was_reset() -> None:
    before, now = interface(3_000_000_000, bits=32, speed=1e7), interface(5, bits=32, speed=1e7)
    assert rate(snapshot(0, before), snapshot(60, now)) is None


@pytest.mark.parametrize("speed", [0.0, 1e9])
def test_a_32_bit_counter_that_may_have_wrapped_twice_or_at_unknown_speed_is_not_guessed(speed: float) -> None:
    before, now = interface(2**32 - 500, bits=32, speed=speed), interface(500, bits=32, speed=speed)
    assert rate(snapshot(0, before), snapshot(60, now)) is None


def test_traffic_beyond_a_wrongly_written_speed_is_shown() -> None:
    before, now = interface(0, speed=9000), interface(7_500_000, speed=9000)
    assert rate(snapshot(0, before), snapshot(60, now)) == 1e6


counts = st.integers(0, 2**64 - 1)


@given(counts, counts, st.sampled_from([32, 64]), st.floats(0.1, 1e6), st.sampled_from([0.0, 9e3, 1e7, 1e10]))
def test_no_rate_is_negative_or_faster_than_any_port(a: int, b: int, bits: int, elapsed: float, speed: float) -> None:
    before, now = interface(a, bits=bits, speed=speed), interface(b, bits=bits, speed=speed)
    found = rate(snapshot(0, before), snapshot(elapsed, now))
    assert found is None or 0 <= found <= MAX_SPEED * 1.000001


@given(st.integers(0, 2**32 - 1), st.floats(1, 300), st.floats(0, 1), st.sampled_from([2e6, 1e7, 1e8]))
def test_what_a_link_carried_is_found_again_across_a_wrap(
    start: int, elapsed: float, load: float, speed: float
) -> None:
    carried = int(load * speed / 8 * elapsed)
    found = increase(Count(start, 32), Count((start + carried) % 2**32, 32), elapsed, speed=speed / 8, ceiling=2e11)
    wrapped = start + carried >= 2**32
    if wrapped and speed / 8 * elapsed >= 2**32:
        assert found is None or found <= speed / 8
    else:
        assert found == pytest.approx(carried / elapsed)


@given(st.floats(0, 2 * TICKS / 100), st.floats(1, 3600), st.floats(-0.004, 0.004))
def test_a_device_that_just_runs_on_never_seems_to_reboot(up: float, elapsed: float, drift: float) -> None:
    before = snapshot(0, up=up)
    assert not rebooted(before, elapsed, round((up + elapsed * (1 + drift)) * 100) % TICKS)


@given(st.floats(4000, TICKS / 100 - 4000), st.floats(30, 3600), st.floats(0, 1))
def test_a_device_that_rebooted_in_between_is_seen(up: float, elapsed: float, part: float) -> None:
    assert rebooted(snapshot(0, up=up), elapsed, round(part * (elapsed - 15) * 100))


def test_the_boot_minute_stays_although_clocks_drift() -> None:
    now = 1_750_000_000_000
    first = boot_minute(None, 0, 100_000, now)
    before = Snapshot(0, 100_000, first, ())
    later = boot_minute(before, 600, 100_000 + 60_000 - 90, now + 600_000 + 29_000)
    assert first == round((now - 1_000_000) / 60_000)
    assert later == first


def test_the_boot_minute_changes_with_a_reboot() -> None:
    now = 1_750_000_000_000
    before = Snapshot(0, 100_000, 7, ())
    assert boot_minute(before, 600, 3_000, now) == round((now - 30_000) / 60_000)


@pytest.mark.parametrize(
    ("up_time", "host", "engine", "expected"),
    [
        (1_000, None, None, 1_000),
        (1_000, None, 10, 1_000),
        (1_631_840_059, None, 59_268_073, 1_631_840_059 + TICKS),
        (5_000, 3_000_000, None, 3_000_000),
        (430_400, None, 3_703_088, 430_400),
        (None, None, 10, None),
    ],
    ids=["alone", "in step", "wrapped once", "the SNMP agent was restarted", "an engine time out of step", "not told"],
)
def test_the_time_since_the_start_is_the_best_witness_s(
    up_time: int | None, host: int | None, engine: int | None, expected: int | None
) -> None:
    assert running_for(up_time, host, engine) == expected
