from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.contract import Context, Target, params_of
from checks.errors import CheckError
from checks.model import Outcome, State
from checks.ntp.check import CHECK
from checks.stamp.timestamp import ntp
from tests.checks.answering import answering
from tests.checks.directory import directory
from tests.checks.plugins import plugin
from tests.chrony import chronyd
from tests.peers import free_port

SECOND = 1_000_000_000


@dataclasses.dataclass(frozen=True)
class Server:
    port: int

    async def ask(self, ctx: Context | None = None, **params: Any) -> Outcome:
        target = Target("n", f"time.example:{self.port}")
        return await CHECK.run(target, params_of(CHECK, params), ctx or directory("127.0.0.1"))


@pytest.fixture
def synchronised(tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    with chronyd(tmp_path, port, "local stratum 3"):
        yield Server(port)


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Server]:
    """A server that has no source of time."""
    port = free_port()
    with chronyd(tmp_path, port):
        yield Server(port)


@pytest.mark.peer
async def test_a_server_of_our_own_time_is_well(synchronised: Server) -> None:
    outcome = await synchronised.ask()
    assert (outcome.state, outcome.answered, outcome.reason) == (State.OK, True, "")
    assert outcome.summary == f"time.example:{synchronised.port}: gives the time"
    metrics = {metric.name: metric.value for metric in outcome.metrics}
    assert abs(metrics["ntp.offset"]) <= metrics["ntp.delay"] / 2 + 0.001
    assert (metrics["ntp.stratum"], metrics["ntp.leap"], metrics["ntp.reach"]) == (3, 0, 100)
    assert metrics["ntp.root.distance"] >= metrics["ntp.delay"] / 2


@pytest.mark.peer
async def test_it_agrees_with_the_plug_in_of_nagios(synchronised: Server) -> None:
    _, theirs = await plugin("check_ntp_time", "-H", "127.0.0.1", "-p", str(synchronised.port))
    said = re.match(r"NTP OK: Offset (\S+) secs", theirs)
    assert said, theirs
    ours = {metric.name: metric.value for metric in (await synchronised.ask()).metrics}["ntp.offset"]
    assert ours == pytest.approx(float(said[1]), abs=0.01)


@pytest.mark.peer
async def test_a_server_without_a_source_has_no_time_to_give(lost: Server) -> None:
    outcome = await lost.ask()
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "unsynchronised", True)
    assert outcome.summary.endswith(": is not synchronised: it has no time to give")


@pytest.mark.peer
async def test_a_stratum_beyond_what_is_good_is_a_warning(synchronised: Server) -> None:
    outcome = await synchronised.ask(stratum=2)
    assert (outcome.state, outcome.reason) == (State.WARN, "stratum")


def server(
    *, ahead: float = 0.0, stratum: int = 1, reference: bytes = b"GPS\0", dispersion: int = 0
) -> Callable[[int, bytes], list[bytes]]:
    """One whose clock is wrong, or that will not serve: a reply by RFC 5905, figure 8."""

    def answer(_: int, data: bytes) -> list[bytes]:
        stamp = ntp(time.time_ns() + int(ahead * SECOND)).to_bytes(8)
        head = bytes((0x24, stratum, 0, 0)) + bytes(4) + dispersion.to_bytes(4) + reference
        return [head + stamp + data[40:48] + stamp + stamp]

    return answer


@pytest.mark.parametrize(
    ("ahead", "state", "words"),
    [
        (0.2, State.OK, "gives the time"),
        (3, State.WARN, "its clock is 3 s ahead of this agent's"),
        (-3600, State.CRIT, "its clock is 3.6e+03 s behind this agent's"),
    ],
)
async def test_a_clock_that_differs_is_said_to(ahead: float, state: State, words: str) -> None:
    async with answering(server(ahead=ahead)) as port:
        outcome = await Server(port).ask()
    assert (outcome.state, outcome.reason) == (state, "" if state is State.OK else "offset")
    assert outcome.summary == f"time.example:{port}: {words}"
    assert outcome.facts == {"clock": "GPS"}


async def test_a_server_that_has_long_not_heard_its_source_is_a_warning() -> None:
    async with answering(server(dispersion=2 << 16)) as port:
        outcome = await Server(port).ask()
    assert (outcome.state, outcome.reason) == (State.WARN, "distance")


@pytest.mark.parametrize(
    ("code", "state", "reason", "words"),
    [
        (b"RATE", State.UNKNOWN, "rate-limited", "says that it is asked too often: lengthen the interval"),
        (b"DENY", State.CRIT, "kiss-of-death", "denies us the time (kiss-o'-death DENY)"),
        (b"CRYP", State.CRIT, "kiss-of-death", "sends us away (kiss-o'-death CRYP)"),
    ],
)
async def test_a_kiss_of_death_is_told_by_its_code(code: bytes, state: State, reason: str, words: str) -> None:
    async with answering(server(stratum=0, reference=code)) as port:
        with pytest.raises(CheckError) as caught:
            await Server(port).ask()
    assert (caught.value.state, caught.value.reason, caught.value.answered) == (state, reason, True)
    assert caught.value.summary == f"time.example:{port}: {words}"


async def test_a_server_that_has_just_begun_has_no_time_to_give() -> None:
    async with answering(server(stratum=0, reference=b"INIT")) as port:
        outcome = await Server(port).ask()
    assert (outcome.state, outcome.reason) == (State.CRIT, "unsynchronised")


async def test_the_reachability_is_that_of_the_last_eight_polls() -> None:
    ctx = directory("127.0.0.1", timeout=0.1)
    async with answering(lambda _count, _data: []) as port:
        for _ in range(2):
            with pytest.raises(CheckError):
                await Server(port).ask(ctx)
    ctx = dataclasses.replace(ctx, timeout=5.0)
    reached = []
    async with answering(server()) as port:
        for _ in range(9):
            outcome = await Server(port).ask(ctx)
            reached.append({metric.name: metric.value for metric in outcome.metrics}["ntp.reach"])
    assert reached[0] == pytest.approx(100 / 3)
    assert reached[5:] == [75.0, 87.5, 100.0, 100.0]
