from __future__ import annotations

import random
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.store.chunks import ChunkError, merge, pack, tidy, unpack
from collector.store.model import MAX_AT

decimals = st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
awkward = st.sampled_from([-0.0, 0.0, 5e-324, -5e-324, 1.7976931348623157e308, 2.0**53, 2.0**53 + 2, -(2.0**63), 1e-9])
anything = st.floats(allow_nan=False, allow_infinity=False)
values_of_a_kind = st.one_of(*(st.lists(kind, min_size=1, max_size=150) for kind in (decimals, awkward, anything)))


@given(values_of_a_kind, st.data())
def test_points_come_back_bit_for_bit(numbers: list[float], data: st.DataObject) -> None:
    count = len(numbers)
    at = array("q", sorted(data.draw(st.sets(st.integers(0, MAX_AT), min_size=count, max_size=count))))
    values = array("d", numbers)
    times, back = unpack(at[0], count, pack(at, values))
    assert times == at
    assert back.tobytes() == values.tobytes()


@given(st.binary(max_size=200), st.integers(0, 1000))
def test_a_block_that_is_none_is_an_error_and_nothing_else(block: bytes, count: int) -> None:
    with pytest.raises(ChunkError):
        unpack(0, count, block)


@given(st.integers(0, 10_000))
def test_a_block_cut_short_is_an_error(cut: int) -> None:
    block = pack(array("q", range(50)), array("d", map(float, range(50))))
    with pytest.raises(ChunkError):
        unpack(0, 50, block[: cut % len(block)])


def test_a_block_of_another_count_is_an_error() -> None:
    block = pack(array("q", range(50)), array("d", map(float, range(50))))
    for count in (49, 51):
        with pytest.raises(ChunkError, match=f"{count} points"):
            unpack(0, count, block)


@pytest.mark.parametrize(
    ("kind", "most"),
    [("a constant", 1.2), ("milliseconds", 3.5), ("a counter", 4.0), ("any float", 9.0)],
)
def test_a_point_takes_few_bytes(kind: str, most: float) -> None:
    chance = random.Random(1)
    numbers = {
        "a constant": [1.0] * 120,
        "milliseconds": [round(chance.gauss(0.012, 0.001), 6) for _ in range(120)],
        "a counter": [float(10**9 + i * 30_000 + chance.randrange(20_000)) for i in range(120)],
        "any float": [chance.random() for _ in range(120)],
    }[kind]
    at = array("q", (1_750_000_000_000 + 30_000 * i + chance.randrange(4) for i in range(120)))
    assert len(pack(at, array("d", numbers))) / 120 < most


points = st.lists(st.tuples(st.integers(0, 30), st.floats(0, 9)), max_size=20)


@given(st.lists(points, max_size=5))
def test_parts_merge_as_a_dictionary_would(parts: list[list[tuple[int, float]]]) -> None:
    expected = sorted({at: value for part in parts for at, value in part}.items())
    tidied = [tidy(array("q", [at for at, _ in part]), array("d", [value for _, value in part])) for part in parts]
    at, values = merge(tidied)
    assert list(zip(at, values, strict=True)) == expected
