"""Simulated routers on real sockets, asked by gufo-snmp and by Debian's net-snmp."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import socket
import time
from collections.abc import AsyncIterator

import pytest
from gufo.snmp import SnmpVersion
from gufo.snmp.aio import SnmpSession

from collector.demo.mib import RouterSpec, interfaces, kilometres, view
from collector.demo.routers import Routers, address_of
from tests.peers import free_port, need

UP_TIME = "1.3.6.1.2.1.1.3.0"
SYS_NAME = "1.3.6.1.2.1.1.5.0"
HC_IN = "1.3.6.1.2.1.31.1.1.1.6"
NOW = 1_770_000_000_000
SEED = 3


class HandClock:
    """A clock that goes when the test says so."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1000


def spec(place: int, port: int, *, distance: float = 0.0) -> RouterSpec:
    return RouterSpec(
        node=f"node-{place}",
        name=f"Xã số {place}",
        address=address_of(place, "127.78.0.0"),
        port=port,
        community="demo",
        lat=22.15,
        lon=105.83,
        distance=distance,
        parent="Huyện Ba Bể",
        tunnel=True,
    )


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def specs() -> list[RouterSpec]:
    port = free_port(socket.SOCK_DGRAM)
    return [spec(place, port) for place in range(3)]


@pytest.fixture
async def routers(specs: list[RouterSpec], clock: HandClock) -> AsyncIterator[Routers]:
    routers = Routers(specs, clock, SEED)
    await routers.open()
    yield routers
    await routers.close()


def session(of: RouterSpec, community: str = "demo", timeout: float = 5.0) -> SnmpSession:
    return SnmpSession(of.address, port=of.port, community=community, version=SnmpVersion.v2c, timeout=timeout)


async def net_snmp(program: str, *arguments: str) -> tuple[int, str]:
    """Exit status, and output with complaints."""
    environment = {"PATH": "/usr/bin:/bin", "MIBS": ""}
    process = await asyncio.create_subprocess_exec(
        program,
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def test_each_router_answers_at_its_own_address(routers: Routers, specs: list[RouterSpec]) -> None:
    names = [await session(one).get(SYS_NAME) for one in specs]
    assert names == [b"rt-node-0", b"rt-node-1", b"rt-node-2"]


async def test_counters_grow_with_the_clock_by_what_the_rate_says(
    routers: Routers, specs: list[RouterSpec], clock: HandClock
) -> None:
    wan = interfaces(specs[0], SEED)[1]
    client = session(specs[0])
    before = await client.get(f"{HC_IN}.{wan.index}")
    clock.at += 1000
    after = await client.get(f"{HC_IN}.{wan.index}")
    assert isinstance(before, int)
    assert isinstance(after, int)
    assert after - before == pytest.approx(wan.came.rate(NOW / 1000 + 0.5), rel=0.01)


async def test_a_stopped_router_is_silent_and_the_others_are_not(routers: Routers, specs: list[RouterSpec]) -> None:
    routers.stop("node-1")
    assert routers.stopped == {"node-1"}
    with pytest.raises(TimeoutError) as silence:
        await session(specs[1], timeout=0.2).get(UP_TIME)
    assert str(silence.value.__cause__) != "connection refused", "a dead router refuses nothing"
    assert await session(specs[2]).get(UP_TIME) is not None


async def test_a_router_started_again_counts_from_zero(
    routers: Routers, specs: list[RouterSpec], clock: HandClock
) -> None:
    client = session(specs[1])
    up_time = await client.get(UP_TIME)
    assert isinstance(up_time, int)
    assert up_time > 8_640_000, "it was there before the demonstration began"
    routers.stop("node-1")
    clock.at += 60_000
    routers.start("node-1")
    assert routers.stopped == set()
    assert await client.get_many([UP_TIME, f"{HC_IN}.2"]) == {UP_TIME: 0, f"{HC_IN}.2": 0}
    clock.at += 2_500
    assert await client.get(UP_TIME) == 250


async def test_the_wrong_community_meets_silence(routers: Routers, specs: list[RouterSpec]) -> None:
    with pytest.raises(TimeoutError):
        await session(specs[0], community="public", timeout=0.2).get(UP_TIME)


async def test_a_far_router_answers_later_than_a_near_one(clock: HandClock) -> None:
    port = free_port(socket.SOCK_DGRAM)
    near, far = spec(0, port, distance=0), spec(1, port, distance=80)
    routers = Routers([near, far], clock, SEED)
    await routers.open()

    async def fastest(one: RouterSpec) -> float:
        client, best = session(one), 1.0
        for _ in range(3):
            started = time.perf_counter()
            await client.get(UP_TIME)
            best = min(best, time.perf_counter() - started)
        return best

    assert await fastest(near) >= 0.002
    assert await fastest(far) >= 0.030
    await routers.close()


async def test_with_full_loss_nothing_is_answered(clock: HandClock) -> None:
    lossy = spec(0, free_port(socket.SOCK_DGRAM))
    routers = Routers([lossy], clock, SEED, loss=1.0)
    await routers.open()
    with pytest.raises(TimeoutError):
        await session(lossy, timeout=0.1).get(UP_TIME)
    await routers.close()


async def test_an_address_in_use_is_named_and_leaves_nothing_open(clock: HandClock) -> None:
    port = free_port(socket.SOCK_DGRAM)
    pair = [spec(0, port), spec(1, port)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((pair[1].address, port))
        with pytest.raises(OSError, match=re.escape(f"router node-1 at {pair[1].address}:{port}: ")):
            await Routers(pair, clock).open()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind((pair[0].address, port))


def test_two_routers_at_one_address_are_refused(clock: HandClock) -> None:
    twins = [spec(0, 16161), dataclasses.replace(spec(1, 16161), address="127.78.0.1")]
    with pytest.raises(
        ValueError, match=r"^simulated routers of 'node-0' and 'node-1' are both at 127\.78\.0\.1:16161: "
    ):
        Routers(twins, clock)


def test_a_node_without_a_router_is_answered_with_the_near_match(clock: HandClock) -> None:
    with pytest.raises(LookupError, match=r"^no simulated router of node 'nodee-0': did you mean 'node-0'\?$"):
        Routers([spec(0, 16161)], clock).stop("nodee-0")


def test_addresses_stay_off_0_and_255_and_are_all_different() -> None:
    addresses = [address_of(place) for place in range(1000)]
    assert addresses[0] == "127.77.0.1"
    assert addresses[200] == "127.77.1.1"
    assert len(set(addresses)) == 1000
    assert {int(address.rpartition(".")[2]) for address in addresses} == set(range(1, 201))


def test_from_bac_kan_to_hanoi_it_is_about_120_kilometres() -> None:
    assert kilometres((22.147, 105.834), (21.028, 105.854)) == pytest.approx(124.4, abs=1)


@pytest.mark.peer
async def test_net_snmp_walks_the_whole_router_in_order(routers: Routers, specs: list[RouterSpec]) -> None:
    need("snmpbulkwalk")
    where = f"{specs[0].address}:{specs[0].port}"
    status, output = await net_snmp("snmpbulkwalk", "-v2c", "-cdemo", "-Onq", "-t2", "-r0", "-Cc", where, ".1.3")
    assert status == 0, output
    walked = [tuple(map(int, line[1:].split(" ")[0].split("."))) for line in output.splitlines() if line[:2] == ".1"]
    names = view(specs[0], SEED).names
    assert tuple(walked[: len(names)]) == names
    assert walked == sorted(walked)


@pytest.mark.peer
async def test_net_snmp_gets_a_value_and_meets_silence_from_a_stopped_router(
    routers: Routers, specs: list[RouterSpec]
) -> None:
    need("snmpbulkwalk")
    where = f"{specs[0].address}:{specs[0].port}"
    get = ("snmpget", "-v2c", "-cdemo", "-Oqv", "-t0.3", "-r0", where)
    assert await net_snmp(*get, SYS_NAME) == (0, '"rt-node-0"\n')
    status, output = await net_snmp(*get, "1.3.6.1.4.1.9.1.0", f"{HC_IN}.77")
    assert status == 0
    assert "No Such Object" in output
    assert "No Such Instance" in output
    routers.stop("node-0")
    status, output = await net_snmp(*get, SYS_NAME)
    assert (status, output) == (1, f"Timeout: No Response from {where}.\n")
