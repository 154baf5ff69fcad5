"""The agent's own reflector, against the sessions of real agents on loopback."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agent.reflecting import Reflecting
from checks.model import Reflect, State
from checks.stamp.datagram import SteadyClock
from checks.stamp.kept import read
from checks.stamp.packet import Sent, write_sent
from tests.agent.test_beats import KEY, beat, keeping_up
from tests.agent.waiting import eventually
from tests.peers import free_port

HOUR = 3600 * 10**9


@contextlib.asynccontextmanager
async def reflecting(kept: Path, port: int, key: str = KEY) -> AsyncIterator[Reflecting]:
    own = Reflecting(kept)
    own.adopt(Reflect(f"127.0.0.1:{port}", {7: key}))
    try:
        yield own
    finally:
        await own.close()


async def test_an_agent_reflects_what_the_plan_names_and_by_new_keys_from_the_next_plan_on(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    own = Reflecting(tmp_path / "kept")
    own.adopt(Reflect(f"127.0.0.1:{port}", {7: "old"}))
    try:
        async with keeping_up(beat(port)) as (_, spool):
            await eventually(lambda: (State.CRIT, True) in spool.said)
            own.adopt(Reflect(f"127.0.0.1:{port}", {7: KEY}))
            await eventually(lambda: spool.said[-1][0] is State.OK)
            own.adopt(None)
            await eventually(lambda: spool.said[-1][0] is State.CRIT)
    finally:
        await own.close()


async def test_an_address_that_is_not_there_yet_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("agent.reflecting.AGAIN_AFTER", 0.01)
    own = Reflecting(tmp_path / "kept")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]
        own.adopt(Reflect(f"127.0.0.1:{port}", {7: KEY}))
        await eventually(lambda: "STAMP packets are not reflected at" in caplog.text)
    try:
        async with keeping_up(beat(port)) as (_, spool):
            await eventually(lambda: spool.said and spool.said[-1][0] is State.OK)
    finally:
        await own.close()
    assert caplog.text.count("are not reflected at") == 1


async def replayed(own: Reflecting, port: int, packet: bytes) -> bool:
    """Whether a packet is dropped as a recording, and not answered."""
    before = own.counters.reflected, own.counters.replayed
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:

        def arrived() -> bool:
            client.sendto(packet, ("127.0.0.1", port))  # until the reflector is open
            return (own.counters.reflected, own.counters.replayed) != before

        await eventually(arrived)
    return own.counters.reflected == before[0]


@pytest.mark.parametrize("killed", [True, False], ids=["after a kill", "after a stop"])
async def test_what_was_recorded_before_a_restart_is_not_answered_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: bool
) -> None:
    monkeypatch.setattr("agent.reflecting.KEEP_EVERY", 0.01)
    kept, port = tmp_path / "kept", free_port(socket.SOCK_DGRAM)
    recorded = [write_sent(Sent(n, (100 + n) << 32, 1, 7), KEY.encode()) for n in range(5)]
    async with reflecting(kept, port) as own:
        assert not await replayed(own, port, recorded[0])
        await eventually(lambda: kept.exists() and 7 in read(kept.read_bytes()))
        as_killed = kept.read_bytes()
        assert not await replayed(own, port, recorded[1])
    if killed:
        kept.write_bytes(as_killed)

    async with reflecting(kept, port) as own:
        assert await replayed(own, port, recorded[0])
        assert await replayed(own, port, recorded[1])
        assert not await replayed(own, port, recorded[4])
    assert kept.stat().st_mode & 0o777 == 0o600


async def test_with_another_key_the_number_is_another_agent_s(tmp_path: Path) -> None:
    port = free_port(socket.SOCK_DGRAM)
    async with reflecting(tmp_path / "kept", port) as own:
        assert not await replayed(own, port, write_sent(Sent(0, 2**40, 1, 7), KEY.encode()))
        own.adopt(Reflect(f"127.0.0.1:{port}", {7: "another"}))
        assert not await replayed(own, port, write_sent(Sent(0, 1, 1, 7), b"another"))


async def test_a_file_that_is_none_is_told_of_and_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    kept, port = tmp_path / "kept", free_port(socket.SOCK_DGRAM)
    kept.write_bytes(b"\xc1 damaged")
    async with reflecting(kept, port) as own:
        assert "recorded packets may be answered" in caplog.text
        assert not await replayed(own, port, write_sent(Sent(0, 1, 1, 7), KEY.encode()))
    assert b"damaged" not in kept.read_bytes()


async def test_an_agent_whose_clock_steps_by_an_hour_is_answered_again_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = 0
    monkeypatch.setattr("agent.beats.SteadyClock", lambda: SteadyClock(wall=lambda: time.time_ns() + ahead))
    monkeypatch.setattr("agent.reflecting.PATIENCE", 0.2)
    port = free_port(socket.SOCK_DGRAM)
    async with reflecting(tmp_path / "kept", port) as own:

        async def answered() -> None:
            target = own.counters.reflected + 10
            await eventually(lambda: own.counters.reflected >= target)

        async with keeping_up(beat(port)) as (_, spool):
            await answered()
            ahead = HOUR
            await eventually(lambda: own._reflector is not None and own._reflector.sessions == 2)
            await answered()
            assert own.counters.replayed == 0
            assert {state for state, _ in spool.said} <= {State.OK}

            ahead = 0  # set right again, as by NTP
            await eventually(lambda: own.counters.replayed > 0)
            await answered()

        ahead = -HOUR  # set wrong while the agent was off
        refused = own.counters.replayed
        async with keeping_up(beat(port)):
            await eventually(lambda: own.counters.replayed > refused)
            await answered()
