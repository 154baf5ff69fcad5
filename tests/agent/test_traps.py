"""The receiver of SNMP notifications, and Debian's snmptrap and snmpinform."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import psutil
import pytest

from agent.traps import Traps
from checks.contract import SystemClock
from checks.model import Job, Measurement, State
from tests.agent.waiting import eventually
from tests.peers import free_port, need, which

V3 = {
    "version": "3",
    "user": "monitor",
    "auth": "sha256",
    "auth_key": "authpass123",
    "priv": "aes128",
    "priv_key": "privpass123",
}
V3_ARGUMENTS = (
    "-v3",
    "-l",
    "authPriv",
    "-u",
    "monitor",
    "-a",
    "SHA-256",
    "-A",
    "authpass123",
    "-x",
    "AES",
    "-X",
    "privpass123",
)
LINK_DOWN = ("1.3.6.1.6.3.1.1.5.3", "1.3.6.1.2.1.2.2.1.1.3", "i", "3", "1.3.6.1.2.1.2.2.1.2.3", "s", "lan0")


def snmp(label: str, address: str = "127.0.0.1", **params: Any) -> Job:
    return Job("bk", "snmp", label, address, 60.0, 10.0, 20.0, params)


class Centre:
    """What the receiver reports, and which jobs it has run."""

    def __init__(self) -> None:
        self.measurements: list[Measurement] = []
        self.at_once: list[bool] = []
        self.polled: list[str] = []

    def report(self, measurement: Measurement, at_once: bool) -> None:
        self.measurements.append(measurement)
        self.at_once.append(at_once)

    @property
    def last(self) -> Measurement:
        return self.measurements[-1]

    def fact(self, name: str) -> str:
        return self.last.outcome.facts.get(name, "") if self.measurements else ""

    def metric(self, name: str) -> float:
        return next((m.value for m in self.last.outcome.metrics if m.name == name), 0.0) if self.measurements else 0.0


@contextlib.asynccontextmanager
async def receiving(*polls: Job, port: int | None = None, interval: float = 60.0) -> AsyncIterator[tuple[Centre, int]]:
    port = port or free_port(socket.SOCK_DGRAM)
    centre = Centre()
    traps = Traps(SystemClock(), centre.report, centre.polled.append)
    traps.adopt(Job("bk", "trap", "receiver", f"127.0.0.1:{port}", interval, 10.0, 20.0), polls)
    try:
        await eventually(lambda: bool(centre.measurements) and not centre.last.outcome.summary.endswith(" yet"), 15.0)
        yield centre, port
    finally:
        await traps.close()
    assert receivers() == []


def receivers() -> list[psutil.Process]:
    return [one for one in psutil.Process().children() if "trap_child" in " ".join(one.cmdline())]


async def send(
    program: str, port: int, *arguments: str, trap: tuple[str, ...] = LINK_DOWN, version1: bool = False
) -> int:
    """Exit status of snmptrap or snmpinform."""
    named = ("1.3.6.1.6.3.1.1.5", "127.0.0.1", "2", "0", "", *trap[1:]) if version1 else ("", *trap)
    process = await asyncio.create_subprocess_exec(
        which(program) or program, *arguments, "-r", "1", "-t", "2", f"127.0.0.1:{port}", *named,
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    return await process.wait()


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "arguments", "params"),
    [
        ("snmptrap", ("-v1", "-c", "public"), {"version": "1"}),
        ("snmptrap", ("-v2c", "-c", "public"), {}),
        ("snmptrap", (*V3_ARGUMENTS, "-e", "0x8000000001020304"), V3),
        ("snmpinform", ("-v2c", "-c", "public"), {}),
        ("snmpinform", V3_ARGUMENTS, V3),
    ],
    ids=["trap v1", "trap v2c", "trap v3", "inform v2c", "inform v3"],
)
async def test_a_notification_is_an_event_at_once_and_has_the_device_polled(
    program: str, arguments: tuple[str, ...], params: dict[str, Any]
) -> None:
    need(program)
    async with receiving(snmp("router", **params)) as (centre, port):
        assert centre.fact("trap bk/router") == "none yet"
        assert await send(program, port, *arguments, version1="-v1" in arguments) == 0  # an inform was acknowledged
        await eventually(lambda: bool(centre.polled), 15.0)
        await eventually(lambda: centre.fact("trap bk/router") != "none yet", 15.0)
        assert centre.polled == ["bk/snmp/router"]
        assert re.fullmatch(r"linkDown lan0 at 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ", centre.fact("trap bk/router"))
        assert (centre.last.job, centre.last.outcome.state, centre.at_once[-1]) == ("bk/trap/receiver", State.OK, True)


@pytest.mark.peer
@pytest.mark.slow
async def test_what_shows_other_credentials_than_the_device_is_polled_with_is_not_taken() -> None:
    need("snmptrap")
    async with receiving(snmp("router", **V3), snmp("switch", "192.0.2.1", community="public"), interval=0.2) as (
        centre,
        port,
    ):
        engine = ("-e", "0x8000000001020304")
        await send("snmptrap", port, "-v2c", "-c", "public")  # the switch's, but from another address
        await send("snmptrap", port, "-v3", "-l", "noAuthNoPriv", "-u", "monitor", *engine)
        wrong = [word.replace("authpass123", "wrongpass1") for word in V3_ARGUMENTS]
        await send("snmptrap", port, *wrong, *engine)
        await send("snmptrap", port, *V3_ARGUMENTS, *engine)
        await eventually(lambda: bool(centre.polled), 15.0)
        await eventually(lambda: centre.metric("traps.received") == 1, 15.0)
        assert centre.polled == ["bk/snmp/router"]
        assert centre.metric("traps.refused") >= 1


@pytest.mark.slow
async def test_a_flood_is_dropped_and_counted_and_one_measurement_tells_of_many() -> None:
    need("snmptrap")
    async with receiving(snmp("router"), interval=0.5) as (centre, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as capture:
            capture.bind(("127.0.0.1", 0))
            await send("snmptrap", capture.getsockname()[1], "-v2c", "-c", "public")
            datagram = capture.recv(65_535)
            for _ in range(40):
                for _ in range(50):
                    capture.sendto(datagram, ("127.0.0.1", port))
                await asyncio.sleep(0.03)  # the kernel's buffer is not what is tested
        await eventually(lambda: centre.metric("traps.dropped") > 500, 15.0)
        assert any(m.outcome.reason == "flood" for m in centre.measurements)
        assert centre.metric("traps.received") < 600
        assert len(centre.measurements) < 40


@pytest.mark.slow
async def test_an_address_that_is_taken_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        async with receiving(snmp("router"), port=other.getsockname()[1]) as (centre, port):
            outcome = centre.last.outcome
    assert (outcome.state, outcome.reason) == (State.UNKNOWN, "not-listening")
    assert f"127.0.0.1:{port}" in outcome.summary


async def test_nothing_runs_where_the_plan_does_not_ask_for_it() -> None:
    traps = Traps(SystemClock(), Centre().report, lambda _: None)
    traps.adopt(None, [snmp("router")])
    assert (traps.jobs, receivers()) == ([], [])
    await traps.close()
