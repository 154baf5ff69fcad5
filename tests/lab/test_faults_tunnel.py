"""Faults of an office's tunnel, and what each check says of them. The line is well, and no check says otherwise."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from tests.lab.office import Office, office_of
from tests.lab.province import Province
from tests.lab.tunnels import strongswan

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

BEYOND = "10.80.1.65:862"
FILTER = "table ip f { chain f { type filter hook forward priority 0; udp dport 4500 drop; }; }"


def test_the_tunnel_is_negotiated_but_cut(office: Office) -> None:
    """A filter on the way lets pass all but ESP in UDP."""
    provider = office.province.router("d1")
    provider("nft", FILTER)
    try:
        seen = office.see()
    finally:
        provider("nft", "delete table ip f")
    mended = office.see()

    assert seen.wrong == {"tunnel": "CRIT no-traffic"}
    assert seen["tunnel"].facts["verdict"] == "negotiated only"
    assert seen["tunnel"].summary == (
        "office: negotiated only: the IKE SA with 10.80.1.2 is ESTABLISHED, its CHILD_SA INSTALLED, but none of 10 "
        f"packets to {BEYOND} came back"
    )
    assert (seen.value("tunnel", "vpn.up"), seen.value("tunnel", "vpn.loss")) == (1, 100)
    assert mended.wrong == {}


def test_traffic_leaks_round_the_tunnel(office: Office) -> None:
    """A rule for routes at each end comes before those of the tunnel, and leads to the router."""
    for end, other in office.wire.ends:
        gateway = end.address.rpartition(".")[0] + ".1"
        end.where.ip("route", "add", other.lan, "via", gateway, "table", "99")
        end.where.ip("rule", "add", "priority", "99", "lookup", "99")
    try:
        seen = office.see()
    finally:
        for end, _ in office.wire.ends:
            end.where.ip("rule", "del", "priority", "99")
            end.where.ip("route", "flush", "table", "99")
    mended = office.see()

    assert seen.wrong == {"tunnel": "CRIT leaking"}
    assert seen["tunnel"].facts["verdict"] == "leaking"
    assert f"10 of 10 packets to {BEYOND} came back" in seen["tunnel"].summary
    assert "the tunnel carried 0 there and 0 back" in seen["tunnel"].summary
    assert (seen.value("tunnel", "vpn.up"), seen.value("tunnel", "vpn.loss")) == (1, 0)
    assert mended.wrong == {}


def test_the_pre_shared_key_is_wrong(small: Province, short: Path) -> None:
    with office_of(small, "c2", short, functools.partial(strongswan, wrong_key=True)) as office:
        seen = office.see()
        for end, other in office.wire.ends:
            end.where.ip("route", "del", "unreachable", other.lan)
        careless = office.see("tunnel")

    assert seen.wrong == {"tunnel": "CRIT tunnel-down"}
    assert seen["tunnel"].facts["verdict"] == "down"
    assert "charon has no SA of office: the negotiation failed" in seen["tunnel"].summary
    assert (seen.value("tunnel", "vpn.up"), seen.value("tunnel", "vpn.loss")) == (0, 100)
    # Where nothing but the tunnel's own route keeps traffic off the line, it goes there in the clear.
    assert careless.wrong == {"tunnel": "CRIT leaking"}
