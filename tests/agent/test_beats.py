"""The sessions of a plan, against real reflectors on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
from collections.abc import AsyncIterator, Iterator

import msgspec
import pytest

from agent.beats import Beats
from checks.contract import SystemClock
from checks.model import Beat, Job, Measurement, State
from checks.stamp.reflector import Counters, Reflector, open_reflector
from tests.agent.waiting import eventually
from tests.peers import free_port

KEY = "a key of 64 digits"
SPACING = 0.02


@dataclasses.dataclass
class Spool:
    """What was reported."""

    rows: list[tuple[Measurement, bool]] = dataclasses.field(default_factory=list)

    def __call__(self, measurement: Measurement, changed: bool) -> None:
        self.rows.append((measurement, changed))

    @property
    def said(self) -> list[tuple[State, bool]]:
        return [(measurement.outcome.state, changed) for measurement, changed in self.rows]


def beat(port: int, label: str = "centre", **params: object) -> Beat:
    job = Job(
        "d1",
        "stamp",
        label,
        f"127.0.0.1:{port}",
        0.4,
        0.2,
        0.2,
        {"spacing": SPACING, "wait": 0.05, "key": KEY} | params,
    )
    return Beat(job, 7)


@contextlib.asynccontextmanager
async def keeping_up(*beats: Beat) -> AsyncIterator[tuple[Beats, Spool]]:
    spool = Spool()
    kept = Beats("d1", SystemClock(), spool)
    kept.adopt(beats)
    try:
        yield kept, spool
    finally:
        await kept.close()


@contextlib.contextmanager
def reflecting(port: int = 0, key: str = KEY) -> Iterator[Reflector]:
    reflector = open_reflector("127.0.0.1", port, lambda *_: key.encode())
    try:
        yield reflector
    finally:
        reflector.close()


async def test_a_session_tells_each_interval_how_its_line_is() -> None:
    with reflecting() as reflector:
        async with keeping_up(beat(reflector.address[1])) as (_, spool):
            await eventually(lambda: len(spool.rows) >= 3)

    assert spool.said[:3] == [(State.OK, False)] * 3
    first, second = (measurement for measurement, _ in spool.rows[1:3])
    assert (first.job, first.outcome.answered) == ("d1/stamp/centre", True)
    assert 0.39 <= first.duration < 5
    assert first.at < second.at
    values = {metric.name: metric.value for metric in second.outcome.metrics}
    assert values["stamp.rtt.median"] < 0.1
    assert {"stamp.loss.forward", "stamp.loss.backward", "stamp.offset"} <= values.keys()


async def test_a_line_that_dies_and_lives_again_is_told_of_at_once() -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with keeping_up(beat(port)) as (_, spool):
        with reflecting(port):
            await eventually(lambda: spool.rows)
        await eventually(lambda: (State.CRIT, True) in spool.said)
        with reflecting(port):
            await eventually(lambda: spool.said[-1] == (State.OK, True) or spool.said[-2:-1] == [(State.OK, True)])

    down = next(measurement.outcome for measurement, changed in spool.rows if changed)
    assert (down.reason, down.answered, [m.value for m in down.metrics]) == ("refused", False, [100.0])
    times = [measurement.at for measurement, _ in spool.rows]
    assert times == sorted(times)


async def test_a_reflector_with_another_key_is_no_life() -> None:
    with reflecting(key="another") as reflector:
        async with keeping_up(beat(reflector.address[1])) as (_, spool):
            await eventually(lambda: spool.rows)

    assert spool.said[0] == (State.CRIT, True)
    assert spool.rows[0][0].outcome.reason == "timeout"
    assert reflector.counters.forged > 0
    assert reflector.counters.reflected == 0


async def test_a_new_plan_swaps_what_changed_and_leaves_the_rest_undisturbed() -> None:
    with reflecting() as kept, reflecting() as gone, reflecting() as fresh:
        stays = beat(kept.address[1])
        async with keeping_up(stays, beat(gone.address[1], "parent")) as (beats, _):
            await eventually(lambda: kept.counters.reflected and gone.counters.reflected)
            same = msgspec.json.decode(msgspec.json.encode(stays), type=Beat)
            beats.adopt([same, beat(fresh.address[1], "parent")])
            before = dataclasses.replace(gone.counters)
            await eventually(lambda: fresh.counters.reflected > 3)
            assert beats.jobs == ["d1/stamp/centre", "d1/stamp/parent"]
            beats.adopt([])
            assert beats.jobs == []

    assert kept.sessions == 1
    assert gone.counters.reflected - before.reflected <= 1  # one may have been under way


async def test_what_cannot_be_sent_is_the_observer_s_fault_and_tried_again() -> None:
    with reflecting() as reflector:
        async with keeping_up(beat(reflector.address[1], source="192.0.2.1")) as (_, spool):
            await eventually(lambda: spool.rows)
        async with keeping_up(beat(reflector.address[1], typo=1)) as (_, other):
            await eventually(lambda: other.rows)

    assert (spool.said[0], spool.rows[0][0].outcome.reason) == ((State.UNKNOWN, True), "no-address")
    assert (other.said[0], other.rows[0][0].outcome.reason) == ((State.UNKNOWN, True), "bad-params")


async def test_a_session_counts_over_sockets_that_have_to_be_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.beats.FRESH_SOCKET_EVERY", 3 * SPACING)
    port = free_port(socket.SOCK_DGRAM)
    async with keeping_up(beat(port)) as (_, spool):
        await eventually(lambda: (State.CRIT, True) in spool.said)
        with reflecting(port) as reflector:
            await eventually(lambda: spool.said[-1][0] is State.OK)
            await eventually(lambda: reflector.counters.reflected > 5)

    assert reflector.counters.reflected > reflector.sessions >= 1


async def test_a_closed_session_sends_no_more() -> None:
    with reflecting() as reflector:
        async with keeping_up(beat(reflector.address[1])) as _:
            await eventually(lambda: reflector.counters.reflected)
        before = reflector.counters.reflected
        await asyncio.sleep(5 * SPACING)

    assert reflector.counters == Counters(reflected=before)
