from __future__ import annotations

from dataclasses import dataclass

from collector.web.folding import folded


@dataclass(frozen=True)
class Part:
    name: int
    well: bool = True


def test_a_short_list_is_seen_whole_and_so_is_one_with_a_single_row_more() -> None:
    for length in (0, 3, 4):
        parts = tuple(Part(n) for n in range(length))
        assert (folded(parts, 3).shown, folded(parts, 3).rest) == (parts, ())


def test_the_first_few_of_a_long_list_are_seen() -> None:
    found = folded([Part(n) for n in range(9)], 3)
    assert [part.name for part in found.shown] == [0, 1, 2]
    assert len(found.rest) == 6


def test_what_is_not_well_comes_first_and_is_never_folded_away() -> None:
    found = folded([Part(n, well=n % 2 == 0) for n in range(12)], 3)
    assert [part.name for part in found.shown] == [1, 3, 5, 7, 9, 11]
    assert all(part.well for part in found.rest)
