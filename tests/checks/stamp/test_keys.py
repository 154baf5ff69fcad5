from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.keys import LAST_GIVEN, NO_SESSIONS, Sessions, allot, is_given
from checks.stamp.sender import random_ssid

MASTER = bytes(range(32))
NAMES = st.lists(st.sampled_from("abcdefgh"), unique=True)


def test_a_key_is_hkdf_s_as_another_implementation_makes_it() -> None:
    other = HKDFExpand(SHA256(), 32, b"thongsuot stamp\0bk\0d1").derive(MASTER)

    assert Sessions(MASTER, {}).key("bk", "d1") == other.hex()


def test_each_session_has_a_key_of_its_own() -> None:
    sessions = Sessions(MASTER, {})
    keys = {sessions.key(at, agent) for at in ("bk", "d1") for agent in ("d1", "c1", "c2")}

    assert len(keys) == 6
    assert Sessions(MASTER[::-1], {}).key("bk", "d1") not in keys


@given(NAMES, NAMES)
def test_who_stays_keeps_its_number_and_no_two_have_one(before: list[str], after: list[str]) -> None:
    known = allot(before, {})
    given_now = allot(after, known)

    assert set(given_now) == set(after)
    assert len(set(given_now.values())) == len(after)
    assert {a: given_now[a] for a in after if a in known} == {a: known[a] for a in after if a in known}
    assert all(1 <= number <= len(before) + len(after) for number in given_now.values())


def test_agents_beyond_the_last_number_have_none() -> None:
    found = allot((f"n{i}" for i in range(LAST_GIVEN + 5)), {})

    assert len(found) == LAST_GIVEN
    assert f"n{LAST_GIVEN}" not in found
    assert not NO_SESSIONS.ssids


def test_a_run_by_hand_takes_no_agent_s_number() -> None:
    assert not any(is_given(random_ssid()) for _ in range(1000))
    assert [is_given(n) for n in (0, 1, LAST_GIVEN, LAST_GIVEN + 1)] == [False, True, True, False]
