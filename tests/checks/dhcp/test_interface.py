from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from checks.dhcp.interface import Interface, choose
from checks.errors import ObserverError

UP = SimpleNamespace(isup=True, flags="up,broadcast,running,multicast")
STATES = {
    "lo": SimpleNamespace(isup=True, flags="up,loopback,running"),
    "eth0": UP,
    "eth1": SimpleNamespace(isup=False, flags="broadcast,multicast"),
    "eth2": SimpleNamespace(isup=False, flags="up,broadcast,multicast"),
    "wg0": SimpleNamespace(isup=True, flags="up,pointopoint,running"),
}


def entry(family: int, address: str) -> Any:
    return SimpleNamespace(family=family, address=address)


ADDRESSES = {
    "lo": [entry(psutil.AF_LINK, "00:00:00:00:00:00")],
    "eth0": [
        entry(socket.AF_INET, "10.61.3.9"),
        entry(socket.AF_INET6, "2001:db8::9"),
        entry(socket.AF_INET6, "fe80::9%eth0"),
        entry(psutil.AF_LINK, "02:00:00:00:00:09"),
    ],
    "wg0": [entry(socket.AF_INET, "10.8.0.2")],
}


def test_an_interface_in_a_lan_is_found_with_its_addresses() -> None:
    assert choose("eth0", STATES, ADDRESSES) == Interface("eth0", bytes.fromhex("020000000009"), "fe80::9")


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("eht0", "no-interface", "this host has no interface 'eht0': did you mean 'eth0'?"),
        ("", "no-interface", "this host has no interface '': known: eth0, eth1, eth2, lo, wg0"),
        ("eth1", "interface-down", "interface eth1 is down: bring it up on the agent's host"),
        ("eth2", "interface-down", "interface eth2 has no link: see to its cable or switch port"),
        ("lo", "not-ethernet", "interface lo is not Ethernet: expected one of an office's LAN"),
        ("wg0", "not-ethernet", "interface wg0 is not Ethernet: expected one of an office's LAN"),
    ],
)
def test_an_interface_that_cannot_be_asked_on_is_the_observer_s_fault(name: str, reason: str, words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        choose(name, STATES, ADDRESSES)
    assert (caught.value.reason, caught.value.summary) == (reason, words)
