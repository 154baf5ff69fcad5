"""Routers' tunnels, from walks of real ones; and what those walks lack, after the MIBs."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.errors import ObserverError
from checks.vpn import cisco, fortigate
from checks.vpn.tunnel import Count
from tests.checks.snmp.devices import Recording

IKE, IPSEC = "1.3.6.1.4.1.9.9.171.1.2.3.1", "1.3.6.1.4.1.9.9.171.1.3.2.1"
FORTIGATE = "1.3.6.1.4.1.12356.101.12.2.2.1"
PEER = "4x|c0000209"  # 192.0.2.9


def recorded(shared: Path, name: str) -> Recording:
    return Recording(shared / "librenms" / "snmprec" / f"{name}.snmprec")


def written(folder: Path, *rows: str) -> Recording:
    file = folder / "walk.snmprec"
    file.write_text("".join(f"{row}\n" for row in rows))
    return Recording(file)


async def test_a_recorded_cisco_without_a_tunnel_says_so(shared: Path) -> None:
    found = await cisco.fetch(recorded(shared, "iosxe_c9400"), "192.0.2.9")

    assert not found.up
    assert found.said == "the router has no tunnel to 192.0.2.9: that end is unreachable, or does not agree"


async def test_a_device_without_cisco_s_tables_is_no_outage(shared: Path) -> None:
    with pytest.raises(ObserverError) as caught:
        await cisco.fetch(recorded(shared, "fortigate_100e"), "192.0.2.9")
    assert caught.value.reason == "no-such-table"


async def test_a_cisco_s_tunnels_to_one_peer_are_taken_together(tmp_path: Path) -> None:
    """Two selectors, as a router has a row for each; the other peer's row is left out."""
    device = written(
        tmp_path,
        *(f"{IPSEC}.5.{index}|{peer}" for index, peer in ((7, PEER), (8, PEER), (9, "4x|c0000208"))),
        *(f"{IPSEC}.10.{index}|2|{ticks}" for index, ticks in ((7, 360_000), (8, 1_250), (9, 1))),
        *(f"{IPSEC}.13.{index}|65|{refreshes}" for index, refreshes in ((7, 3), (8, 0), (9, 0))),
        *(f"{IPSEC}.{column}.7|{value}" for column, value in ((26, "65|1"), (27, "70|5000000000"), (40, "70|6"))),
        *(f"{IPSEC}.{column}.8|65|{value}" for column, value in ((26, 10), (39, 20))),
        *(f"{IPSEC}.51.{index}|2|1" for index in (7, 8, 9)),
    )

    found = await cisco.fetch(device, "192.0.2.9")

    assert (found.up, found.age, found.keys) == (True, 12.5, "7:3 8:0")
    assert found.counts == {"7": Count(5_000_000_000, 6), "8": Count(10, 20)}


async def test_a_cisco_that_agreed_on_phase_1_alone_says_so(tmp_path: Path) -> None:
    found = await cisco.fetch(written(tmp_path, f"{IKE}.8.1|{PEER}"), "192.0.2.9")

    assert not found.up
    assert found.said.startswith("phase 1 with 192.0.2.9 is active, phase 2 is not: compare the transform sets")


@pytest.mark.parametrize("peer", ["ESMAO-Lomtec", "109.71.67.231"])
async def test_a_recorded_fortigate_s_tunnel_is_found_by_name_or_gateway(shared: Path, peer: str) -> None:
    found = await fortigate.fetch(recorded(shared, "fortigate_100e"), peer)

    assert (found.up, found.peer) == (True, "109.71.67.231")
    assert found.said == "1 of 1 selectors of ESMAO-Lomtec (109.71.67.231) are up"
    assert found.facts == {"peer": "109.71.67.231", "phase1": "ESMAO-Lomtec"}


async def test_of_a_recorded_fortigate_with_many_tunnels_those_that_are_up_are_counted(shared: Path) -> None:
    """The names of phase 1 were made the same by who recorded it: all its selectors are then one tunnel's."""
    device = recorded(shared, "fortigate_1500d")
    found = await fortigate.fetch(device, "redacted")
    one = await fortigate.fetch(device, "P2_Motiv")

    rows = [line for line in _lines(shared, "fortigate_1500d") if line.startswith(f"{FORTIGATE}.20.")]
    up = sum(line.endswith("|2") for line in rows)
    assert found.said.startswith(f"{up} of {len(rows)} selectors of redacted")
    assert (one.up, one.peer) == (True, "185.52.106.16")


async def test_a_fortigate_s_tunnel_that_is_not_there_is_our_mistake(shared: Path) -> None:
    with pytest.raises(ObserverError) as caught:
        await fortigate.fetch(recorded(shared, "fortigate_100e"), "ESMA")
    assert (caught.value.reason, caught.value.summary) == (
        "no-such-tunnel",
        "the FortiGate has no tunnel 'ESMA': did you mean 'ESMAO'?",
    )


async def test_a_fortigate_s_tunnel_that_is_down_keeps_its_row(tmp_path: Path) -> None:
    names = ("2.1|4|centre", "3.1|4|lan", "4.1|64|192.0.2.9", "18.1|70|10", "19.1|70|20", "20.1|2|1")
    found = await fortigate.fetch(written(tmp_path, *(f"{FORTIGATE}.{row}" for row in names)), "lan")

    assert (found.up, found.total) == (False, Count(10, 20))
    assert found.said == "0 of 1 selectors of centre (192.0.2.9) are up"


def _lines(shared: Path, name: str) -> list[str]:
    return (shared / "librenms" / "snmprec" / f"{name}.snmprec").read_text(encoding="latin-1").splitlines()
