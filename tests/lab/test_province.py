"""The lab itself: what a test breaks in it is broken as it would be outside, and nothing of it is left behind."""

from __future__ import annotations

import functools
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from tests.lab.layout import Node, describe
from tests.lab.line import Way
from tests.lab.link import Shape
from tests.lab.netns import Namespace, namespaces
from tests.lab.province import Province, province, sweep
from tests.lab.router import COMMUNITY, V3_AUTH, V3_PRIV, V3_USER
from tests.peers import need, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

TOP = Path(__file__).parents[2]
OSPF_NEIGHBOUR_STATE, FULL = "1.3.6.1.2.1.14.10.1.6", "8"  # OSPF-MIB ospfNbrState (RFC 4750)
BGP_PEER_STATE, ESTABLISHED = "1.3.6.1.2.1.15.3.1.2", "6"  # BGP4-MIB bgpPeerState (RFC 4273)
OPERATES, DOES_NOT = "1", "2"
IF_NAME, IF_OPER_STATUS, IF_ADMIN_STATUS = "1.3.6.1.2.1.31.1.1.1.1", "1.3.6.1.2.1.2.2.1.8", "1.3.6.1.2.1.2.2.1.7"

V2C = ("-v2c", "-c", COMMUNITY)
V3 = ("-v3", "-l", "authPriv", "-u", V3_USER, "-a", "SHA-256", "-A", V3_AUTH, "-x", "AES", "-X", V3_PRIV)


def walk(where: Namespace, router: Node, column: str, *access: str) -> dict[str, str]:
    """A column of a router's MIB, by instance."""
    need("snmpbulkwalk")
    said = where("snmpbulkwalk", *(access or V2C), "-Oqne", router.loopback, column)
    rows = (line.split(" ", 1) for line in said.splitlines())
    return {oid.removeprefix(f".{column}."): value.strip('"') for oid, value in rows if oid.startswith(f".{column}.")}


def echoes(where: Namespace, to: str, *options: str, count: int = 5) -> list[float]:
    """The round trips, in s, of those of some pings that came back."""
    argv = where.argv("ping", "-n", "-i", "0.02", "-W", "0.5", "-c", str(count), *options, to)
    said = subprocess.run(argv, check=False, capture_output=True, text=True).stdout
    return [float(ms) / 1000 for ms in re.findall(r"time=([\d.]+)", said)]


def traces(names: Sequence[str]) -> list[str]:
    """What there is on this machine of namespaces of these names: themselves, folders, processes."""
    places = [Path(folder, name) for folder in ("/run/netns", "/etc/frr", "/run/frr") for name in names]
    commands = [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    return [
        *(str(place) for place in places if place.exists()),
        *(command for command in commands if any(name in command for name in names)),
    ]


def test_a_province_of_33_routers_is_up_in_15_s_and_every_commune_finds_the_centre(tmp_path: Path) -> None:
    need("ip", "snmpd", "vtysh", root=True)
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with province(describe(districts=8, communes=24), tmp_path) as built:
        up = time.monotonic() - began
        built.settle(60)
        settled = time.monotonic() - began
        processes = [psutil.Process(pid) for pid in built.processes]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        spent += sum(process.cpu_times().user + process.cpu_times().system for process in processes)
        memory = sum(process.memory_full_info().pss for process in processes) / 2**20
        print(f"{len(built.routers)} routers, {len(processes)} processes: up in {up:.1f} s, all ways known after")
        print(f"{settled:.1f} s, {spent:.1f} s of CPU, {memory:.0f} MiB")
        # On a machine that is busy with other things: what it would be on two processors of our own.
        assert min(up, spent / 2) < 15
        centre = built.nodes["centre"]
        for name, node in built.nodes.items():
            if node.tier == "commune":
                assert echoes(built.router(name), centre.loopback, "-I", node.loopback, count=1), f"{name} is cut off"
        names, ending = built.namespaces, time.monotonic()
    print(f"gone in {time.monotonic() - ending:.1f} s")
    assert traces(names) == []


@pytest.mark.parametrize("access", [V2C, V3], ids=["v2c", "v3"])
def test_a_router_tells_its_ospf_neighbours_over_snmp(small: Province, access: tuple[str, ...]) -> None:
    office, commune = small.office("centre"), small.nodes["c1"]

    states = walk(office, commune, OSPF_NEIGHBOUR_STATE, *access)

    assert states == {f"{line.far_address}.0": FULL for line in commune.lines}


def test_the_centre_has_a_bgp_session_with_the_backbone_and_tells_it_over_snmp(small: Province) -> None:
    line = small.line("centre").access
    peers = small.router("centre").show("bgp summary")["ipv4Unicast"]["peers"]

    assert peers[line.far_address]["state"] == "Established"
    assert walk(small.office("centre"), small.nodes["centre"], BGP_PEER_STATE) == {line.far_address: ESTABLISHED}
    assert echoes(small.office("c2"), small.nodes["tslcd1"].loopback), "the backbone knows the way back"


def test_the_backup_line_takes_over_when_the_primary_is_cut_and_gives_back(small: Province) -> None:
    commune, centre = small.router("c1"), small.nodes["centre"].loopback
    assert commune.way_to(centre) == "wan0"

    small.line("c1").cut()
    wait_until(lambda: commune.way_to(centre) == "wan1", "the backup line")
    wait_until(lambda: bool(echoes(small.office("c1"), centre)), "traffic over the backup line")
    small.line("c1").mend()
    wait_until(lambda: commune.way_to(centre) == "wan0", "the primary line", 30)

    assert echoes(small.office("c1"), centre)


def test_of_a_cut_line_both_ends_lose_the_carrier_and_neither_was_switched_off(small: Province) -> None:
    office = small.office("centre")
    access = small.line("c1").access

    def status(node: str, device: str, column: str) -> str:
        index = next(i for i, name in walk(office, small.nodes[node], IF_NAME).items() if name == device)
        return walk(office, small.nodes[node], column)[index]

    def sees(node: str, device: str) -> bool:
        found = echoes(office, small.nodes[node].loopback, count=1)
        return bool(found) and status(node, device, IF_OPER_STATUS) == DOES_NOT

    small.line("c1").cut()
    for node, device in ((access.node, access.device), (access.to, access.far_device)):
        wait_until(functools.partial(sees, node, device), f"{node} to see it", 30)
        assert status(node, device, IF_ADMIN_STATUS) == OPERATES


@pytest.fixture(params=["plain", "emulated"])
def line_of_c2(small: Province, request: pytest.FixtureRequest) -> Province:
    """The small province, in which the line of c2, its only one, has been a plain joint until now, or has an
    emulator."""
    if request.param == "emulated":
        small.line("c2").shape()
        wait_until(lambda: bool(echoes(small.router("c2"), small.line("c2").access.far_address)), "the emulator")
    return small


@pytest.mark.parametrize("way", ["to-node", "to-parent"])
def test_a_line_is_a_black_hole_in_one_direction(line_of_c2: Province, way: Way) -> None:
    line, router, parent = line_of_c2.line("c2"), line_of_c2.router("c2"), line_of_c2.router("d1")

    def came() -> dict[str, int]:
        """Frames received at each end, by the way that they came."""
        ends = {"to-node": (router, "wan0"), "to-parent": (parent, line.access.far_device)}
        read = "/sys/class/net/{}/statistics/rx_packets"
        return {way: int(where("cat", read.format(device))) for way, (where, device) in ends.items()}

    line.blackhole(way)
    before = came()
    assert echoes(router, line.access.far_address) == []
    assert echoes(parent, line.access.address) == []

    assert {one for one, frames in came().items() if frames > before[one]} == {"to-node", "to-parent"} - {way}
    assert router("cat", "/sys/class/net/wan0/carrier").strip() == "1"


def test_only_long_packets_vanish_and_nobody_says_so(line_of_c2: Province) -> None:
    office, centre = line_of_c2.office("c2"), line_of_c2.nodes["centre"].host
    line_of_c2.line("c2").blackhole(above=1400)

    assert len(echoes(office, centre, "-M", "do", "-s", "1372")) == 5  # and 28 bytes of headers
    said = subprocess.run(
        office.argv("ping", "-n", "-c", "2", "-i", "0.1", "-W", "0.5", "-M", "do", "-s", "1373", centre),
        check=False,
        capture_output=True,
        text=True,
    )
    assert "2 packets transmitted, 0 received, 100% packet loss" in said.stdout
    assert "needed" not in said.stdout + said.stderr


def test_a_limited_line_loses_what_is_too_much_for_it(line_of_c2: Province) -> None:
    office, centre = line_of_c2.office("c2"), line_of_c2.nodes["centre"].host
    much = ("-s", "1400", "-i", "0.01")  # 1.1 Mbit/s
    line_of_c2.line("c2").limit(200_000, "to-parent")

    assert len(echoes(office, centre, *much, count=100)) < 60
    line_of_c2.line("c2").mend()
    assert len(echoes(office, centre, *much, count=100)) == 100


def test_a_line_is_shaped_in_each_direction_while_it_carries_traffic(small: Province) -> None:
    office, centre, line = small.office("c2"), small.nodes["centre"].host, small.line("c2")
    line.shape()
    wait_until(lambda: bool(echoes(office, centre)), "the emulator", 30)
    bare = statistics.median(echoes(office, centre, count=20))

    before = line.shape(to_node=Shape(delay=0.02), to_parent=Shape(delay=0.01))
    slowed = statistics.median(echoes(office, centre, count=20))
    line.shape(to_node=Shape(loss=100))
    assert echoes(office, centre) == []
    after = line.shape()

    assert slowed - bare == pytest.approx(0.03, abs=0.003)
    assert after.forward.lost - before.forward.lost >= 5
    assert after.backward.lost == 0


def test_a_shaped_line_can_be_cut_and_comes_back(small: Province) -> None:
    office, centre, line = small.office("c2"), small.nodes["centre"].host, small.line("c2")
    line.shape()
    line.cut()
    assert echoes(office, centre) == []
    line.mend()

    wait_until(lambda: bool(echoes(office, centre)), "the line", 30)


def test_one_more_host_joins_the_lan_of_an_office(small: Province) -> None:
    with namespaces("guest") as (guest,):
        small.plug("c1", guest, "10.80.101.66/24")

        assert echoes(guest, small.nodes["c1"].gateway)
        assert echoes(guest, small.nodes["c1"].host)


@pytest.mark.parametrize("fails", [False, True], ids=["when all is well", "when a test fails"])
def test_nothing_is_left_behind(tmp_path: Path, fails: bool) -> None:
    need("ip", "snmpd", "vtysh", root=True)
    names: Sequence[str] = ()
    try:
        with province(describe(districts=1, communes=1), tmp_path) as built:
            names = built.namespaces
            built.line("c1").shape()
            assert len(traces(names)) > len(names)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        pass

    assert traces(names) == []


KEEPER = """
import sys, time
from pathlib import Path
from tests.lab.layout import describe
from tests.lab.province import province
with province(describe(1, 1), Path(sys.argv[1])) as built:
    built.line("c1").shape()
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_a_lab_that_is_ended_from_outside_leaves_nothing_or_is_swept(tmp_path: Path, how: signal.Signals) -> None:
    need("ip", "snmpd", "vtysh", root=True)
    process = subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(tmp_path)],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": str(TOP)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )
    with process:
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        names = (tmp_path / "namespaces").read_text().split()
        if how is signal.SIGINT:
            os.killpg(process.pid, how)  # as a terminal does: to all that it started
        else:
            process.send_signal(how)
        process.wait(20)
    if how is signal.SIGKILL:
        assert traces(names) != []
        sweep(tmp_path)

    assert traces(names) == []
