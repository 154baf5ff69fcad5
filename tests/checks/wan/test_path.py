from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.net.icmp import Refusal, Reply
from checks.wan.path import Path, assemble, line, settle

ENDS = st.one_of(
    st.builds(Reply, st.floats(0, 1), st.just("10.9.9.9")),
    st.builds(Refusal, st.just("words"), st.sampled_from(["10.9.0.1", "10.9.1.2"]), st.booleans()),
)


Ends = dict[int, Reply | Refusal]


def expired(source: str) -> Refusal:
    return Refusal("routing loop: time to live exceeded", source, expired=True)


def path(hops: str, *, reached: bool = True) -> Path:
    return Path(tuple(hops.split()), reached)


def test_a_path_is_read_from_what_came_of_each_distance() -> None:
    ends: Ends = {1: expired("10.9.0.1"), 3: Reply(0.01, "10.9.9.9"), 4: Reply(0.01, "10.9.9.9")}

    assert assemble(ends) == path("10.9.0.1 * 10.9.9.9")


def test_a_path_ends_where_a_router_knows_no_way() -> None:
    no_way = Refusal("network unreachable", "10.9.1.2")
    ends: Ends = {1: expired("10.9.0.1"), 2: no_way, 3: no_way}

    assert assemble(ends) == path("10.9.0.1 10.9.1.2", reached=False)


def test_a_path_that_fades_away_ends_with_the_last_that_answered() -> None:
    assert assemble({1: expired("10.9.0.1")}) == path("10.9.0.1", reached=False)
    assert assemble({}) == Path()


@given(st.dictionaries(st.integers(1, 16), ENDS))
def test_any_answers_make_a_path_that_begins_at_the_first_hop(ends: Ends) -> None:
    made = assemble(ends)

    assert len(made.hops) <= 16
    assert not made.reached or made.hops[-1] == "10.9.9.9"
    assert not made.hops or made.hops[-1] != "*"


@pytest.mark.parametrize(
    "seen",
    [
        path("a b t"),
        path("* b t"),
        path("a * t"),
        path("a b * t"),  # the target's answer at its own distance was lost
        path("a b", reached=False),
        path("x", reached=False),
        Path(),
    ],
    ids=str,
)
def test_silence_is_no_change_of_the_path(seen: Path) -> None:
    before = path("a b t")
    assert settle(before, seen) is before


def test_a_hop_that_was_silent_at_first_may_speak() -> None:
    before = path("* b t")
    assert settle(before, path("a b t")) is before


@pytest.mark.parametrize("seen", [path("a c t"), path("a c b t"), path("b t"), path("x * t")], ids=str)
def test_another_hop_is_a_change_of_the_path(seen: Path) -> None:
    assert settle(path("a b t"), seen) is seen


def test_a_whole_path_is_better_than_a_part_of_one() -> None:
    whole = path("a t")
    assert settle(path("x", reached=False), whole) is whole
    assert settle(None, Path()) == Path()


@pytest.mark.parametrize(("hops", "carrier"), [("a p t", "primary"), ("a b t", "backup"), ("a * t", None)])
def test_a_hop_tells_which_line_carries_the_traffic(hops: str, carrier: str | None) -> None:
    assert line(path(hops).hops, ["p"], ["b"]) == carrier
