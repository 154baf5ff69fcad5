from __future__ import annotations

import ipaddress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.contract import Check, Context, Params, Secret, SystemClock, Target, host_port, params_of, shown
from checks.errors import ObserverError
from checks.model import Outcome, State


class DoorParams(Params, frozen=True):
    """Of a check for these tests."""

    colour: str = "green"
    height: float = 2.0
    password: Secret = ""
    old_password: Secret | None = None


async def knock(target: Target, params: DoorParams, ctx: Context) -> Outcome:
    return Outcome(State.OK, "open", answered=True)


CHECK = Check(name="door", about="a door", target="a door", params=DoorParams, run=knock)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"color": "red"}, "check door: unknown parameter 'color': did you mean 'colour'?"),
        (
            {"xyz": 1},
            "check door: unknown parameter 'xyz': known: colour, height, password, old_password",
        ),
        ({"height": "tall"}, "check door: Expected `float`, got `str` at `height`"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert (caught.value.reason, caught.value.summary) == ("bad-params", words)


def test_parameters_left_out_have_their_defaults() -> None:
    assert params_of(CHECK, {"height": 3}) == DoorParams(height=3.0)


def test_a_secret_is_never_shown() -> None:
    assert shown(DoorParams(password="hunter2", old_password="hunter1")) == {
        "colour": "green",
        "height": 2.0,
        "password": "***",
        "old_password": "***",
    }


@pytest.mark.parametrize(
    ("address", "default", "expected"),
    [
        ("a.example:80", None, ("a.example", 80)),
        ("[2001:db8::1]:80", None, ("2001:db8::1", 80)),
        ("a.example", 443, ("a.example", 443)),
        ("2001:db8::1", 443, ("2001:db8::1", 443)),
        ("[2001:db8::1]", 443, ("2001:db8::1", 443)),
    ],
)
def test_a_host_and_port_are_read(address: str, default: int | None, expected: tuple[str, int]) -> None:
    assert host_port(address, default) == expected


@pytest.mark.parametrize("address", ["a.example", ":80", "a.example:", "a.example:0", "a.example:65536", "a:b:c", ""])
def test_a_wrong_host_and_port_say_what_was_expected(address: str) -> None:
    with pytest.raises(ObserverError) as caught:
        host_port(address)
    assert caught.value.summary == f"target {address!r}: expected host:port with a port of 1 to 65535"


@given(st.text(max_size=30), st.none() | st.just(443))
def test_no_text_makes_host_port_fail_in_another_way(address: str, default: int | None) -> None:
    try:
        _, port = host_port(address, default)
    except ObserverError:
        return
    assert 0 < port < 65536


async def test_an_address_literal_resolves_to_itself() -> None:
    ctx = Context(SystemClock(), 1.0, {})
    assert await ctx.resolve("2001:db8::1") == [ipaddress.ip_address("2001:db8::1")]


async def test_a_name_resolves_to_what_is_allowed_of_it() -> None:
    everything = Context(SystemClock(), 1.0, {})
    v4_only = Context(SystemClock(), 1.0, {}, (ipaddress.ip_network("127.0.0.0/8"),))
    assert ipaddress.ip_address("127.0.0.1") in await everything.resolve("localhost")
    assert list(await v4_only.resolve("localhost")) == [ipaddress.ip_address("127.0.0.1")]


async def test_a_target_outside_the_allowed_prefixes_is_refused() -> None:
    ctx = Context(SystemClock(), 1.0, {}, (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8")))
    with pytest.raises(ObserverError) as caught:
        await ctx.resolve("192.0.2.1")
    assert (caught.value.reason, caught.value.summary) == (
        "not-allowed",
        (
            "192.0.2.1 is at 192.0.2.1, outside what this agent may talk to (10.0.0.0/8, fd00::/8): "
            "correct the topology, or allowed_prefixes in the agent's settings"
        ),
    )


def test_parameters_are_frozen() -> None:
    with pytest.raises(AttributeError):
        DoorParams().colour = "red"  # type: ignore[misc]  # that is the point
    assert msgspec.structs.replace(DoorParams(), colour="red").colour == "red"
