from __future__ import annotations

import ipaddress
import types
from typing import Any

import pytest

from checks.errors import ObserverError
from checks.net.local import fault_towards, judge, leaving

LOOPBACK = ipaddress.ip_address("127.0.0.1")


def judged(own: str, *, up: bool) -> ObserverError | None:
    states: dict[str, Any] = {"eth0": types.SimpleNamespace(isup=up)}
    addresses = {"eth0": [types.SimpleNamespace(address=one) for one in ("10.9.0.2", "fe80::1%eth0")]}
    return judge(own, states, addresses)


def test_packets_leave_by_the_route_or_from_the_source_that_is_asked_for() -> None:
    assert leaving(LOOPBACK, None) == "127.0.0.1"
    assert leaving(LOOPBACK, ipaddress.ip_address("127.0.0.7")) == "127.0.0.7"


def test_to_where_a_route_leads_by_an_interface_with_a_link_something_can_have_left() -> None:
    assert fault_towards(LOOPBACK) is None


def test_a_source_of_another_host_is_told() -> None:
    with pytest.raises(ObserverError) as caught:
        leaving(LOOPBACK, ipaddress.ip_address("192.0.2.9"))
    assert caught.value.reason == "no-address"


@pytest.mark.parametrize("own", ["10.9.0.2", "fe80::1"])
def test_an_interface_without_a_link_is_this_host_s_fault(own: str) -> None:
    fault = judged(own, up=False)
    assert fault is not None
    assert (fault.reason, f"with {own}, has no link" in fault.summary) == ("interface-down", True)


def test_an_interface_that_is_up_or_unknown_is_no_fault() -> None:
    assert judged("10.9.0.2", up=True) is None
    assert judged("10.9.0.99", up=False) is None
