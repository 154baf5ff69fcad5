from __future__ import annotations

import msgspec
import yaml

from checks.registry import CHECKS
from checks.topology import Topology, loads
from collector.discovery.entries import entries
from collector.discovery.found import Again, Device, Found, Heard, Host
from collector.discovery.known import Province
from tests.collector.provinces import DAY, TEXT, topology

SNMP = {"version": "2c", "community": "secret:snmp-community"}
NOBODY = Province()
SWITCH = Device(
    address="10.1.1.2",
    kind="switch",
    name="SW Tầng-1.bk.example",
    descr="Cisco IOS Software",
    object_id="1.3.6.1.4.1.9.1.1208",
    profile="cisco",
    snmp=SNMP,
    facts={"model": "WS-C2960", "serial": "F0C1", "lldp Gi0/1": "c1 ge0/0"},
)


def device(address: str, name: str = "") -> Device:
    return msgspec.structs.replace(SWITCH, address=address, name=name, facts={})


def province() -> Province:
    return Province(topology().on(DAY))


def pasted(text: str, node: str) -> Topology:
    """The province of the tests with these entries at a node."""
    written = yaml.safe_load(TEXT)
    next(one for one in written["nodes"] if one["id"] == node)["devices"] = yaml.safe_load(text)["devices"]
    return loads(yaml.safe_dump(written, allow_unicode=True), "pasted.yaml", CHECKS)


def test_a_device_is_an_entry_in_the_shipped_form() -> None:
    assert entries([SWITCH, Again("10.1.1.9", "10.1.1.2")], NOBODY) == (
        "devices:\n"
        "  - id: sw-t-ng-1\n"
        "    # SW Tầng-1.bk.example, WS-C2960, F0C1, Cisco IOS Software\n"
        "    # answers at 10.1.1.9 too\n"
        "    # lldp Gi0/1 - c1 ge0/0\n"
        "    kind: switch\n"
        "    address: 10.1.1.2\n"
        "    checks:\n"
        "      - {check: snmp, interval: 60, deadline: 20, params: {version: 2c, community: 'secret:snmp-community'}}\n"
        "      - {check: ping, interval: 30}\n"
    )


def test_the_entries_load_when_they_are_pasted() -> None:
    found = [device(f"10.1.1.{number}", name) for number, name in enumerate(("r1", "R1", "", "on", "12e3"), 2)]

    loaded = pasted(entries(found, province()), "c1")

    there = {one.id: one for one in loaded.on(DAY).nodes["c1"].devices}
    assert list(there) == ["r1", "r1-2", "r1-3", "switch", "on", "12e3"]
    assert there["r1-2"].address == "10.1.1.2"
    assert [entry.check for entry in there["on"].checks] == ["snmp", "ping"]
    assert there["on"].checks[0].params == SNMP


def test_devices_are_by_node_and_those_in_the_topology_are_marked() -> None:
    text = entries([device("10.1.2.7", "b"), device("10.9.9.9", "c"), device("10.1.1.1", "a")], province())

    assert [line for line in text.splitlines() if "#" in line and "Cisco" not in line] == [
        "# 10.1.1.1 a: is there already, device r1 of node c1",
        "  # Of node c2, Bằng Lũng, 10.1.2.0/24:",
        "  # In no node's prefix:",
    ]
    assert [one["address"] for one in yaml.safe_load(text)["devices"]] == ["10.1.2.7", "10.9.9.9"]


def test_a_device_is_known_by_any_of_its_addresses() -> None:
    elsewhere = msgspec.structs.replace(device("10.79.0.3", "a"), addresses=("10.79.0.3", "10.1.1.1"))

    assert entries([elsewhere], province()) == "# 10.79.0.3 a: is there already, device r1 of node c1\n"


def test_who_answers_echo_alone_and_who_is_only_heard_of_are_remarks() -> None:
    found: list[Found] = [
        Host("10.1.1.10", "no answer"),
        Host("10.1.1.9", "no answer"),
        Heard("10.8.0.1", "10.1.1.2", "x"),
    ]

    assert entries(found, NOBODY).splitlines() == [
        "# Answer echo, but not SNMP:",
        "#   10.1.1.9: no answer",
        "#   10.1.1.10: no answer",
        "# Heard of by LLDP, CDP or MNDP:",
        "#   10.8.0.1: by 10.1.1.2: x",
    ]


def test_that_nothing_was_found_is_said() -> None:
    assert entries([], NOBODY) == "# Nothing was found.\n"
