from __future__ import annotations

import asyncio

import psutil
import pytest

from checks.contract import Context, SystemClock, params_of
from checks.dhcp import child
from checks.dhcp.answers import Question
from checks.dhcp.check import CHECK, fetch
from checks.dhcp.interface import Interface
from checks.errors import ObserverError
from tests.peers import need

LOOPBACK = Interface("lo", bytes(6), "")
SILENT = child.Asking(bytes.fromhex("02000000000a"), b"", b"", 30.0)


def children() -> list[psutil.Process]:
    return psutil.Process().children()


@pytest.mark.root
async def test_a_run_that_is_cancelled_leaves_no_child() -> None:
    need(root=True)
    before = children()
    run = asyncio.create_task(child.probe(LOOPBACK, SILENT, 60.0))
    while children() == before:  # noqa: ASYNC110 - nothing tells of a child's start
        await asyncio.sleep(0)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert children() == before


@pytest.mark.root
async def test_a_child_that_takes_too_long_is_killed_and_the_host_blamed() -> None:
    need(root=True)
    before = children()
    with pytest.raises(ObserverError) as caught:
        await child.probe(LOOPBACK, SILENT, 0.1)
    assert children() == before
    assert (caught.value.reason, caught.value.summary) == (
        "probe-slow",
        "lo: the probe of 30 s did not end within 0.1 s: this host is overloaded, or give the job more time",
    )


async def test_a_window_that_does_not_fit_into_the_deadline_is_the_plan_s_fault() -> None:
    params = params_of(CHECK, {"window": 10})
    with pytest.raises(ObserverError) as caught:
        await fetch(LOOPBACK, Question(bytes(6), 1, 1), params, Context(SystemClock(), 10.0, {}))
    assert caught.value.summary == (
        "check dhcp: a window of 10 s does not fit into a deadline of 10 s: listen shorter, or give the job more time"
    )


@pytest.mark.root
async def test_an_interface_that_went_away_is_the_observer_s_fault() -> None:
    need(root=True)
    with pytest.raises(ObserverError) as caught:
        await child.probe(Interface("gone0", bytes(6), ""), SILENT, 30.0)
    assert caught.value.summary == "gone0: No such device"
