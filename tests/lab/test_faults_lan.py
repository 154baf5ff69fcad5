"""Faults in an office's LAN, and what each check says of them: those that are not named say that all is well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from checks.model import State
from tests.lab.dhcp import ask_kea, dnsmasq, kea
from tests.lab.netns import namespaces
from tests.lab.office import LABELS, Office
from tests.peers import wait_until

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

GATEWAY, STRANGER = "10.80.102.1", "10.80.102.66"


def test_the_dhcp_server_is_dead(office: Office) -> None:
    office.dhcp.close()

    seen = office.see()

    assert seen.wrong == {"lan": "CRIT no-offer"}
    assert seen["lan"].summary == f"lan: none of the expected DHCP servers ({GATEWAY}) offers an address within 0.6 s"
    assert seen.value("lan", "dhcp.servers") == 0


def test_a_rogue_server_is_beside_the_right_one(office: Office, tmp_path: Path) -> None:
    with namespaces("stranger") as (stranger,):
        office.province.plug("c2", stranger, f"{STRANGER}/24")
        with dnsmasq(stranger, tmp_path, "--dhcp-range=10.80.102.70,10.80.102.79,1h"):
            seen = office.see()
        mac = json.loads(stranger("ip", "-j", "link", "show", "dev", "lan"))[0]["address"]

    assert seen.wrong == {"lan": "CRIT rogue-server"}
    assert seen["lan"].summary.startswith(f"lan: rogue DHCP server {STRANGER} (MAC {mac}): offers 10.80.102.7")
    assert seen["lan"].answered
    assert seen.value("lan", "dhcp.servers") == 2


def test_the_pool_is_exhausted(office: Office, tmp_path: Path) -> None:
    pool = {"id": 102, "subnet": "10.80.102.0/24", "pools": [{"pool": "10.80.102.100 - 10.80.102.109"}]}
    router = {"name": "routers", "data": GATEWAY}
    office.dhcp.close()
    with kea(office.router, tmp_path, 4, [pool | {"option-data": [router]}]) as control:
        asked = {"kea_socket": str(control)}
        before = office.see(lan=asked)
        for last in range(100, 110):
            lease = {"ip-address": f"10.80.102.{last}", "hw-address": f"02:00:00:00:00:{last - 100:02}"}
            ask_kea(control, "lease4-add", **lease, **{"subnet-id": 102})
        seen = office.see(lan=asked)

    assert before.wrong == {}
    assert seen.wrong == {"lan": "CRIT pool-exhausted"}
    assert seen["lan"].summary.startswith("lan: 10 of 10 addresses of subnet 102 are leased; none of the expected")
    assert seen.value("lan", "dhcp.pool.utilization", "102") == 100


@pytest.mark.parametrize("how", ["cable out", "switched off"])
def test_an_agent_that_is_itself_cut_off_blames_nobody(office: Office, how: str) -> None:
    host, router = office.host, office.router
    where, device = (router, "lan0") if how == "cable out" else (host, "lan")
    where.ip("link", "set", "dev", device, "down")
    try:
        wait_until(lambda: "state UP" not in host("ip", "link", "show", "dev", "lan"), "the link to be gone")
        seen = office.see()
    finally:
        where.ip("link", "set", "dev", device, "up")
        host.ip("route", "replace", "default", "via", GATEWAY)

    assert {label: outcome.state for label, outcome in seen.items()} == dict.fromkeys(LABELS, State.UNKNOWN)
    assert {outcome.reason for outcome in seen.values()} <= {"interface-down", "no-route"}
    wait_until(lambda: office.see().wrong == {}, "all to be well again", 30)
