from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from checks.contract import Clock, Context
from checks.errors import ObserverError, TargetError
from checks.snmp import mib
from checks.snmp.reader import Access, Value
from checks.wan.access import Load, measure
from checks.wan.params import AccessInterface


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> int:
        return int(self.seconds * 1000)

    def monotonic(self) -> float:
        return self.seconds


class Router:
    """An SnmpReader over a table that a test changes; it counts its requests."""

    counter64 = True
    faults: frozenset[str] = frozenset()
    round_trip: float | None = 0.001

    def __init__(self) -> None:
        self.rows: dict[str, Value] = {mib.SYS_UP_TIME: 100_000}
        self.requests = 0
        self.silent = False

    def put(self, index: int, name: str, **columns: Value) -> None:
        row: dict[str, Value] = {"IF_NAME": name.encode(), "IF_DESCR": f"port {name}".encode(), "IF_OPER_STATUS": 1}
        for column, value in (row | columns).items():
            self.rows[f"{getattr(mib, column)}.{index}"] = value

    def begin(self) -> None:
        pass

    async def end(self) -> None:
        return

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        self.requests += 1
        if self.silent:
            raise TargetError("timeout", "r1: no answer")
        return {oid: self.rows[oid] for oid in oids if oid in self.rows}

    async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        self.requests += 1
        for oid, value in self.rows.items():
            if oid.startswith(f"{column}."):
                yield oid, value


class Bench:
    """A router, a clock, and a job's memory."""

    def __init__(self) -> None:
        self.router = Router()
        self.time = Time()
        self.memory: dict[str, Any] = {}
        self.sessions: list[Access] = []

    def engine(self, access: Access, _: Clock) -> Router:
        self.sessions.append(access)
        return self.router

    async def load(self, **wanted: Any) -> Load:
        interface = AccessInterface(**({"router": "10.58.1.1", "name": "ge0/0"} | wanted))
        return await measure(interface, Context(self.time, 10.0, self.memory), 5.0, self.engine)

    def later(self, seconds: float) -> None:
        self.time.seconds += seconds
        up_time = self.router.rows[mib.SYS_UP_TIME]
        assert isinstance(up_time, int)
        self.router.rows[mib.SYS_UP_TIME] = up_time + round(seconds * 100)


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.router.put(3, "ge0/0", IF_HC_IN_OCTETS=0, IF_HC_OUT_OCTETS=0, IF_HIGH_SPEED=1000)
    made.router.put(4, "ge0/1", IF_HC_IN_OCTETS=7, IF_HC_OUT_OCTETS=7, IF_HIGH_SPEED=1000)
    return made


async def test_load_is_told_in_percent_of_the_contract_each_way(bench: Bench) -> None:
    assert (await bench.load(capacity=20e6)).utilization == {}
    bench.later(10)
    bench.router.put(3, "ge0/0", IF_HC_IN_OCTETS=12_500_000, IF_HC_OUT_OCTETS=24_000_000, IF_HIGH_SPEED=1000)

    load = await bench.load(capacity=20e6)

    assert load.utilization == pytest.approx({"ifInUtilization": 50.0, "ifOutUtilization": 96.0})
    assert load.rates["ifOutBits"] == pytest.approx(19.2e6)


async def test_without_a_contract_the_router_s_own_speed_is_the_capacity(bench: Bench) -> None:
    assert (await bench.load()).capacity == 1e9
    assert (await bench.load(name="", index=4)).interface.name == "ge0/1"


async def test_a_known_interface_is_one_request_of_a_session_that_is_kept(bench: Bench) -> None:
    await bench.load()
    before = bench.router.requests
    bench.later(60)
    await bench.load()

    assert bench.router.requests == before + 1
    assert len(bench.sessions) == 1


async def test_an_interface_that_got_another_index_is_found_again(bench: Bench) -> None:
    await bench.load()
    bench.router.put(3, "tunnel1", IF_HC_IN_OCTETS=0, IF_HC_OUT_OCTETS=0)
    bench.router.put(9, "ge0/0", IF_HC_IN_OCTETS=0, IF_HC_OUT_OCTETS=0, IF_HIGH_SPEED=100)
    bench.later(60)

    assert (await bench.load()).interface.index == 9


async def test_an_interface_may_be_called_by_its_description(bench: Bench) -> None:
    assert (await bench.load(name="port ge0/1")).interface.index == 4


async def test_a_counter_that_began_anew_makes_no_rate(bench: Bench) -> None:
    bench.router.put(3, "ge0/0", IF_HC_IN_OCTETS=10**9, IF_HC_OUT_OCTETS=10**9)
    await bench.load()
    bench.later(60)
    bench.router.put(3, "ge0/0", IF_HC_IN_OCTETS=10**3, IF_HC_OUT_OCTETS=2 * 10**9)

    assert (await bench.load()).rates.keys() == {"ifOutBits"}


async def test_a_device_without_64_bits_is_read_with_32(bench: Bench) -> None:
    bench.router.put(5, "fe0", IF_IN_OCTETS=2**32 - 1000, IF_OUT_OCTETS=0, IF_SPEED=10_000_000)
    await bench.load(name="fe0")
    bench.later(10)
    bench.router.put(5, "fe0", IF_IN_OCTETS=249_000, IF_OUT_OCTETS=0, IF_SPEED=10_000_000)

    assert (await bench.load(name="fe0")).rates["ifInBits"] == pytest.approx(200_000)


async def test_a_name_that_no_interface_has_is_answered_with_the_nearest(bench: Bench) -> None:
    with pytest.raises(ObserverError) as caught:
        await bench.load(name="ge0/9")

    assert caught.value.summary == "10.58.1.1: no interface is called 'ge0/9': did you mean 'ge0/1'?"


async def test_an_index_that_is_not_there_is_told(bench: Bench) -> None:
    with pytest.raises(ObserverError, match=r"10\.58\.1\.1: no interface has ifIndex 77: correct the index"):
        await bench.load(name="", index=77)


async def test_a_session_that_failed_is_not_used_again(bench: Bench) -> None:
    bench.router.silent = True
    with pytest.raises(TargetError):
        await bench.load()
    bench.router.silent = False
    await bench.load()

    assert len(bench.sessions) == 2


@pytest.mark.parametrize(("oper", "down"), [(1, False), (2, True), (7, True), (4, False)])
async def test_an_interface_is_down_when_the_router_says_so(bench: Bench, oper: int, down: bool) -> None:
    bench.router.put(3, "ge0/0", IF_OPER_STATUS=oper)
    assert (await bench.load()).down is down
