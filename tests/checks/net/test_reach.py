from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from checks import tcp
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError, TargetError, from_os_error
from checks.model import Metric, Outcome, State
from checks.net import reach
from tests.checks.directory import directory

BOTH = ("127.0.0.1", "::1")


@contextlib.asynccontextmanager
async def listening(*addresses: str) -> AsyncIterator[int]:
    """A port where something accepts at these addresses of loopback."""
    async with contextlib.AsyncExitStack() as stack:
        port = 0
        for address in addresses:
            server = await asyncio.start_server(lambda _, writer: writer.close(), address, port)
            await stack.enter_async_context(server)
            port = server.sockets[0].getsockname()[1]
        yield port


async def look(port: int, ctx: Context, **params: Any) -> Outcome:
    return await tcp.run(Target("n", f"portal.example:{port}"), params_of(tcp.CHECK, params), ctx)


async def test_both_families_are_measured_and_told_apart() -> None:
    async with listening(*BOTH) as port:
        outcome = await look(port, directory(*BOTH), family="both")
    assert (outcome.state, outcome.answered) == (State.OK, True)
    assert outcome.summary == f"portal.example:{port}: accepts connections, over IPv4 and IPv6"
    assert {metric.instance for metric in outcome.metrics} == {"v4", "v6"}
    assert outcome.facts == {"v4.address": "127.0.0.1", "v6.address": "::1"}


@pytest.mark.parametrize(("alive", "reason"), [("127.0.0.1", "v6-down"), ("::1", "v4-down")])
async def test_one_family_that_is_down_while_the_other_serves_is_a_warning(alive: str, reason: str) -> None:
    async with listening(alive) as port:
        outcome = await look(port, directory(*BOTH), family="both")
    assert (outcome.state, outcome.reason, outcome.answered) == (State.WARN, reason, True)
    assert outcome.summary == (
        f"portal.example:{port}: down over IP{reason[:2]}: connection refused: nothing listens there"
    )
    assert {metric.instance for metric in outcome.metrics} == {"v4", "v6"} - {reason[:2]}


async def test_down_over_both_is_critical_for_its_own_reason() -> None:
    async with listening("127.0.0.1") as port:
        pass
    outcome = await look(port, directory(*BOTH), family="both")
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "refused", False)
    assert "over IPv4: " in outcome.summary
    assert "over IPv6: " in outcome.summary


async def test_a_family_can_be_asked_for_alone() -> None:
    async with listening("::1") as port:
        assert (await look(port, directory(*BOTH), family="v6")).facts == {"address": "::1"}
        with pytest.raises(TargetError, match=r"connection refused"):
            await look(port, directory(*BOTH), family="v4")


async def test_a_name_without_an_address_of_the_family_says_so() -> None:
    async with listening("127.0.0.1") as port:
        with pytest.raises(TargetError, match=r"^portal\.example: the name has no IPv6 address$") as caught:
            await look(port, directory("127.0.0.1"), family="v6")
        outcome = await look(port, directory("127.0.0.1"), family="both")
    assert caught.value.reason == "no-address-record"
    assert (outcome.state, outcome.reason) == (State.WARN, "v6-down")


async def test_an_address_of_the_other_family_is_a_fault_of_the_topology() -> None:
    with pytest.raises(ObserverError) as caught:
        await tcp.run(Target("n", "127.0.0.1:1"), tcp.TcpParams(family="v6"), Context(SystemClock(), 5, {}))
    assert caught.value.reason == "bad-target"


async def test_a_family_that_hangs_does_not_take_the_other_with_it() -> None:
    async def hang(ctx: Context) -> Outcome:
        if (await ctx.resolve("x"))[0].version == 6:
            await asyncio.Event().wait()
        return Outcome(State.OK, "x: well", answered=True)

    outcome = await reach.by_family("both", "x", directory(*BOTH, timeout=0.2), hang)
    assert (outcome.state, outcome.reason) == (State.WARN, "v6-down")


def test_a_family_that_we_cannot_look_at_leaves_the_whole_unknown() -> None:
    well = Outcome(State.OK, "x: well", answered=True)
    blind = from_os_error(OSError(101, "no route"), "x").outcome()
    outcome = reach.merged("x", {"v4": well, "v6": blind})
    assert (outcome.state, outcome.reason, outcome.answered) == (State.UNKNOWN, "no-route", True)
    assert outcome.summary == "x: over IPv6: this agent has no route to the target's network"


def test_down_over_the_one_family_that_could_be_looked_at_is_down() -> None:
    down = TargetError("refused", "x: connection refused").outcome()
    blind = ObserverError("no-route", "x: no route").outcome()
    outcome = reach.merged("x", {"v4": down, "v6": blind})
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "refused", False)


def test_what_is_slow_over_one_family_is_said_of_that_one() -> None:
    metrics = (Metric("t", 1.0, "s"), Metric("p", 1.0, "s", "dns"))
    well = Outcome(State.OK, "x: well", answered=True, metrics=metrics)
    slow = Outcome(State.WARN, "x: slow", "slow", answered=True)
    outcome = reach.merged("x", {"v4": well, "v6": slow})
    assert (outcome.state, outcome.reason, outcome.summary) == (State.WARN, "slow", "x: over IPv6: slow")
    assert [metric.instance for metric in outcome.metrics] == ["v4", "v4/dns"]


async def test_each_family_remembers_its_own_level() -> None:
    ctx = directory(*BOTH)
    async with listening(*BOTH) as port:
        await look(port, ctx, family="both", levels={"warn": 9})
    assert ctx.memory.keys() == {"v4", "v6"}
    assert all(memory["levels"] for memory in ctx.memory.values())


async def test_a_bug_over_one_family_is_not_taken_for_an_outage() -> None:
    async def broken(ctx: Context) -> Outcome:
        raise KeyError("oops")

    with pytest.raises(ExceptionGroup):
        await reach.by_family("both", "x", directory(*BOTH), broken)
