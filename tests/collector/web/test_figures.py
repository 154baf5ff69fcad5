from __future__ import annotations

import pytest

from collector.view import ShareView
from collector.web.figures import age, clock_time, percent, quantity
from collector.web.words import Words

NOW = 1_780_000_000_000


@pytest.mark.parametrize(
    ("connected", "required", "written"),
    [
        (100_000, 100_000, "100"),
        (99_999, 100_000, "99,99"),  # rounded down: never 100 while one is not connected
        (2, 3, "66,66"),
        (0, 7, "0,00"),
        (0, 0, "–"),
    ],
)
def test_coverage_is_rounded_down(connected: int, required: int, written: str) -> None:
    share = ShareView("x", "x", "x", required, connected, required - connected, 0, None)
    assert percent(share, "vi") == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0 giây"),
        (59, "59 giây"),
        (60, "1 phút"),
        (3_599, "59 phút"),
        (7_200, "2 giờ"),
        (200_000, "2 ngày"),
        (-5, "0 giây"),
    ],
)
def test_an_age_is_in_its_largest_whole_unit(seconds: int, written: str) -> None:
    assert age(NOW - seconds * 1000, NOW, Words("vi")) == written


def test_never_has_no_age() -> None:
    assert age(0, NOW, Words("en")) == "–"


def test_times_are_by_the_province_s_clock() -> None:
    midnight = 1_751_302_800_000  # 2025-06-30T17:00:00Z, 2025-07-01 there
    assert clock_time(midnight, midnight) == "00:00:00"
    assert clock_time(midnight - 1000, midnight) == "30/06/2025 23:59:59"


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0123, "s", "12,3 ms"),
        (3.0, "s", "3 s"),
        (8.2e6, "bit/s", "8,2 Mbit/s"),
        (1e9, "bit/s", "1 Gbit/s"),
        (512.0, "By", "512 B"),
        (0.25, "%", "0,25 %"),
        (9.64e-05, "%", "0 %"),
        (4.0, "1", "4"),
        (0.5, "1/s", "0,5/s"),
        (62.5, "Cel", "62,5 °C"),
        (6143.6, "1/min", "6144/min"),
    ],
)
def test_a_value_is_written_with_its_unit(value: float, unit: str, written: str) -> None:
    assert quantity(value, unit, "vi") == written
