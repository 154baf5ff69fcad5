"""What is said before a packet leaves."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError
from checks.wan import CHECK


async def refused(target: str, *, allowed: str = "", **params: Any) -> tuple[str, str]:
    networks = (ipaddress.ip_network(allowed),) if allowed else ()
    with pytest.raises(ObserverError) as caught:
        await CHECK.run(Target("n", target), params_of(CHECK, params), Context(SystemClock(), 5.0, {}, networks))
    return caught.value.reason, caught.value.summary


async def test_a_run_that_leaves_no_time_for_the_rest_is_the_plan_s_fault() -> None:
    reason, summary = await refused("127.0.0.1", count=30)
    assert reason == "bad-params"
    assert summary == (
        "check wan: 30 packets 0.1 s apart take more than half of the 4.5 s that a deadline of 5 s leaves: "
        "send fewer, or give the job more time"
    )


async def test_an_empty_target_is_refused() -> None:
    assert (await refused(""))[1] == "target '': expected the host name or address of the line's far end"


async def test_an_mtu_that_ipv6_does_not_have_is_refused() -> None:
    said = await refused("::1", mtu={"expected": 1000})
    assert said == ("bad-params", "check wan: mtu.expected is 1000, and IPv6 needs 1280 (RFC 8200, section 5)")


async def test_a_source_of_another_family_is_refused() -> None:
    said = await refused("::1", source="127.0.0.1")
    assert said == ("bad-params", "check wan: source 127.0.0.1: ::1 has no address of that IP version")


async def test_neither_target_nor_reflector_may_be_outside_of_what_the_agent_may_talk_to() -> None:
    assert (await refused("127.0.0.1", allowed="10.0.0.0/8"))[0] == "not-allowed"
    assert (await refused("127.0.0.1", allowed="127.0.0.1/32", reflector="127.0.0.2"))[0] == "not-allowed"
