"""The check on a LAN with real servers, beside what Debian's check_dhcp and scapy hear there."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from checks.model import Outcome, State
from tests.checks.dhcp.conftest import Host, Lan
from tests.lab.dhcp import ask_kea, dnsmasq, kea, radvd, relay
from tests.lab.netns import cable
from tests.peers import need

pytestmark = [pytest.mark.root, pytest.mark.peer, pytest.mark.slow]

CHECK_DHCP = "/usr/lib/nagios/plugins/check_dhcp"
RANGE = "--dhcp-range=10.61.3.50,10.61.3.99,1h"
ROGUE_RANGE = "--dhcp-range=10.66.0.50,10.66.0.99,1h"
EXPECT = {"servers": ["10.61.3.1"], "router": ["10.61.3.1"], "dns": ["10.61.0.53"], "prefix": "10.61.3.0/24"}
OPTIONS = ("--dhcp-option=option:router,10.61.3.1", "--dhcp-option=option:dns-server,10.61.0.53")
POOL = {"id": 3, "subnet": "10.61.3.0/24", "pools": [{"pool": "10.61.3.50 - 10.61.3.51"}]}

SCAPY = """
import sys
from scapy.all import BOOTP, DHCP, Ether, IP, UDP, conf, get_if_hwaddr, srp
conf.checkIPaddr = False
mac = get_if_hwaddr("lan")
ask = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
ask /= BOOTP(chaddr=bytes.fromhex(mac.replace(":", "")), xid=77, flags=0x8000)
ask /= DHCP(options=[("message-type", "discover"), "end"])
answered, _ = srp(ask, iface="lan", multi=True, timeout=0.8, verbose=False)
for _, answer in answered:
    options = {option[0]: option[1] for option in answer[DHCP].options if isinstance(option, tuple)}
    print(options["server_id"], answer[BOOTP].yiaddr)
"""


def metrics(outcome: Outcome) -> dict[tuple[str, str], float]:
    return {(metric.name, metric.instance): metric.value for metric in outcome.metrics}


def heard_by_check_dhcp(host: Host) -> dict[str, str]:
    """Server → offered address, as Debian's plug-in says."""
    said = host(CHECK_DHCP, "-v", "-i", "lan", "-t", "2")
    return dict(re.findall(r"Added offer from server @ (\S+) of IP address (\S+)", said))


def heard_by_scapy(host: Host) -> dict[str, str]:
    """Server → offered address, as scapy's own ``srp`` says."""
    return dict(line.split() for line in host(sys.executable, "-c", SCAPY).splitlines())


def test_the_expected_server_is_ok_and_leases_nothing(lan: Lan, tmp_path: Path) -> None:
    with dnsmasq(lan.server, tmp_path, RANGE, *OPTIONS) as leases:
        found = lan.office.check(expect=EXPECT | {"macs": [lan.server.mac]}, runs=2)
    assert (found.state, found.answered) == (State.OK, True)
    assert found.summary == "lan: addresses are offered by 10.61.3.1"
    assert found.facts["server.10.61.3.1.prefix"] == "10.61.3.0/24"
    assert 0 < metrics(found)["dhcp.offer.duration", "10.61.3.1"] < 0.3
    assert metrics(found)["dhcp.lease.duration", "10.61.3.1"] == 3600
    assert not leases.exists() or leases.read_text() == ""


def test_a_rogue_beside_the_right_one_is_named_and_others_hear_the_same(lan: Lan, tmp_path: Path) -> None:
    need(CHECK_DHCP)
    with dnsmasq(lan.server, tmp_path, RANGE, *OPTIONS), dnsmasq(lan.stranger, tmp_path, ROGUE_RANGE):
        found = lan.office.check(expect=EXPECT, mac="interface")
        theirs, scapys = heard_by_check_dhcp(lan.office), heard_by_scapy(lan.office)
    assert (found.state, found.reason, found.answered) == (State.CRIT, "rogue-server", True)
    offered = theirs["10.66.0.1"]
    assert found.summary == (
        f"lan: rogue DHCP server 10.66.0.1 (MAC {lan.stranger.mac}): offers {offered}/24, router 10.66.0.1, DNS none"
    )
    assert scapys == theirs
    assert set(theirs) == {"10.61.3.1", "10.66.0.1"}
    assert metrics(found)["dhcp.servers", ""] == 2


def test_a_dead_server_is_an_outage(lan: Lan) -> None:
    found = lan.office.check(expect=EXPECT)
    assert (found.state, found.reason, found.answered) == (State.CRIT, "no-offer", False)
    assert found.summary == "lan: none of the expected DHCP servers (10.61.3.1) offers an address within 0.8 s"


def test_an_exhausted_pool_falls_silent_and_its_use_says_why(lan: Lan, tmp_path: Path) -> None:
    expect = {"servers": ["10.61.3.1"]}
    with kea(lan.server, tmp_path, 4, [POOL]) as control:
        half = lan.office.check(expect=expect, kea_socket=str(control))
        for last in (50, 51):
            lease = {"subnet-id": 3, "ip-address": f"10.61.3.{last}", "hw-address": f"02:00:00:00:00:{last}"}
            ask_kea(control, "lease4-add", **lease)
        full = lan.office.check(expect=expect, kea_socket=str(control))
    assert (half.state, half.summary) == (State.OK, "lan: addresses are offered by 10.61.3.1")
    assert metrics(half)["dhcp.pool.used", "3"] == 0
    assert (full.state, full.reason, full.answered) == (State.CRIT, "pool-exhausted", False)
    assert full.summary == (
        "lan: 2 of 2 addresses of subnet 3 are leased; "
        "none of the expected DHCP servers (10.61.3.1) offers an address within 0.8 s"
    )
    assert [metrics(full)[f"dhcp.pool.{name}", "3"] for name in ("used", "total", "utilization")] == [2, 2, 100]


def test_an_offer_through_a_relay_names_it(lan: Lan, tmp_path: Path) -> None:
    """The stranger's host is the far server: a line joins it to the relay, and it has no port in the LAN."""
    near, far = lan.server, lan.stranger
    far.ip("link", "set", "dev", "lan", "down")
    cable(near, "line", far, "line")
    near.address("line", "10.9.0.1/24")
    far.address("line", "10.9.0.2/24")
    far.ip("route", "add", "10.61.3.0/24", "via", "10.9.0.1")
    expect = {"servers": ["10.9.0.2"], "relay": "10.61.3.1", "prefix": "10.61.3.0/24"}
    ranged = "--dhcp-range=10.61.3.50,10.61.3.99,255.255.255.0,1h"
    with dnsmasq(far, tmp_path, ranged, device="line"), relay(near, tmp_path, "10.61.3.1", "10.9.0.2"):
        found = lan.office.check(expect=expect | {"macs": [near.mac]})
        other = lan.office.check(expect=expect | {"relay": "10.61.3.9"})
    assert (found.state, found.summary) == (State.OK, "lan: addresses are offered by 10.9.0.2")
    assert found.facts["server.10.9.0.2.relay"] == "10.61.3.1"
    assert (other.state, other.reason) == (State.WARN, "wrong-relay")


def test_the_pools_of_dhcpv6_are_told_beside_the_offers(lan: Lan, tmp_path: Path) -> None:
    pools = {"pools": [{"pool": "2001:db8:61::1:0/127"}]}
    prefixes = {"pd-pools": [{"prefix": "2001:db8:7000::", "prefix-len": 56, "delegated-len": 64}]}
    subnet = {"id": 6, "subnet": "2001:db8:61::/64", "interface": "lan", **pools, **prefixes}
    params: dict[str, Any] = {"ipv4": False, "window": 2.0, "expect6": {"servers": [lan.server.link_local]}}
    leases: list[dict[str, Any]] = [
        {"ip-address": "2001:db8:61::1:0"},
        {"ip-address": "2001:db8:61::1:1"},
        {"ip-address": "2001:db8:7000:1::", "type": "IA_PD", "prefix-len": 64},
    ]
    with kea(lan.server, tmp_path, 6, [subnet]) as control:
        for iaid, lease in enumerate(leases):
            ask_kea(control, "lease6-add", **lease, **{"subnet-id": 6, "duid": "00:03:00:01:02:00", "iaid": iaid})
        found = lan.office.check(kea6_socket=str(control), **params)
    assert (found.state, found.reason) == (State.CRIT, "pool-exhausted")
    assert "2 of 2 addresses of subnet IPv6 6 are leased" in found.summary
    assert metrics(found)["dhcp.pool.used", "IPv6 6 prefixes"] == 1
    assert metrics(found)["dhcp.pool.total", "IPv6 6 prefixes"] == 256


def test_ipv6_is_asked_about_and_a_rogue_router_named(lan: Lan, tmp_path: Path) -> None:
    pool = {"id": 6, "subnet": "2001:db8:61::/64", "interface": "lan", "pools": [{"pool": "2001:db8:61::1:0/112"}]}
    right, rogue = lan.server.link_local, lan.stranger.link_local
    params: dict[str, Any] = {"ipv4": False, "window": 2.0, "expect6": {"servers": [right], "routers": [right]}}
    lan.stranger.ip("address", "add", "2001:db8:66::1/64", "dev", "lan", "nodad")
    with contextlib.ExitStack() as servers:
        servers.enter_context(kea(lan.server, tmp_path, 6, [pool]))
        servers.enter_context(radvd(lan.server, tmp_path, "AdvManagedFlag on"))
        well = lan.office.check(**params)
        rogue_range = "--dhcp-range=2001:db8:66::50,2001:db8:66::99"
        servers.enter_context(dnsmasq(lan.stranger, tmp_path, "--enable-ra", rogue_range))
        ill = lan.office.check(**params)
    assert (well.state, well.answered, well.summary) == (State.OK, True, f"lan: addresses are offered by {right}")
    assert well.facts[f"router.{right}"].startswith(f"MAC {lan.server.mac}, advertises none as the default router")
    assert (ill.state, ill.reason) == (State.CRIT, "rogue-server")
    assert f"rogue DHCPv6 server {rogue} (MAC {lan.stranger.mac}): offers 2001:db8:66::" in ill.summary
    assert f"rogue router {rogue} (MAC {lan.stranger.mac}): advertises 2001:db8:66::/64" in ill.summary


def test_without_the_capability_it_says_which_one_is_lacking(lan: Lan) -> None:
    need("setpriv")
    found = lan.office.check(prefix=("setpriv", "--bounding-set=-net_raw", "--inh-caps=-net_raw"))
    assert (found.state, found.reason) == (State.UNKNOWN, "no-permission")
    assert found.summary == (
        "this agent may not open a packet socket on lan: it lacks CAP_NET_RAW; "
        "give it to its service (AmbientCapabilities=CAP_NET_RAW)"
    )


def test_an_interface_that_is_not_there_or_down_is_the_observer_s_fault(lan: Lan) -> None:
    missing = lan.office.check(target="lam")
    assert (missing.state, missing.summary) == (
        State.UNKNOWN,
        "this host has no interface 'lam': did you mean 'lan'?",
    )
    lan.office.ip("link", "set", "dev", "lan", "down")
    down = lan.office.check()
    assert (down.state, down.reason) == (State.UNKNOWN, "interface-down")
