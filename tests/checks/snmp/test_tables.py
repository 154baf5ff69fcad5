from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from checks.contract import Target
from checks.snmp import SnmpParams, mib
from checks.snmp.check import ReaderFactory, poll
from checks.snmp.tables import name_interfaces, parse_interfaces, speed, text
from tests.checks.snmp.devices import Recording, context, names, value

SNMPSIM = importlib.util.find_spec("snmpsim")
RECORDED = Path((SNMPSIM and SNMPSIM.origin) or "snmpsim/").parent / "data" / "recorded"
"""Walks that snmpsim ships (BSD-2-Clause)."""


def engine_of(recording: Recording) -> ReaderFactory:
    return lambda _access, _clock: recording


@pytest.mark.parametrize(
    ("if_speed", "if_high_speed", "expected"),
    [
        (100_000_000, 100, 1e8),
        (2_048_000, 2, 2.048e6),
        (4294967295, 10_000, 1e10),
        (4294967295, 4294967295, 0),
        (0, 4294967295, 0),
        (0, 4294901759, 0),
        (None, 1000, 1e9),
        (None, None, 0),
        (0, 0, 0),
    ],
)
def test_the_speed_is_the_exact_one_as_far_as_it_reaches(
    if_speed: int | None, if_high_speed: int | None, expected: float
) -> None:
    assert speed(if_speed, if_high_speed) == expected


def test_interfaces_that_share_a_name_are_told_apart_by_index() -> None:
    assert name_interfaces({1: "eth0", 2: "eth0", 3: ""}, {3: "", 4: "tun0"}) == {
        1: "eth0#1",
        2: "eth0#2",
        3: "3",
        4: "tun0",
    }


def test_text_is_one_line_whatever_the_device_sends() -> None:
    assert text(b"Cisco IOS\r\nVersion 15\x00") == "Cisco IOS Version 15"
    assert text("Bắc Kạn".encode()) == "Bắc Kạn"
    assert text(b"caf\xe9") == "café"
    assert text(None) == ""


def test_a_row_with_nothing_in_it_is_an_interface_of_unknown_state() -> None:
    (interface,) = parse_interfaces({7: "x"}, {"1.3.6.1.2.1.2.2.1.5.7": b"not a number"})
    assert (interface.admin, interface.oper, interface.speed, interface.counters) == (0, 0, 0, {})


async def test_a_recorded_windows_host_without_ifxtable_is_read() -> None:
    recording = Recording(RECORDED / "winxp-full-walk.snmprec")
    outcome = await poll(Target("x", "192.0.2.1"), SnmpParams(), context(), engine_of(recording))
    assert value(outcome, "ifOperStatus", "MS TCP Loopback interface") == 1
    wireless = "Intel(R) PRO/Wireless 2200BG Network Connection"
    assert value(outcome, "ifSpeed", wireless) == 54e6
    assert outcome.answered


async def test_a_recorded_linux_host_with_ifxtable_is_read_with_64_bit_counters() -> None:
    recording = Recording(RECORDED / "linux-full-walk.snmprec")
    ctx = context()
    outcome = await poll(Target("x", "192.0.2.1"), SnmpParams(), ctx, engine_of(recording))
    assert outcome.facts["sysName"] == "tt"
    assert value(outcome, "sysUpTime") == 2334251.20
    assert {c.bits for i in ctx.memory["snapshot"].interfaces for c in (i.counters["ifInBits"],)} == {64}
    assert names(outcome).isdisjoint({"ifInBits", "ifInErrors"})


async def test_snmp_version_1_makes_do_with_32_bit_counters() -> None:
    recording = Recording(RECORDED / "linux-full-walk.snmprec", counter64=False)
    ctx = context()
    await poll(Target("x", "192.0.2.1"), SnmpParams(version="1"), ctx, engine_of(recording))
    assert {c.bits for i in ctx.memory["snapshot"].interfaces for c in i.counters.values()} == {32}


def expected_speed(recorded: int | None) -> int:
    """LibreNMS takes ifSpeed's "too fast to tell" for a speed."""
    return 0 if recorded in (None, mib.UNKNOWN_SPEED) else recorded


def _recorded() -> list[str]:
    folder = Path(__file__).resolve().parents[4] / "shared" / "data" / "librenms" / "expected"
    return sorted(path.stem for path in folder.glob("*.json"))


@pytest.mark.parametrize("name", _recorded() or [""])
async def test_recorded_routers_read_as_librenms_reads_them(name: str, shared: Path) -> None:
    """The recordings are LibreNMS's (GPL-3.0-or-later), beside the repository and no part of it."""
    expected = json.loads((shared / "librenms" / "expected" / f"{name}.json").read_text())
    recording = Recording(shared / "librenms" / "snmprec" / f"{name}.snmprec")

    ctx = context()
    await poll(Target("x", "192.0.2.1"), SnmpParams(exclude="^$"), ctx, engine_of(recording))
    found = {i.index: i for i in ctx.memory["snapshot"].interfaces}
    for port in expected["ports"]:
        interface = found.get(port["ifIndex"])
        if interface is None:  # LibreNMS knows some from the MIBs of the maker
            assert not recording.has(f"{mib.IF_DESCR}.{port['ifIndex']}")
            continue
        assert interface.oper == {"up": 1, "down": 2}.get(port["ifOperStatus"], interface.oper)
        assert interface.admin == {"up": 1, "down": 2}.get(port["ifAdminStatus"], interface.admin)
        assert interface.speed == pytest.approx(expected_speed(port["ifSpeed"]), rel=0.01), port
        if port["ifInOctets"] is not None and "ifInBits" in interface.counters:
            assert interface.counters["ifInBits"].value == port["ifInOctets"]
