"""Devices that answer wrongly, on real UDP: every read ends, in time, in values or in an error that names the fault."""

from __future__ import annotations

import asyncio
import functools
import random
import time
from collections.abc import Callable, Sequence
from typing import cast

import pytest

from checks.contract import SystemClock
from checks.errors import CheckError, TargetError
from checks.snmp import mib
from checks.snmp.gufo_reader import GufoReader
from checks.snmp.reader import MAX_ROWS
from tests.acceptance import ber
from tests.acceptance.responder import Responder, View, response, serving
from tests.checks.snmp.devices import poll
from tests.checks.snmp.reading import access

TABLE = (1, 3, 6, 1, 2, 1, 2, 2, 1, 2)


class Column:
    """A device with one column of names, in the order that ``follow`` says."""

    def __init__(self, follow: Callable[[int], int] = lambda index: index + 1, rows: int = 60) -> None:
        self._follow, self._rows = follow, rows

    def get(self, name: ber.Oid) -> bytes:
        return ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.tlv(4, b"x"))

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        index = self._follow(name[-1]) if name[:-1] == TABLE else 1
        if name > (*TABLE, 2**31) or index > self._rows:
            return name, ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.END_OF_VIEW)
        return (*TABLE, index), self.get((*TABLE, index))


class Sending(Responder):
    """A device of which ``send`` decides what goes out in place of an answer."""

    def __init__(self, view: View, send: Callable[[bytes], Sequence[bytes]]) -> None:
        super().__init__(view)
        self._send = send

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.requests += 1
        answer = self.answer(data)
        assert answer is not None
        assert self._transport is not None
        for datagram in self._send(answer):
            self._transport.sendto(datagram, addr)


def sending(send: Callable[[bytes], Sequence[bytes]]) -> Callable[[View], Responder]:
    return functools.partial(Sending, send=send)


async def walked(reader: GufoReader) -> list[int]:
    return [int(oid.rpartition(".")[2]) async for oid, _ in reader.walk(".".join(map(str, TABLE)))]


def broken(answer: bytes, chance: random.Random) -> bytes:
    """An answer with some octets changed, inserted or cut off."""
    octets = bytearray(answer)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(octets))
        match chance.randrange(3):
            case 0:
                octets[at] = chance.randrange(256)
            case 1:
                octets[at:at] = bytes((chance.choice((0, 1, 4, 0x30, 0x80, 0x84, 0xFF)),))
            case 2:
                del octets[max(at, 1) :]
    return bytes(octets)


@pytest.mark.slow
async def test_broken_answers_end_in_values_or_in_an_error_of_ours() -> None:
    chance = random.Random(4)
    ends: set[str] = set()
    async with serving(Column(), sending(lambda answer: (broken(answer, chance),))) as (_, port):
        for turn in range(600):
            reader = GufoReader(access(port, version="2c", timeout=0.01, retries=0), SystemClock())
            try:
                _ = await walked(reader) if turn % 2 else await reader.get([mib.SYS_NAME, mib.SYS_DESCR])
            except CheckError as error:
                ends.add(error.reason)
            else:
                ends.add("values")
    assert ends >= {"values", "malformed", "timeout"}
    assert ends <= {"values", "malformed", "timeout", "access-denied"}


async def test_an_answer_that_is_cut_off_is_malformed_wherever_it_ends() -> None:
    cut = 0
    async with serving(Column(), sending(lambda answer: (answer[:cut],))) as (_, port):
        for cut in range(1, 40):
            reader = GufoReader(access(port, version="2c", timeout=0.5, retries=0), SystemClock())
            with pytest.raises(TargetError) as caught:
                await reader.get([mib.SYS_NAME])
            assert (caught.value.reason, caught.value.answered) == ("malformed", True), cut


async def test_an_answer_that_comes_twice_is_read_once() -> None:
    async with serving(Column(), sending(lambda answer: (answer, answer))) as (_, port):
        reader = GufoReader(access(port, version="2c"), SystemClock())
        assert await walked(reader) == list(range(1, 61))
        assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"x"}
        assert reader.faults == set()


async def test_an_answer_from_another_address_is_not_read() -> None:
    loop = asyncio.get_running_loop()
    device = Responder(Column())
    elsewhere, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=("127.0.0.1", 0))

    class Asked(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            elsewhere.sendto(device.answer(data) or b"", addr)

    asked, _ = await loop.create_datagram_endpoint(Asked, local_addr=("127.0.0.1", 0))
    try:
        port = asked.get_extra_info("sockname")[1]
        reader = GufoReader(access(port, version="2c", retries=0), SystemClock())
        with pytest.raises(TargetError) as caught:
            await reader.get([mib.SYS_NAME])
    finally:
        asked.close()
        elsewhere.close()
    assert (caught.value.reason, caught.value.answered) == ("timeout", False)


class Flood(asyncio.DatagramProtocol):
    """Once asked, it sends answers to somebody else's request without end."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, _data: bytes, addr: tuple[str, int]) -> None:
        self._pour(addr)

    def _pour(self, addr: tuple[str, int]) -> None:
        other = ber.tlv(ber.SEQUENCE, ber.integer(1) + ber.tlv(4, b"public") + response(1, []))
        for _ in range(20):
            self._transport.sendto(other, addr)
        asyncio.get_running_loop().call_later(0.001, self._pour, addr)


async def test_a_flood_of_answers_to_others_does_not_lengthen_the_wait() -> None:
    loop = asyncio.get_running_loop()
    flood, _ = await loop.create_datagram_endpoint(Flood, local_addr=("127.0.0.1", 0))
    try:
        port = flood.get_extra_info("sockname")[1]
        begin = time.monotonic()
        with pytest.raises(TargetError) as caught:
            await GufoReader(access(port, version="2c", timeout=0.2), SystemClock()).get([mib.SYS_NAME])
        took = time.monotonic() - begin
    finally:
        flood.close()
    assert caught.value.reason == "timeout"
    assert 0.4 <= took < 3.0


@pytest.mark.parametrize(
    ("follow", "rows", "found", "faults"),
    [
        (lambda index: index % 5 + 1, 60, 5, {"loop", "unsorted"}),
        (lambda index: index, 60, 1, {"duplicates", "loop"}),
        (lambda index: index + 1, 2**31, MAX_ROWS, {"endless"}),
        (lambda index: index + 1, 60, 60, set()),
    ],
    ids=["a circle", "one row again and again", "no end", "as it should be"],
)
async def test_a_walk_ends_whatever_the_device_does(
    follow: Callable[[int], int], rows: int, found: int, faults: set[str]
) -> None:
    async with serving(Column(follow, rows)) as (device, port):
        reader = GufoReader(access(port, version="2c", timeout=1.0), SystemClock())
        assert len(await walked(reader)) == found
        assert reader.faults - {"unsorted"} == faults - {"unsorted"}
        assert device.requests <= found / 20 + 12


async def test_values_of_the_wrong_type_are_no_bug_of_ours() -> None:
    chance = random.Random(7)
    kinds = [
        ber.tlv(4, b"\xff\x00text"), ber.integer(-1), ber.integer(2**40, 0x46), ber.oid((1, 3, 6, 1)),
        ber.tlv(0x40, b"\x0a\x00\x00\x01"), ber.tlv(5, b""), ber.integer(2**31, 0x43), ber.tlv(4, b""),
        ber.tlv(0x44, b"\x9f\x78\x04\x42\xf6\x00\x00"), ber.NO_SUCH_INSTANCE,
    ]  # fmt: skip

    class Muddle(Column):
        def get(self, name: ber.Oid) -> bytes:
            return ber.tlv(ber.SEQUENCE, ber.oid(name) + chance.choice(kinds))

    ends: set[str] = set()
    async with serving(Muddle(rows=5)) as (_, port):
        for _ in range(20):
            try:
                outcome = await poll(f"127.0.0.1:{port}", profile="standard", retries=0)
            except TargetError as error:
                ends.add(error.reason)
            else:
                assert outcome.answered
    assert ends <= {"no-system-group", "malformed"}
