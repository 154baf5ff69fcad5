from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.net.error_queue import OPTIONS, Queued, parse

# What Linux 6.18 put beside the request that each error quotes, little-endian.
EXPIRED = (0, 11, "71000000020b00000000000000000000020000000a0900010000000000000000")
TOO_BIG = (0, 11, "5a000000020304007805000000000000020000000a0901020000000000000000")
TOO_BIG_6 = (
    41,
    25,
    "5a0000000302000078050000000000000a00000000000000fd09000100000000000000000000000200000000",
)


@pytest.mark.parametrize(
    ("recorded", "queued"),
    [
        (EXPIRED, Queued(11, 0, 0, "10.9.0.1")),
        (TOO_BIG, Queued(3, 4, 1400, "10.9.1.2")),
        (TOO_BIG_6, Queued(2, 0, 1400, "fd09:1::2")),
    ],
    ids=["expired", "too big", "too big, IPv6"],
)
def test_an_entry_names_who_sent_the_error_and_what_it_says(recorded: tuple[int, int, str], queued: Queued) -> None:
    level, kind, value = recorded
    assert parse([(1, 35, bytes(16)), (level, kind, bytes.fromhex(value))]) == queued


def test_an_error_of_this_host_itself_is_none_of_a_router() -> None:
    local = bytearray.fromhex(TOO_BIG[2])
    local[4] = 1  # SO_EE_ORIGIN_LOCAL
    assert parse([(0, 11, bytes(local))]) is None


@given(st.lists(st.tuples(st.sampled_from([*OPTIONS.values(), (1, 35)]), st.binary(max_size=60)), max_size=3))
def test_no_bytes_make_the_parser_raise(messages: list[tuple[tuple[int, int], bytes]]) -> None:
    parse([(*option, value) for option, value in messages])


@given(st.integers(0, 44))
def test_an_entry_cut_short_is_none_or_whole(length: int) -> None:
    assert parse([(41, 25, bytes.fromhex(TOO_BIG_6[2])[:length])]) in (None, Queued(2, 0, 1400, "fd09:1::2"))
