from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.timestamp import ErrorEstimate, error_estimate, estimate_of, ntp, ptp, unix_of

SECOND = 1_000_000_000
ERA = SECOND << 32
PTP = ErrorEstimate(ptp=True).packed
NTP = ErrorEstimate().packed


def test_the_unix_epoch_is_2208988800_seconds_after_ntp_s() -> None:
    assert ntp(0) == 0x83AA7E80_00000000
    assert ntp(SECOND // 2) == 0x83AA7E80_80000000


def test_ntp_begins_anew_in_2036() -> None:
    last = 2_085_978_495 * SECOND

    assert ntp(last) == 0xFFFFFFFF_00000000
    assert ntp(last + SECOND) == 0
    assert unix_of(0, NTP, near=last) == last + SECOND
    assert unix_of(0xFFFFFFFF_00000000, NTP, near=last + SECOND) == last


def test_ptp_counts_the_leap_seconds_and_nanoseconds() -> None:
    assert ptp(1_700_000_000 * SECOND + 5) == (1_700_000_037 << 32) + 5


@given(st.integers(0, 4 * ERA), st.integers(-ERA // 2 + SECOND, ERA // 2 - SECOND))
def test_either_form_keeps_every_nanosecond_of_any_time_near_ours(time: int, apart: int) -> None:
    assert unix_of(ntp(time), NTP, near=time + apart) == time
    assert unix_of(ptp(time), PTP, near=time + apart) == time


def test_an_error_estimate_is_of_four_fields() -> None:
    estimate = ErrorEstimate(multiplier=3, scale=10, synchronized=True, ptp=False)

    assert estimate.packed == 0x8A03
    assert error_estimate(0x8A03) == estimate
    assert error_estimate(0x4001) == ErrorEstimate(1, 0, synchronized=False, ptp=True)
    assert estimate.seconds == 3 * 2**-22


@given(st.floats(0, 2**38))
def test_an_error_estimate_is_the_least_that_is_no_less_and_never_zero(seconds: float) -> None:
    estimate = estimate_of(seconds)

    assert estimate.multiplier
    assert seconds <= estimate.seconds <= max(seconds * (1 + 1 / 127), seconds + 2**-32)
    assert error_estimate(estimate.packed) == estimate


@pytest.mark.parametrize("seconds", [2.0**39, 1e300])
def test_an_error_beyond_the_field_is_its_greatest(seconds: float) -> None:
    assert estimate_of(seconds) == ErrorEstimate(255, 63)
