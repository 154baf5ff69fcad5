from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.net.icmp import Refusal, Reply
from checks.wan.mtu import Search, begin

HERE = Reply(0.01, "10.9.9.9")
TOO_BIG = OSError(errno.EMSGSIZE, "Message too long")


def searched(search: Search, carries: int, says: int | None = None, local: int = 65_535) -> tuple[Search, list[int]]:
    """A search to its end, and the sizes that it tried: on a path that carries so much, of which a router says what
    (None: nothing), from a host whose interface carries ``local``."""
    tried: list[int] = []
    while (size := search.trial) is not None:
        tried.append(size)
        end: Reply | Refusal | OSError | None = HERE
        if size > local:
            end = TOO_BIG
        elif size > carries:
            end = None if says is None else Refusal("packet too big", "10.9.1.2", mtu=says)
        search = search.after(size, end)
    return search, tried


def test_a_path_that_carries_what_is_expected_takes_two_trials() -> None:
    search, tried = searched(begin(4, 1500), 1500)

    assert (search.found, search.limit, tried) == (1500, "", [128, 1500])


def test_a_router_that_names_its_mtu_spares_the_search() -> None:
    search, tried = searched(begin(4, 1500), 1400, says=1400)

    assert (search.found, search.limit, search.by, tried) == (1400, "told", "10.9.1.2", [128, 1500, 1400])


def test_a_router_that_names_no_mtu_is_searched_and_still_no_black_hole() -> None:
    search, _ = searched(begin(4, 1500), 1400, says=0)

    assert (search.found, search.limit) == (1400, "told")


def test_silence_is_a_black_hole_found_to_the_byte() -> None:
    search, tried = searched(begin(4, 1500), 1427)

    assert (search.found, search.limit) == (1427, "silent")
    assert len(tried) <= 13


def test_a_black_hole_behind_a_router_that_speaks_is_a_black_hole() -> None:
    search = begin(4, 1500).after(128, HERE).after(1500, Refusal("packet too big", "10.9.1.2", mtu=1400))

    assert searched(search, 1300)[0].limit == "silent"
    assert searched(search, 1300)[0].found == 1300


def test_this_host_s_own_interface_is_told_from_the_path() -> None:
    search, _ = searched(begin(4, 9000), 9000, local=1500)

    assert (search.found, search.limit) == (1500, "local")


def test_a_target_that_does_not_answer_has_no_mtu() -> None:
    search, tried = searched(begin(6, 1500), 0)

    assert (search.found, search.trial, tried) == (None, None, [1280])


def test_what_says_nothing_of_the_size_changes_nothing() -> None:
    search = begin(4, 1500).after(128, HERE)

    assert search.after(1500, Refusal("host unreachable", "10.9.1.2")) == search


@given(
    carries=st.integers(1280, 9000),
    top=st.integers(1280, 9000),
    version=st.sampled_from([4, 6]),
    says=st.none() | st.integers(0, 70_000),
)
def test_every_mtu_is_found_whatever_a_router_says(carries: int, top: int, version: int, says: int | None) -> None:
    # One that names more than it carries, or less than what came through, is not believed beyond its "too big".
    search, tried = searched(begin(version, top), carries, says if says is None or says >= carries else 0)

    assert search.found == min(carries, top)
    assert len(tried) == len(set(tried)) <= 20


@pytest.mark.parametrize(("version", "floor"), [(4, 128), (6, 1280)])
def test_a_search_begins_with_what_every_link_should_carry(version: int, floor: int) -> None:
    assert begin(version, 1500).trial == floor
