from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.ntp.packet import Reply, Sample, parse, request, root_distance, sample
from checks.stamp.timestamp import ntp

COOKIE = 0x0123_4567_89AB_CDEF
NOW = 1_795_459_128_000_000_000
MS = 1_000_000


def reply(
    *, leap: int = 0, stratum: int = 2, reference: bytes = b"\x0a\x3a\x01\x01", received: int = NOW, sent: int = NOW
) -> bytes:
    """A server's packet as RFC 5905, figure 8, draws it."""
    return struct.pack(
        "!BBbbII4sQQQQ", leap << 6 | 4 << 3 | 4, stratum, 6, -24, 0x8000, 0x4000, reference, ntp(NOW), COOKIE,
        ntp(received), ntp(sent),
    )  # fmt: skip


def read(data: bytes) -> Reply:
    found = parse(data, COOKIE)
    assert found is not None
    return found


def test_a_request_tells_nothing_but_its_cookie() -> None:
    assert request(COOKIE) == b"\x23" + bytes(39) + COOKIE.to_bytes(8)


def test_a_reply_is_read() -> None:
    found = read(reply(leap=1))
    assert (found.leap, found.version, found.stratum, found.precision) == (1, 4, 2, -24)
    assert (found.root_delay, found.root_dispersion) == (0.5, 0.25)
    assert (found.kiss, found.clock) == ("", "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        reply()[:47],
        b"\x23" + reply()[1:],  # a client's packet, sent back as it is
        reply()[:24] + bytes(8) + reply()[32:],  # the answer to somebody else
    ],
)
def test_what_is_no_reply_to_us_is_none(data: bytes) -> None:
    assert parse(data, COOKIE) is None


def test_what_follows_the_packet_is_not_looked_at() -> None:
    assert read(reply() + bytes(20)) == read(reply())


def test_a_kiss_and_a_clock_are_words() -> None:
    assert read(reply(stratum=0, reference=b"RATE")).kiss == "RATE"
    assert read(reply(stratum=1, reference=b"GPS\0")).clock == "GPS"
    assert read(reply(stratum=1, reference=b"\x1b[2J")).clock == "[2J"


def test_offset_and_delay_are_those_of_the_rfc() -> None:
    # The server is 5 s ahead; 30 ms there, 2 ms in the server, 10 ms back.
    found = read(reply(received=NOW + 5000 * MS + 30 * MS, sent=NOW + 5000 * MS + 32 * MS))
    measured = sample(found, NOW, NOW + 42 * MS)
    assert measured.delay == pytest.approx(0.040, abs=1e-6)
    assert measured.offset == pytest.approx(5.010, abs=1e-6)
    assert abs(measured.offset - 5) <= measured.error
    assert root_distance(found, measured) == pytest.approx(0.27 + 0.25, abs=1e-6)


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**4), st.integers(0, 10**4), st.integers(0, 100))
def test_the_true_offset_is_always_within_half_the_delay(ahead: int, there: int, back: int, within: int) -> None:
    received = NOW + (ahead + there) * MS
    found = read(reply(received=received, sent=received + within * MS))
    measured = sample(found, NOW, NOW + (there + within + back) * MS)
    assert abs(measured.offset - ahead / 1000) <= measured.error + 1e-6


def test_a_clock_that_is_a_whole_era_on_is_still_near() -> None:
    """NTP's seconds begin anew on 2036-02-07 (RFC 5905, section 6)."""
    later = 2_085_978_496_000_000_000 + 5_000 * MS
    found = read(reply(received=later, sent=later))
    assert sample(found, later, later) == Sample(0.0, 0.0)


@given(st.binary(min_size=48, max_size=60))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    cookie = int.from_bytes(data[24:32])
    found = parse(data, cookie)
    if found is not None:
        measured = sample(found, NOW, NOW + MS)
        assert measured.delay >= 0
        assert (found.kiss + found.clock).isascii()
