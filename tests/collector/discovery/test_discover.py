"""The command, among recorded devices and silent hosts, on a network of its own."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.collector.discovery.site import ENVIRON, PROGRAM, Site, site
from tests.peers import need

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

FIREWALL, SWITCH, NEIGHBOUR, SILENT = "10.99.0.5", "10.99.0.6", "10.1.2.241", "10.99.0.9"
"""The firewall is a recorded SRX, which hears of 10.1.2.241 and .242 by LLDP."""


@pytest.fixture(scope="module")
def place(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    need("ip", "nft", root=True)
    recordings = shared / "librenms" / "snmprec"
    names = {FIREWALL: "junos_rpm", SWITCH: "procurve", NEIGHBOUR: "iosxr"}
    log = tmp_path_factory.mktemp("site") / "log"
    log.touch()
    with site({address: recordings / f"{name}.snmprec" for address, name in names.items()}, SILENT, log) as built:
        yield built


def lines(printed: str) -> dict[str, dict[str, Any]]:
    """JSON lines by address."""
    return {one["address"]: one for one in map(json.loads, printed.splitlines())}


def test_devices_are_found_and_profiled_and_hosts_told_apart(place: Site) -> None:
    ended = place.discover("10.99.0.4/30", SILENT, "--rate", "200", "--json")

    found = lines(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert {address: one["found"] for address, one in found.items()} == {
        FIREWALL: "device",
        SWITCH: "device",
        SILENT: "host",
        NEIGHBOUR: "heard",
        "10.1.2.242": "heard",
        "10.1.1.1": "heard",
    }
    assert (found[FIREWALL]["kind"], found[FIREWALL]["profile"]) == ("firewall", "juniper")
    assert (found[SWITCH]["kind"], found[SWITCH]["profile"], found[SWITCH]["facts"]["model"]) == (
        "switch",
        "hp",
        "JL074A",
    )
    assert found[SILENT]["why"] == "port 161/udp is closed: no SNMP agent runs there"
    assert found[NEIGHBOUR] == {
        "found": "heard",
        "address": NEIGHBOUR,
        "heard_by": FIREWALL,
        "why": "not asked: beyond the prefixes",
    }


def test_neighbours_beyond_the_prefixes_are_followed_where_that_is_wanted(place: Site) -> None:
    ended = place.discover(FIREWALL, "--follow", "--json")

    found = lines(ended.stdout)
    assert {address: one["found"] for address, one in found.items()} == {
        FIREWALL: "device",
        NEIGHBOUR: "device",
        "10.1.2.242": "heard",
    }
    assert found[NEIGHBOUR]["kind"] == "router"
    assert found["10.1.2.242"]["why"].startswith("no answer to SNMPv2c in 2 tries")


def test_a_neighbour_within_the_prefixes_is_asked_though_it_answers_no_echo(place: Site) -> None:
    drop = f"ip daddr {NEIGHBOUR} icmp type echo-request drop;"
    place.there("nft", f"table ip mute {{ chain in {{ type filter hook input priority 0; {drop} }}; }}")
    try:
        alone, both = place.discover(NEIGHBOUR), place.discover(NEIGHBOUR, FIREWALL, "--json")
    finally:
        place.there("nft", "delete table ip mute")

    assert alone.stdout == "# Nothing was found.\n"
    assert lines(both.stdout)[NEIGHBOUR]["found"] == "device"


def test_entries_are_printed_to_paste_and_nothing_else(place: Site) -> None:
    ended = place.discover("10.99.0.4/30", "--rate", "200")

    assert [(one["id"], one["kind"], one["address"]) for one in yaml.safe_load(ended.stdout)["devices"]] == [
        ("private", "firewall", FIREWALL),
        ("private-2", "switch", SWITCH),
    ]
    assert ended.stderr == ""


def test_a_wrong_community_is_a_host_that_answers_no_snmp(place: Site, tmp_path: Path) -> None:
    file = tmp_path / "communities"
    file.write_text("wrong\n")

    ended = place.discover(SWITCH, "--community", f"@{file}")

    assert f"#   {SWITCH}: no answer to SNMPv2c in 2 tries" in ended.stdout
    assert "the community is wrong" in ended.stdout
    assert "wrong\n" not in ended.stdout


def test_of_several_credentials_the_one_that_was_answered_is_written(place: Site, tmp_path: Path) -> None:
    communities, user = tmp_path / "communities", tmp_path / "user.toml"
    communities.write_text("wrong\npublic\n")
    user.write_text('user = "nobody"\n')

    ended = place.discover(SWITCH, "--user", str(user), "--community", f"@{communities}", "--json")

    assert lines(ended.stdout)[SWITCH]["snmp"] == {"version": "2c", "community": "secret:snmp-community-2"}


def test_a_prefix_without_a_route_is_said_to_be_unreachable(place: Site) -> None:
    place.here.ip("route", "del", "default")
    try:
        ended = place.discover("192.0.2.0/30", SWITCH, "--json")
    finally:
        place.here.ip("route", "add", "default", "via", "10.99.0.2")

    assert "2 addresses could not be asked: 192.0.2.1: this agent has no route" in ended.stderr
    assert list(lines(ended.stdout)) == [SWITCH, "10.1.1.1"]


def test_ctrl_c_ends_it_with_what_was_found_so_far(place: Site) -> None:
    """On a terminal, whose bars tell when the first device has been asked."""
    argv = place.here.argv(PROGRAM, "discover", SWITCH, "10.99.0.128/25", "--rate", "1")
    terminal, end = pty.openpty()
    process = subprocess.Popen(argv, env=ENVIRON | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=end, text=True)
    os.close(end)
    try:
        shown = b""
        while not re.search(rb"1/1(?!\d)", shown) and select.select([terminal], [], [], 30)[0]:
            shown += os.read(terminal, 1 << 16)
        process.send_signal(signal.SIGINT)
        printed, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
        os.close(terminal)

    assert process.returncode == 130
    assert [one["address"] for one in yaml.safe_load(printed)["devices"]] == [SWITCH]
