"""A link of a real device goes down: its trap, the poll that it causes, and the measurement."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from pathlib import Path

import pytest

from agent.runner import Runner
from agent.schedule import Schedule, drive
from agent.traps import Traps
from checks.contract import SystemClock
from checks.model import Job, Measurement, State
from checks.registry import find
from tests.agent.waiting import eventually
from tests.checks.snmp.devices import device_in_namespace
from tests.peers import free_port, need

SENDS_TRAPS = """
rocommunity internal 127.0.0.1
createUser internal
rouser internal noauth
iquerySecName internal
trap2sink {{here}}:{port} public
notificationEvent down .1.3.6.1.6.3.1.1.5.3 .1.3.6.1.2.1.2.2.1.1 .1.3.6.1.2.1.2.2.1.8
monitor -r 1 -u internal -e down "a link is down" .1.3.6.1.2.1.2.2.1.8 == 2
"""
"""As linkUpDownNotifications does, but every second."""


class SmallAgent:
    """The parts of an agent between a trap and a measurement."""

    def __init__(self, poll: Job, listen: str) -> None:
        self.clock = SystemClock()
        self.runner = Runner(find, self.clock)
        self.schedule = Schedule("bk", self.clock.monotonic())
        self.schedule.replace([poll], self.clock.monotonic())
        self.wake = asyncio.Event()
        self.measured: list[Measurement] = []
        self.traps = Traps(self.clock, lambda one, _: self.measured.append(one), self.poll_now)
        self.traps.adopt(Job("bk", "trap", "receiver", listen, 60.0, 10.0, 20.0), [poll])
        self.runs: set[asyncio.Task[None]] = set()

    def poll_now(self, job: str) -> None:
        self.schedule.hasten(job, self.clock.monotonic())
        self.wake.set()

    def launch(self, job: Job) -> None:
        run = asyncio.create_task(self.run(job))
        self.runs.add(run)
        run.add_done_callback(self.runs.discard)

    async def run(self, job: Job) -> None:
        started = self.clock.monotonic()
        self.measured.append(measurement := await self.runner.run(job))
        self.schedule.done(job.id, measurement.outcome.state, started, self.clock.monotonic())
        self.wake.set()

    def last(self, job: str) -> Measurement | None:
        return next((one for one in reversed(self.measured) if one.job == job), None)

    def fact(self, job: str, name: str) -> str:
        last = self.last(job)
        return last.outcome.facts.get(name, "") if last else ""

    def state(self, job: str) -> State | None:
        last = self.last(job)
        return last.outcome.state if last else None


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.slow
async def test_a_link_that_goes_down_is_crit_long_before_it_would_have_been_polled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    need("snmpd", "ip", root=True)
    port = free_port(socket.SOCK_DGRAM)
    with device_in_namespace(tmp_path, SENDS_TRAPS.format(port=port)) as device:
        poll = Job("bk", "snmp", "router", device.address, 3600.0, 10.0, 1200.0, {"require_up": ["lan0"]})
        agent = SmallAgent(poll, f"0.0.0.0:{port}")
        driving = asyncio.create_task(drive(agent.schedule, agent.clock, agent.wake, agent.launch))
        try:
            await eventually(lambda: agent.state("bk/snmp/router") is State.OK, 20.0)
            await eventually(lambda: agent.state("bk/trap/receiver") is State.OK, 20.0)
            device.ip("link", "set", "dev", "lan0", "down")
            cut = time.monotonic()
            await eventually(lambda: agent.state("bk/snmp/router") is State.CRIT, 30.0)
            took = time.monotonic() - cut
            await eventually(lambda: agent.fact("bk/trap/receiver", "trap bk/router").startswith("linkDown"), 10.0)
        finally:
            driving.cancel()
            await asyncio.gather(driving, return_exceptions=True)
            await agent.traps.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*agent.runs), 5.0)
    last = agent.last("bk/snmp/router")
    assert last is not None
    assert last.outcome.reason in ("interface-down", "interface-disabled")
    with capsys.disabled():
        print(f"\nlink down → trap → poll → CRIT in {took:.1f} s, at a poll every 3600 s")
