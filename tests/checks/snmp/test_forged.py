"""SNMPv3 protects only if the answers are verified: nothing that somebody on the way forges is read."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import pytest

from checks.contract import SystemClock
from checks.errors import TargetError
from checks.snmp import mib
from checks.snmp.gufo_reader import GufoReader
from tests.acceptance import ber
from tests.acceptance.responder import serving
from tests.checks.snmp.forging import FORGERIES, STALE, Forger, Parts, as_forger, make
from tests.checks.snmp.reading import access


class Router:
    """A device that only has a name."""

    def get(self, name: ber.Oid) -> bytes:
        return ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.tlv(4, b"r1"))

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        return name, ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.END_OF_VIEW)


@contextlib.asynccontextmanager
async def line() -> AsyncIterator[tuple[Forger, GufoReader]]:
    """A reader that has heard the device already, so that it knows its engine and time."""
    async with serving(Router(), make) as (device, port):
        reader = GufoReader(access(port, timeout=0.1), SystemClock())
        assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"r1"}
        yield as_forger(device), reader


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_no_answer_is_read_that_is(forgery: str) -> None:
    async with line() as (device, reader):
        device.forgery = FORGERIES[forgery]
        reader.begin()
        with pytest.raises(TargetError) as caught:
            await reader.get([mib.SYS_NAME])
    assert (caught.value.reason, caught.value.answered) == ("forged", False)
    assert caught.value.summary == (
        f"r1:{reader.access.port}: answers came, but none with the signature of user 'monitor': "
        "somebody on the way forges them, or the device does not sign what it answers"
    )


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_the_true_answer_is_read_behind_one_that_is(forgery: str) -> None:
    async with line() as (device, reader):
        device.forgery, device.truth_follows = FORGERIES[forgery], True
        assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"r1"}
        assert reader.faults == {"forged"}


@pytest.mark.parametrize("forgery", STALE)
async def test_what_was_signed_long_ago_is_not_read(forgery: str) -> None:
    async with line() as (device, reader):
        device.forgery, device.truth_follows = STALE[forgery], True
        assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"r1"}
        device.truth_follows = False
        with pytest.raises(TargetError) as caught:
            await reader.get([mib.SYS_NAME])
    assert caught.value.reason == "timeout"
    assert reader.faults == set()


async def test_an_answer_that_was_recorded_is_no_answer_to_another_request() -> None:
    recorded: list[bytes] = []

    def the_first(true: Parts, _: bytes) -> bytes:
        recorded.append(true.encoded())
        return recorded[0]

    async with line() as (device, reader):
        device.forgery = the_first
        assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"r1"}
        with pytest.raises(TargetError) as caught:
            await reader.get([mib.SYS_NAME])
    assert caught.value.reason == "timeout"
    assert reader.faults == set()
