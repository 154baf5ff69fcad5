"""What the check says of a line whose faults are known: nftables drops, or a link emulator of ours delays and loses."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.model import Outcome, State
from tests.lab.link import Link, Shape, link
from tests.lab.netns import Namespace, cable, namespaces
from tests.peers import need, running

pytestmark = [pytest.mark.peer, pytest.mark.root]

ROOT = Path(__file__).parents[3]
KEY = "a key"
REFLECTOR = """
import asyncio, sys
from checks.stamp.reflector import open_reflector
async def main():
    open_reflector("0.0.0.0", 862, lambda *_: sys.argv[1].encode())
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
SENDER = """
import asyncio, json, sys
import msgspec
from checks.contract import Context, SystemClock, Target, params_of
from checks.stamp import CHECK
params = params_of(CHECK, json.loads(sys.argv[1]))
outcome = asyncio.run(CHECK.run(Target("n", "10.9.9.2"), params, Context(SystemClock(), 60.0, {})))
print(msgspec.json.encode(outcome).decode())
"""


def measure(near: Namespace, **params: Any) -> tuple[Outcome, dict[str, float]]:
    """The outcome of a run from this end to the other, and its metrics by name."""
    said = near("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", SENDER, json.dumps({"key": KEY} | params))
    outcome = msgspec.json.decode(said, type=Outcome)
    return outcome, {metric.name.removeprefix("stamp."): metric.value for metric in outcome.metrics}


@contextlib.contextmanager
def reflecting(far: Namespace, log: Path) -> Iterator[None]:
    argv = far.argv(sys.executable, "-c", REFLECTOR, KEY)
    with running(argv, ready=lambda: "ready" in log.read_text(), cwd=ROOT, log=log):
        yield


@pytest.fixture
def ends(tmp_path: Path) -> Iterator[tuple[Namespace, Namespace]]:
    """A sender's end and a reflector's, at 10.9.9.1 and 10.9.9.2."""
    need("ip", "nft", root=True)
    with namespaces("near", "far") as (near, far):
        cable(near, "eth0", far, "eth0")
        near.address("eth0", "10.9.9.1/24", "10.9.9.7/24")
        far.address("eth0", "10.9.9.2/24")
        with reflecting(far, tmp_path / "reflector.log"):
            yield near, far


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[Namespace, Link]]:
    """The same with a link emulator between them: the sender's end, and the link."""
    need("ip", root=True)
    with namespaces("near", "mid", "far") as (near, mid, far):
        cable(near, "eth0", mid, "a")
        cable(far, "eth0", mid, "b")
        near.address("eth0", "10.9.9.1/24")
        far.address("eth0", "10.9.9.2/24")
        mid.address("a")
        mid.address("b")
        with link(mid, "a", "b") as emulator, reflecting(far, tmp_path / "reflector.log"):
            yield near, emulator


def drop_a_fifth(where: Namespace) -> None:
    """Of the UDP that arrives here."""
    where(
        "nft",
        'table netdev f { chain i { type filter hook ingress device "eth0" priority 0; '
        "ip protocol udp numgen random mod 100 < 20 counter drop; }; }",
    )


def dropped(where: Namespace) -> int:
    said = json.loads(where("nft", "-j", "list", "table", "netdev", "f"))["nftables"]
    (rule,) = (one["rule"]["expr"] for one in said if "rule" in one)
    return next(int(part["counter"]["packets"]) for part in rule if "counter" in part)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "other", "words"),
    [("forward", "backward", "on the way there"), ("backward", "forward", "on the way back")],
)
def test_a_fifth_lost_one_way_is_seen_in_that_direction_and_no_other(
    ends: tuple[Namespace, Namespace], way: str, other: str, words: str
) -> None:
    near, far = ends
    where = far if way == "forward" else near
    drop_a_fifth(where)

    outcome, values = measure(near, count=500, spacing=0.002, wait=0.5, **{f"loss_{way}": {"warn": 5}})

    assert outcome.state is State.WARN
    assert outcome.reason == "loss"
    assert f"% lost {words}" in outcome.summary
    assert values["loss"] == 100 * dropped(where) / 500
    assert values[f"loss.{way}"] == pytest.approx(values["loss"], abs=3)  # but for those after the last that came back
    assert values[f"loss.{other}"] == 0


def test_traffic_of_the_source_alone_that_was_asked_for_is_cut(ends: tuple[Namespace, Namespace]) -> None:
    near, far = ends
    far(
        "nft",
        'table netdev f { chain i { type filter hook ingress device "eth0" priority 0; '
        "ip saddr 10.9.9.7 udp dport 862 drop; }; }",
    )
    quick = {"count": 5, "spacing": 0.01, "wait": 0.2}

    open_way, _ = measure(near, source="10.9.9.1", **quick)
    cut, _ = measure(near, source="10.9.9.7", **quick)

    assert (open_way.state, open_way.answered) == (State.OK, True)
    assert (cut.state, cut.reason, cut.answered) == (State.CRIT, "timeout", False)


@pytest.mark.slow
def test_loss_and_delay_are_measured_as_the_link_was_told(line: tuple[Namespace, Link]) -> None:
    near, emulator = line
    run: dict[str, Any] = {"count": 2000, "spacing": 0.004, "wait": 0.5}
    _, bare = measure(near, count=200, spacing=0.004)

    before = emulator.shape(forward=Shape(delay=0.02, loss=5))
    _, there = measure(near, **run)
    between = emulator.shape(backward=Shape(delay=0.02, loss=5))
    _, back = measure(near, **run)
    after = emulator.shape()

    for values, way, other in ((there, "forward", "backward"), (back, "backward", "forward")):
        assert values[f"loss.{way}"] == pytest.approx(5, abs=1)
        assert values[f"loss.{other}"] == pytest.approx(0, abs=0.1)
        # Two namespaces, a relay and a busy machine have a round trip of their own, beside the delay.
        assert values["rtt.median"] - bare["rtt.median"] == pytest.approx(0.020, abs=0.0005)
        assert values["rtt.min"] == pytest.approx(0.020, abs=0.0005)
    # What the link lost is what was measured, to the packet.
    lost = between.forward.lost - before.forward.lost
    assert there["loss"] == pytest.approx(100 * lost / 2000, abs=0.1)
    lost = after.backward.lost - between.backward.lost
    assert back["loss"] == pytest.approx(100 * lost / 2000, abs=0.1)
    # The way that takes longer moves the clocks' offset, of which there is none, by half of the difference.
    assert (there["offset"], back["offset"]) == pytest.approx((0.010, -0.010), abs=0.0005)
    assert there["offset.uncertainty"] == pytest.approx(0.010, abs=0.0005)


@pytest.mark.slow
def test_jitter_is_measured_in_the_direction_that_has_it(line: tuple[Namespace, Link]) -> None:
    near, emulator = line
    emulator.shape(backward=Shape(delay=0.02, jitter=0.006))

    _, values = measure(near, count=400, spacing=0.01, wait=0.5)

    assert values["jitter.backward"] == pytest.approx(0.004, abs=0.0015)  # of ±6 ms, two differ by a third of 12
    assert values["jitter.forward"] < 0.0015
    assert values["reordered"] > 0
    assert values["loss"] == 0
