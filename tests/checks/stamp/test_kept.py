from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.kept import UNKEPT, read, written
from checks.stamp.life import Life


@given(st.dictionaries(st.integers(1, 0xBFFF), st.integers(0, 2**64 - 1)))
def test_what_was_kept_at_the_end_is_known_again(newest: dict[int, int]) -> None:
    assert read(written(newest, clean=True)) == newest


def test_after_a_kill_what_may_have_come_since_it_was_kept_has_come() -> None:
    at = (2**32 - 1) << 32  # the last second of an era
    life = Life(lambda _: None, read(written({7: at}, clean=False)))

    assert not life.is_new(7, (at + (UNKEPT << 32)) % 2**64)
    assert life.is_new(7, (at + (UNKEPT << 32) + 1) % 2**64)
