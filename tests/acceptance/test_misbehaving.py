"""Devices that break the protocol, on real UDP: read as far as they can be, in bounded time, and said to misbehave."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome, State
from checks.snmp import CHECK, SnmpParams
from tests.acceptance import ber
from tests.acceptance.responder import Responder, View, response, serving

SYSTEM: Final = "1.3.6.1.2.1.1"
IF_DESCR, IF_OPER, IF_NAME = "1.3.6.1.2.1.2.2.1.2", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.31.1.1.1.1"
BGP_STATE: Final = "1.3.6.1.2.1.15.3.1.2"


def oid(text: str) -> ber.Oid:
    return tuple(map(int, text.split(".")))


class Listing:
    """A device that answers in the order in which its variables are listed, whatever their names."""

    def __init__(self, variables: Mapping[str, bytes]) -> None:
        self.values = {oid(name): value for name, value in variables.items()}
        self.names = list(self.values)

    def get(self, name: ber.Oid) -> bytes:
        return ber.tlv(ber.SEQUENCE, ber.oid(name) + self.values.get(name, ber.NO_SUCH_INSTANCE))

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        following = self.following(name)
        if following is None:
            return name, ber.tlv(ber.SEQUENCE, ber.oid(name) + ber.END_OF_VIEW)
        return following, self.get(following)

    def following(self, name: ber.Oid) -> ber.Oid | None:
        if name in self.values:
            place = self.names.index(name) + 1
            return self.names[place] if place < len(self.names) else None
        return next((one for one in self.names if one > name), None)


def device(*indexes: int) -> dict[str, bytes]:
    """A system group, interfaces in this order, and a BGP peer."""
    octets = {f"{SYSTEM}.1.0": b"a device", f"{SYSTEM}.5.0": b"r1"}
    octets |= {f"{column}.{i}": b"eth%d" % i for column in (IF_DESCR,) for i in indexes}
    variables = {name: ber.tlv(ber.OCTETS, value) for name, value in octets.items()}
    variables |= {f"{SYSTEM}.3.0": ber.integer(123456, 0x43)}
    variables |= {f"{IF_OPER}.{i}": ber.integer(1) for i in indexes}
    variables |= {f"{BGP_STATE}.10.0.0.1": ber.integer(6)}
    return dict(sorted(variables.items(), key=lambda item: (oid(item[0])[:10], list(variables).index(item[0]))))


async def polled(view: View, make: Callable[[View], Responder] = Responder, **params: Any) -> tuple[Outcome, int]:
    """What the check says of a device, and in how many requests."""
    async with serving(view, make) as (responder, port):
        ctx = Context(clock=SystemClock(), timeout=8.0, memory={})
        settings: dict[str, Any] = {"timeout": 0.1, "retries": 1, "max_repetitions": 5, **params}
        outcome = await CHECK.run(Target("x", f"127.0.0.1:{port}"), SnmpParams(**settings), ctx)
        return outcome, responder.requests


def interfaces(outcome: Outcome) -> set[str]:
    return {metric.instance for metric in outcome.metrics if metric.name == "ifOperStatus"}


def assert_whole(outcome: Outcome) -> None:
    assert (outcome.state, outcome.reason) == (State.OK, "")
    assert interfaces(outcome) == {"eth1", "eth2", "eth3", "eth10", "eth11"}
    assert outcome.facts["bgp 10.0.0.1"] == "established"


@pytest.mark.parametrize("version", ["1", "2c"])
async def test_rows_out_of_order_are_read(version: str) -> None:
    outcome, _ = await polled(Listing(device(1, 10, 11, 2, 3)), version=version)

    assert_whole(outcome)
    assert outcome.facts["quirks"] == "unsorted"


async def test_a_device_that_goes_round_in_a_circle_is_left_and_named() -> None:
    class Circle(Listing):
        def following(self, name: ber.Oid) -> ber.Oid | None:
            last = oid(f"{IF_DESCR}.11")
            return oid(f"{IF_DESCR}.1") if name == last else super().following(name)

    outcome, requests = await polled(Circle(device(1, 2, 3, 10, 11)))

    assert (outcome.state, outcome.reason) == (State.WARN, "misbehaves")
    assert interfaces(outcome) == {"eth1", "eth2", "eth3", "eth10", "eth11"}
    assert requests < 60


async def test_a_device_that_repeats_itself_is_left_and_named() -> None:
    class Stuck(Listing):
        def following(self, name: ber.Oid) -> ber.Oid | None:
            stuck = oid(f"{IF_DESCR}.2")
            return stuck if name == stuck else super().following(name)

    outcome, requests = await polled(Stuck(device(1, 2, 3)))

    assert (outcome.state, outcome.reason) == (State.WARN, "misbehaves")
    assert interfaces(outcome) == {"eth1", "eth2"}
    assert requests < 60


class ErrorOnBulk(Responder):
    """genErr, as agents answer that know no GETBULK."""

    status = 5

    def respond(self, kind: int, pdu: bytes) -> bytes:
        if kind != ber.BULK:
            return super().respond(kind, pdu)
        request, _, _, listed = ber.children(pdu)
        echo = [ber.tlv(ber.SEQUENCE, content) for _, content in ber.children(listed[1])]
        return response(ber.number(request[1]), echo, status=self.status)


class SilentOnBulk(Responder):
    def answer(self, data: bytes) -> bytes | None:
        _, message, _ = ber.read(data, 0)
        return None if ber.children(message)[2][0] == ber.BULK else super().answer(data)


@pytest.mark.parametrize("make", [ErrorOnBulk, SilentOnBulk])
async def test_a_device_without_getbulk_is_read_by_getnext(make: Callable[[View], Responder]) -> None:
    outcome, _ = await polled(Listing(device(1, 2, 3, 10, 11)), make)

    assert_whole(outcome)
    assert outcome.facts["quirks"] == "no-getbulk"


async def test_a_device_that_can_answer_little_at_a_time_is_asked_for_less() -> None:
    class TooBig(Responder):
        def respond(self, kind: int, pdu: bytes) -> bytes:
            request, _, _, listed = ber.children(pdu)
            if kind == ber.GET and len(ber.children(listed[1])) > 3:
                return response(ber.number(request[1]), [], status=1)
            return super().respond(kind, pdu)

    outcome, _ = await polled(Listing(device(1, 2, 3, 10, 11)), TooBig)

    assert_whole(outcome)


async def test_a_table_that_the_device_is_silent_about_costs_that_table_alone() -> None:
    class SilentOnLldp(Responder):
        def answer(self, data: bytes) -> bytes | None:
            return None if ber.oid(oid("1.0.8802.1.1.2.1.4.1.1.5"))[2:] in data else super().answer(data)

    async with serving(Listing(device(1, 2, 3, 10, 11)), SilentOnLldp) as (_, port):
        ctx = Context(clock=SystemClock(), timeout=8.0, memory={})
        params = SnmpParams(timeout=0.1, retries=1)
        await CHECK.run(Target("x", f"127.0.0.1:{port}"), params, ctx)
        assert "session" not in ctx.memory
        outcome = await CHECK.run(Target("x", f"127.0.0.1:{port}"), params, ctx)
        assert "session" in ctx.memory

    assert (outcome.state, outcome.reason) == (State.WARN, "misbehaves")
    assert outcome.summary == "r1: misbehaves: answers, but not about 1.0.8802.1.1.2.1.4.1.1.5"
    assert outcome.facts["bgp 10.0.0.1"] == "established"


async def test_a_table_without_end_does_not_hold_up_the_run() -> None:
    class Endless(Listing):
        def following(self, name: ber.Oid) -> ber.Oid | None:
            base = oid(BGP_STATE)
            if name[: len(base)] != base:
                return super().following(name)
            following = (*base, *(name[len(base) :] or (0,)), 1)[: len(base) + 1]
            number = name[-1] + 1 if len(name) == len(following) else 1
            self.values[*following[:-1], number] = ber.integer(6)
            return (*following[:-1], number)

    outcome, requests = await polled(Endless(device(1, 2, 3)), max_repetitions=50)

    assert outcome.reason == "misbehaves"
    assert interfaces(outcome) == {"eth1", "eth2", "eth3"}
    assert requests < 2000


async def test_values_of_the_wrong_type_are_left_out() -> None:
    variables = device(1, 2, 3, 10, 11)
    variables[f"{SYSTEM}.3.0"] = ber.tlv(ber.OCTETS, b"yesterday")
    variables[f"{SYSTEM}.2.0"] = ber.integer(7)
    variables[f"{BGP_STATE}.10.0.0.2"] = ber.tlv(ber.OCTETS, b"\xff\xfe")
    variables["1.3.6.1.2.1.25.3.3.1.2.1"] = ber.tlv(ber.OCTETS, b"busy")
    variables["1.3.6.1.2.1.25.3.3.1.2.2"] = ber.tlv(64, socket.inet_aton("10.0.0.1"))
    outcome, _ = await polled(Listing(dict(sorted(variables.items(), key=lambda item: oid(item[0])))))

    assert outcome.answered
    assert interfaces(outcome) == {"eth1", "eth2", "eth3", "eth10", "eth11"}
    assert not [metric for metric in outcome.metrics if metric.name in ("sysUpTime", "system.cpu.utilization")]
