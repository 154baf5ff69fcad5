"""How full pools are, as told by a device over UDP and by sockets that stay silent."""

from __future__ import annotations

import asyncio
import re
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pysnmp.proto import rfc1902  # type: ignore[import-untyped]  # pysnmp ships no types

from checks.contract import Context, SystemClock, params_of
from checks.dhcp import usage
from checks.dhcp.check import CHECK
from checks.dhcp.pool import Pool, Pools
from checks.errors import ObserverError
from checks.findings import Finding
from checks.model import State
from collector.demo.responder import Moment, Oid, View, respond

WINDOWS = (1, 3, 6, 1, 4, 1, 311, 1, 3, 2, 1, 1)
CISCO = (1, 3, 6, 1, 4, 1, 9, 10, 102, 1, 4, 3, 1)
H3C = (1, 3, 6, 1, 4, 1, 25506, 2, 101, 2, 6, 1)


@asynccontextmanager
async def device(numbers: Mapping[Oid, int]) -> AsyncIterator[str]:
    """An SNMPv2c agent on loopback that shows these counters; its address."""
    view = View({oid: rfc1902.Counter32(value) for oid, value in numbers.items()})
    loop = asyncio.get_running_loop()

    def answer() -> None:
        asked, whom = sock.recvfrom(65_535)
        now = time.time_ns() // 1_000_000
        sock.sendto(respond(asked, b"public", view, Moment(now, now)) or b"", whom)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        loop.add_reader(sock, answer)
        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}"
        finally:
            loop.remove_reader(sock)


async def told(limit: float = 5.0, **values: Any) -> Pools:
    return await usage.read(params_of(CHECK, values), Context(SystemClock(), 10.0, {}), limit)


async def test_the_scopes_of_a_windows_server_are_pools() -> None:
    scope = (10, 61, 3, 0)
    async with device({(*WINDOWS, 2, *scope): 18, (*WINDOWS, 3, *scope): 216, (*WINDOWS, 4, *scope): 0}) as address:
        pools = await told(pools={"address": address})
    assert pools == Pools([Pool("10.61.3.0", 234, 18)], [])


async def test_the_scopes_of_a_recorded_windows_server_are_all_read(shared: Path) -> None:
    """The recording hides a byte of each address; any will do in its place."""
    recorded = (shared / "librenms" / "snmprec" / "windows_svr_2019_1809.snmprec").read_text(encoding="latin-1")
    prefix = ".".join(map(str, WINDOWS))
    rows = re.findall(rf"^({re.escape(prefix)}\.[\d.x]+)\|65\|(\d+)$", recorded, re.MULTILINE)
    numbers = {tuple(map(int, oid.replace("xx", "61").split("."))): int(value) for oid, value in rows}
    async with device(numbers) as address:
        pools = await told(pools={"address": address})
    assert [(pool.subnet, pool.used, pool.total) for pool in pools.known] == [
        ("10.61.0.32", 0, 6),
        ("10.61.0.48", 0, 9),
        ("10.61.14.0", 2, 234),
        ("10.61.40.0", 0, 490),
        ("10.61.74.0", 18, 234),
    ]


async def test_the_ranges_of_a_cisco_router_are_pools() -> None:
    ends = (10, 61, 3, 50, 10, 61, 3, 99)
    async with device({(*CISCO, 3, *ends): 24, (*CISCO, 4, *ends): 49, (*CISCO, 5, *ends): 1}) as address:
        pools = await told(pools={"address": address})
    assert pools == Pools([Pool("10.61.3.50-10.61.3.99", 50, 49)], [])


async def test_the_pools_of_an_h3c_router_have_names() -> None:
    name = (6, *b"UBND-1")
    async with device({(*H3C, 7, *name): 100, (*H3C, 8, *name): 100, (*H3C, 8, 9, 65): 3}) as address:
        pools = await told(pools={"address": address})
    assert pools == Pools([Pool("UBND-1", 100, 100)], [])
    assert pools.known[0].full


async def test_only_the_pools_that_are_named_are_looked_at() -> None:
    scopes: dict[Oid, int] = {(*WINDOWS, column, 10, 61, third, 0): 5 for column in (2, 3) for third in (3, 4)}
    async with device(scopes) as address:
        pools = await told(pools={"address": address, "only": ["10.61.4.0"]})
    assert pools.known == [Pool("10.61.4.0", 10, 5)]


async def test_a_device_without_such_tables_is_told_apart_from_one_without_leases() -> None:
    async with device({(1, 3, 6, 1, 2, 1, 1, 3, 0): 1}) as address:
        pools = await told(pools={"address": address})
    assert pools.troubles == [
        Finding(
            State.UNKNOWN,
            "snmp",
            f"{address} answers to SNMP, but shows no DHCP pools: "
            "expected rows of DHCP-MIB, CISCO-IETF-DHCP-SERVER-MIB, HH3C-DHCP-SERVER-MIB; "
            "turn the MIB on, or widen the view of this community or user on the device",
        )
    ]


async def test_a_device_that_is_silent_is_given_up_in_time() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        pools = await told(0.1, pools={"address": f"127.0.0.1:{silent.getsockname()[1]}"})
    assert [(one.state, one.reason) for one in pools.troubles] == [(State.UNKNOWN, "snmp")]
    assert "no answer to SNMPv2c in 2 tries of 0.04 s" in pools.troubles[0].text


async def test_a_kea_that_is_silent_is_given_up_and_the_others_are_heard(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "kea"))
        server.listen()  # and never accepts
        pools = await told(0.05, kea_socket=str(tmp_path / "kea"), kea6_socket=str(tmp_path / "none"))
    assert [one.text for one in pools.troubles] == [
        f"Kea at {tmp_path}/kea does not tell its pools within 0.05 s",
        f"Kea at {tmp_path}/none cannot be asked: no such socket",
    ]


async def test_nobody_is_asked_who_is_not_named() -> None:
    assert await told() == Pools([], [])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Object missing required field `address` at `pools`"),
        ({"address": "dc1", "version": "3"}, "version '3' needs a user"),
        ({"address": "dc1", "user": "monitor"}, "user, auth and priv are of SNMPv3"),
    ],
)
def test_how_to_talk_to_a_device_must_go_together(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, {"pools": values})
    assert words in caught.value.summary
