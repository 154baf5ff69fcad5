from __future__ import annotations

import random
import re
import statistics
from collections.abc import Iterator

import pytest

from tests.lab.link import Count, Counts, Link, Pipe, Shape, link
from tests.lab.netns import Namespace, cable, namespaces
from tests.peers import need

PINGS = ("ping", "-q", "-n", "-i", "0.01", "-c")


def test_a_frame_comes_out_when_its_delay_is_over() -> None:
    pipe = Pipe(random.Random(1).random)
    pipe.shape = Shape(delay=0.5)
    pipe.put(b"a", 10.0)
    pipe.put(b"b", 10.1)

    assert pipe.next == 10.5
    assert list(pipe.due(10.49)) == []
    assert list(pipe.due(10.5)) == [b"a"]
    assert list(pipe.due(11.0)) == [b"b"]
    assert pipe.next is None


def test_the_share_that_was_asked_for_is_lost_and_counted() -> None:
    pipe = Pipe(random.Random(1).random)
    pipe.shape = Shape(loss=20)
    for n in range(10_000):
        pipe.put(bytes([n % 256]), 0.0)

    assert len(list(pipe.due(0.0))) == pipe.came - pipe.lost
    assert pipe.lost / pipe.came == pytest.approx(0.2, abs=0.01)


def test_jitter_spreads_the_delay_to_both_sides() -> None:
    pipe = Pipe(iter([0.0, 0.75]).__next__)
    pipe.shape = Shape(delay=0.1, jitter=0.04)
    pipe.put(b"first", 0.0)
    assert pipe.next == pytest.approx(0.06)
    assert list(pipe.due(0.07)) == [b"first"]
    pipe.put(b"second", 0.0)
    assert pipe.next == pytest.approx(0.12)


def test_a_new_shape_is_for_new_frames() -> None:
    pipe = Pipe(random.Random(1).random)
    pipe.shape = Shape(delay=1.0)
    pipe.put(b"slow", 0.0)
    pipe.shape = Shape()
    pipe.put(b"fast", 0.0)

    assert list(pipe.due(0.0)) == [b"fast"]
    assert list(pipe.due(1.0)) == [b"slow"]


@pytest.fixture
def line() -> Iterator[tuple[Namespace, Link]]:
    """Two ends at 10.9.8.1 and 10.9.8.2, with a link between them; the first end, and the link."""
    need("ip", root=True)
    with namespaces("near", "mid", "far") as (near, mid, far):
        cable(near, "eth0", mid, "a")
        cable(far, "eth0", mid, "b")
        for one, device, prefixes in (
            (near, "eth0", ["10.9.8.1/24"]),
            (far, "eth0", ["10.9.8.2/24"]),
            (mid, "a", []),
            (mid, "b", []),
        ):
            one.address(device, *prefixes)
        with link(mid, "a", "b") as running:
            yield near, running


def round_trip(near: Namespace, count: int = 30) -> float:
    """The median of pings, in ms."""
    said = near("ping", "-n", "-i", "0.01", "-c", str(count), "10.9.8.2")
    return statistics.median(float(ms) for ms in re.findall(r"time=([\d.]+)", said))


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.slow
def test_delay_is_changed_while_traffic_flows(line: tuple[Namespace, Link]) -> None:
    need("ping")
    near, running = line
    bare = round_trip(near)

    running.shape(Shape(delay=0.02), Shape(delay=0.01))
    slowed = round_trip(near)
    running.shape()

    assert slowed - bare == pytest.approx(30, abs=2)
    assert round_trip(near) == pytest.approx(bare, abs=2)


@pytest.mark.peer
@pytest.mark.root
def test_what_is_lost_is_lost_in_the_direction_that_was_asked_for(line: tuple[Namespace, Link]) -> None:
    near, running = line
    near("ping", "-q", "-c", "1", "10.9.8.2")  # so that the neighbours are known
    before = running.shape(backward=Shape(loss=100))
    near("sh", "-c", "ping -q -n -i 0.01 -c 10 -W 0.2 10.9.8.2 || true")
    after = running.shape()

    assert before == Counts(Count(2, 0), Count(2, 0))
    assert (after.forward, after.backward) == (Count(12, 0), Count(12, 10))
