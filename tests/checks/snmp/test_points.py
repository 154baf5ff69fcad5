"""From raw values to readings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.snmp.points import (
    Condition,
    MemoryPoint,
    StatePoint,
    address,
    address_in,
    converted,
    decimal,
    meaning,
    taken,
    unsigned,
    words,
)
from checks.snmp.reader import Value
from checks.snmp.vocabulary import Convert


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (42, 42.0),
        (-8.5, -8.5),
        (b"3.3324", 3.3324),
        (b" 45 C", 45.0),
        (b"-270.19,-265.2", -270.19),
        (b"5.3e-07", 5.3e-7),
        (b"n/a", None),
        ("10.0.0.1", None),
        (b"", None),
        (None, None),
    ],
)
def test_a_number_is_read_from_integers_and_from_texts(value: Value, expected: float | None) -> None:
    assert decimal(value) == expected


@given(st.one_of(st.none(), st.integers(), st.floats(), st.binary(max_size=40), st.text(max_size=40)))
def test_whatever_a_device_sends_is_a_number_a_name_or_none(value: Value) -> None:
    assert decimal(value) is None or isinstance(decimal(value), float)
    assert isinstance(words(value), str)
    assert isinstance(address(value), str)


def test_the_number_may_stand_within_a_text() -> None:
    line = b"5 Secs ( 31.1134%)   60 Secs ( 16.7571%)"
    assert decimal(taken(line, r"\(\s*([\d.]+)%\)")) == 31.1134
    assert taken(b"busy", r"(\d+)") is None


def test_a_size_that_overflowed_its_integer_is_whole_again() -> None:
    assert unsigned(-94967296) == 4_200_000_000
    assert unsigned(7) == 7


@pytest.mark.parametrize(
    ("value", "how", "of", "expected"),
    [
        (30, "idle", None, 70),
        (1000, "uW", None, 0),
        (0.0005, "W", None, -3.0103),
        (0, "uW", None, None),
        (212, "fahrenheit", None, 100),
        (3, "lost", 5, 40),
        (3, "share", 4, 75),
        (3, "share", 0, None),
        (3, "", None, 3),
    ],
)
def test_a_value_is_converted_to_what_is_shown(
    value: float, how: Convert, of: float | None, expected: float | None
) -> None:
    shown = converted(value, how, of)
    assert shown == (None if expected is None else pytest.approx(expected, abs=1e-4))


def pool(**oids: str) -> MemoryPoint:
    return MemoryPoint(
        "RAM",
        oids.get("used", ""),
        oids.get("free", ""),
        oids.get("total", ""),
        oids.get("percent", ""),
        (oids["less"],) if "less" in oids else (),
        1024.0,
        idle=False,
    )


@pytest.mark.parametrize(
    ("oids", "values"),
    [
        ({"used": "u", "free": "f"}, {"u": 25, "f": 75}),
        ({"used": "u", "total": "t"}, {"u": 25, "t": 100}),
        ({"free": "f", "total": "t"}, {"f": 75, "t": 100}),
        ({"percent": "p", "total": "t"}, {"p": 25, "t": 100}),
        ({"used": "u", "total": "t", "less": "c"}, {"u": 60, "t": 100, "c": 35}),
    ],
)
def test_two_numbers_tell_how_full_a_pool_is(oids: dict[str, str], values: dict[str, Value]) -> None:
    read = pool(**oids).read(values)
    assert read is not None
    assert (read.percent, read.used, read.total) == (25, 25 * 1024, 100 * 1024)


def test_a_pool_of_which_only_a_percentage_is_told_has_no_size() -> None:
    read = pool(percent="p").read({"p": b"25 %"})
    assert read is not None
    assert (read.percent, read.used, read.total) == (25, None, None)


def test_a_pool_that_the_device_does_not_answer_about_is_none() -> None:
    assert pool(used="u", total="t").read({"u": 25}) is None
    assert pool(used="u", total="t").read({"u": 25, "t": 0}) is None


def test_a_state_has_a_severity_and_the_word_of_the_mib() -> None:
    states = {"1": "ok normal", "3": "crit critical", "5": "absent notPresent", "9": "empty"}
    assert meaning("3", states) == ("crit", "critical")
    assert meaning("7", states) == ("unknown", "7")
    assert meaning("7", {"*": "warn"}) == ("warn", "7")
    point = StatePoint("Fan 1", "o", states)
    assert point.read({"o": 3}) == Condition("Fan 1", "crit", "critical", "3", "o")
    assert point.read({"o": 9}) is None
    assert point.read({}) is None


@pytest.mark.parametrize(
    ("index", "form", "expected"),
    [
        ("10.0.0.1", "ipv4", "10.0.0.1"),
        ("1.4.10.0.0.1", "inet", "10.0.0.1"),
        ("2.16.253.1.8.176.0.0.0.251.0.0.0.0.0.0.0.1", "inet", "fd01:8b0:0:fb::1"),
        ("1.4.10.0", "inet", ""),
        ("1", "inet", ""),
        ("", "ipv4", ""),
    ],
)
def test_an_address_is_read_from_an_index(index: str, form: str, expected: str) -> None:
    assert address_in(index, form) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (bytes((10, 1, 1, 5)), "10.1.1.5"),
        ("10.1.1.5", "10.1.1.5"),
        (b"192.168.189.96", "192.168.189.96"),
        (bytes.fromhex("fe80000000000000000000000000000100000003"), "fe80::1"),
        (b"1.2.3.4", "1.2.3.4"),
        (b"private", ""),
        (None, ""),
    ],
)
def test_an_address_is_read_from_octets_and_texts(value: Value, expected: str) -> None:
    assert address(value) == expected


def test_octets_that_are_no_text_are_shown_in_hexadecimal() -> None:
    assert words(bytes.fromhex("0021a0ffee01")) == "00:21:a0:ff:ee:01"
    assert words(b"GigabitEthernet0/1\0") == "GigabitEthernet0/1"
    assert words("Đà Nẵng".encode()) == "Đà Nẵng"
    assert words(bytes((0, 1, 2))) == "00:01:02"
    assert words(b"x" * 60_000) == "x" * 255
    assert words(b"") == words(None) == ""
