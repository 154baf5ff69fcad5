from __future__ import annotations

import pytest

from collector.discovery.discover import is_same
from collector.discovery.found import Device


def device(*addresses: str) -> Device:
    return Device(
        address="10.58.1.1",
        kind="router",
        name="MikroTik",
        descr="RouterOS RB750Gr3",
        object_id="1.3.6.1.4.1.14988.1",
        profile="mikrotik",
        snmp={},
        addresses=addresses,
    )


@pytest.mark.parametrize("has_engine", [True, False])
def test_a_device_is_met_again_at_an_address_that_it_says_it_has(has_engine: bool) -> None:
    assert is_same(device("10.58.1.1", "10.70.1.2"), "10.70.1.2", has_engine)


@pytest.mark.parametrize("has_engine", [True, False])
def test_two_devices_of_a_model_that_were_never_named_are_two(has_engine: bool) -> None:
    assert not is_same(device("10.58.1.1"), "10.58.2.1", has_engine)


def test_where_a_device_does_not_tell_its_addresses_its_engine_does() -> None:
    assert is_same(device(), "10.70.1.2", True)
    assert not is_same(device(), "10.70.1.2", False)
