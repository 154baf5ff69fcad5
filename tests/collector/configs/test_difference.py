from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from collector.configs.difference import changed_lines, in_words, unified

lines = st.lists(st.sampled_from(["interface eth0", " shutdown", "exit", "!", "-- x", "++ y"]), max_size=12)


@given(lines, lines)
def test_what_was_removed_and_added_makes_one_of_the_other(old: list[str], new: list[str]) -> None:
    removed, added = changed_lines("\n".join(old), "\n".join(new))
    left = list(old)
    for line in removed:
        left.remove(line)

    assert sorted(left + added) == sorted(new)


def test_words_are_bounded_however_much_changed() -> None:
    said = in_words("", "\n".join(f"line {i} " + "x" * 500 for i in range(1000)))

    assert said.startswith("+1000 -0 lines: “+ line 0 xxx")
    assert said.endswith(" and 994 more")
    assert len(said) < 1000


def test_a_diff_shows_what_is_around_and_where_lines_are_left_out() -> None:
    old = [f"line {i}" for i in range(30)]
    new = [*old[:5], "new", *old[5:25], *old[26:]]

    assert unified("\n".join(old), "\n".join(new), context=1) == [
        *("…", " line 4", "+new", " line 5"),
        *("…", " line 24", "-line 25", " line 26"),
    ]
    assert unified("\n".join(old), "", most=2)[2:] == ["… and 29 lines more"]


def test_one_line_in_a_large_configuration_is_found_at_once() -> None:
    old = [f"line {i % 7}" for i in range(50_000)]
    begin = time.process_time()

    assert changed_lines("\n".join(old), "\n".join([*old[:25_000], "new", *old[25_000:]])) == ([], ["new"])
    assert time.process_time() - begin < 1.0
