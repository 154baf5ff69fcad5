from __future__ import annotations

import dataclasses
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Network
from typing import Any

import pytest

from checks.contract import params_of
from checks.dhcp.answers import Answers, Offer, Offer6, Router
from checks.dhcp.check import CHECK
from checks.dhcp.format6 import Status
from checks.dhcp.judge import judge
from checks.dhcp.pool import Pool, Pools
from checks.errors import ObserverError
from checks.findings import Finding
from checks.model import Outcome, State

RIGHT = Offer(
    server=IPv4Address("10.61.3.1"),
    mac="02:00:00:00:00:01",
    relay=None,
    offered=IPv4Interface("10.61.3.50/24"),
    routers=(IPv4Address("10.61.3.1"),),
    dns=(IPv4Address("10.61.0.53"), IPv4Address("10.61.0.54")),
    lease=3600,
    circuit="",
    after=0.01,
)
ROGUE = Offer(
    server=IPv4Address("10.66.0.1"),
    mac="02:66:00:00:00:01",
    relay=None,
    offered=IPv4Interface("10.66.0.57/24"),
    routers=(IPv4Address("10.66.0.1"),),
    dns=(),
    lease=60,
    circuit="",
    after=0.02,
)
RIGHT6 = Offer6(
    server="00030001020000000001",
    mac="02:00:00:00:00:01",
    source=IPv6Address("fe80::1"),
    addresses=(IPv6Address("2001:db8:61::5"),),
    prefixes=(),
    dns=(IPv6Address("2001:db8::53"),),
    lease=3600,
    refusal=None,
    after=0.01,
)
ROUTER = Router(IPv6Address("fe80::1"), "02:00:00:00:00:01", 1800, (IPv6Network("2001:db8:61::/64"),), ())
EXPECT = {
    "servers": ["10.61.3.1"],
    "router": ["10.61.3.1"],
    "dns": ["10.61.0.53", "10.61.0.54"],
    "prefix": "10.61.3.0/24",
}
EXPECT6 = {"servers": ["fe80::1"], "routers": ["fe80::1"], "dns": ["2001:db8::53"], "prefix": "2001:db8:61::/48"}


def outcome(*heard: Offer | Offer6 | Router, pools: Pools | None = None, dropped: int = 0, **values: Any) -> Outcome:
    answers = Answers(
        tuple(one for one in heard if isinstance(one, Offer)),
        tuple(one for one in heard if isinstance(one, Offer6)),
        tuple(one for one in heard if isinstance(one, Router)),
        dropped,
    )
    return judge("eth1", answers, pools or Pools(), params_of(CHECK, values), {})


def test_the_right_offer_is_ok_and_tells_who_made_it() -> None:
    found = outcome(RIGHT, expect=EXPECT)
    assert (found.state, found.reason, found.answered) == (State.OK, "", True)
    assert found.summary == "eth1: addresses are offered by 10.61.3.1"
    assert found.facts == {
        "server.10.61.3.1.mac": "02:00:00:00:00:01",
        "server.10.61.3.1.prefix": "10.61.3.0/24",
        "server.10.61.3.1.router": "10.61.3.1",
        "server.10.61.3.1.dns": "10.61.0.53 10.61.0.54",
        "server.10.61.3.1.relay": "none",
    }
    assert {(m.name, m.instance): m.value for m in found.metrics} == {
        ("dhcp.servers", ""): 1,
        ("dhcp.servers", "IPv6"): 0,
        ("dhcp.routers", "IPv6"): 0,
        ("dhcp.offer.duration", "10.61.3.1"): 0.01,
        ("dhcp.lease.duration", "10.61.3.1"): 3600,
    }


def test_without_expectations_any_server_is_right() -> None:
    assert outcome(RIGHT, ROGUE).summary == "eth1: addresses are offered by 10.61.3.1, 10.66.0.1"
    assert outcome(RIGHT, ROGUE).state is State.OK


def test_an_unexpected_server_is_told_with_its_mac_and_its_offer() -> None:
    found = outcome(RIGHT, ROGUE, expect=EXPECT)
    assert (found.state, found.reason, found.answered) == (State.CRIT, "rogue-server", True)
    assert found.summary == (
        "eth1: rogue DHCP server 10.66.0.1 (MAC 02:66:00:00:00:01): offers 10.66.0.57/24, router 10.66.0.1, DNS none"
    )
    assert found.facts["rogue DHCP server 10.66.0.1"] == (
        "MAC 02:66:00:00:00:01, offers 10.66.0.57/24, router 10.66.0.1, DNS none"
    )


def test_a_server_that_takes_the_right_one_s_name_is_known_by_its_mac() -> None:
    impostor = dataclasses.replace(RIGHT, mac="02:66:00:00:00:01")
    found = outcome(RIGHT, impostor, expect=EXPECT | {"macs": ["02:00:00:00:00:01"]})
    assert (found.state, found.reason) == (State.CRIT, "rogue-server")
    assert found.summary.startswith("eth1: rogue DHCP server 10.61.3.1 (MAC 02:66:00:00:00:01): offers 10.61.3.50/24")


def test_a_rogue_s_answer_to_somebody_else_counts_too() -> None:
    found = outcome(RIGHT, dataclasses.replace(ROGUE, after=None, offered=IPv4Interface("0.0.0.0/24")), expect=EXPECT)
    assert found.reason == "rogue-server"
    assert found.summary.startswith(
        "eth1: rogue DHCP server 10.66.0.1 (MAC 02:66:00:00:00:01, overheard): offers no address"
    )


def test_a_rogue_alone_does_not_stand_for_the_server_that_is_dead() -> None:
    found = outcome(ROGUE, expect=EXPECT)
    assert (found.state, found.reason, found.answered) == (State.CRIT, "rogue-server", False)
    assert found.summary.endswith("; none of the expected DHCP servers (10.61.3.1) offers an address within 4 s")


def test_no_offer_at_all_is_an_outage() -> None:
    found = outcome()
    assert (found.state, found.reason, found.answered) == (State.CRIT, "no-offer", False)
    assert found.summary == "eth1: no DHCP server offers an address within 4 s"


def test_where_no_server_is_expected_silence_is_well() -> None:
    found = outcome(expect={"servers": []})
    assert (found.state, found.answered) == (State.OK, False)
    assert found.summary == "eth1: nobody offers addresses, and nobody has to"
    assert outcome(ROGUE, expect={"servers": []}).reason == "rogue-server"


@pytest.mark.parametrize(
    ("change", "state", "reason", "words"),
    [
        (
            {"routers": (IPv4Address("10.61.3.254"),)},
            State.CRIT,
            "wrong-router",
            "DHCP server 10.61.3.1 offers router 10.61.3.254: expected 10.61.3.1",
        ),
        ({"routers": ()}, State.CRIT, "wrong-router", "DHCP server 10.61.3.1 offers no router: expected 10.61.3.1"),
        (
            {"dns": (IPv4Address("10.61.0.53"), IPv4Address("8.8.8.8"))},
            State.CRIT,
            "wrong-dns",
            "DHCP server 10.61.3.1 offers DNS server 10.61.0.53, 8.8.8.8: expected 10.61.0.53, 10.61.0.54",
        ),
        (
            {"dns": (IPv4Address("10.61.0.53"),)},
            State.WARN,
            "wrong-dns",
            "DHCP server 10.61.3.1 offers DNS server 10.61.0.53: expected 10.61.0.53, 10.61.0.54",
        ),
        (
            {"offered": IPv4Interface("10.61.9.50/24")},
            State.CRIT,
            "wrong-prefix",
            "DHCP server 10.61.3.1 offers 10.61.9.50/24: expected an address of 10.61.3.0/24",
        ),
        (
            {"offered": IPv4Interface("10.61.3.50/16")},
            State.CRIT,
            "wrong-prefix",
            "DHCP server 10.61.3.1 offers 10.61.3.50/16: expected an address of 10.61.3.0/24",
        ),
    ],
)
def test_a_wrong_option_is_told_beside_the_right_one(
    change: dict[str, Any], state: State, reason: str, words: str
) -> None:
    found = outcome(dataclasses.replace(RIGHT, **change), expect=EXPECT)
    assert (found.state, found.reason, found.summary) == (state, reason, f"eth1: {words}")


def test_the_wrong_relay_and_none_are_warnings() -> None:
    expect = EXPECT | {"relay": "10.61.3.1"}
    assert outcome(dataclasses.replace(RIGHT, relay=IPv4Address("10.61.3.1")), expect=expect).state is State.OK
    other = outcome(dataclasses.replace(RIGHT, relay=IPv4Address("10.61.3.2")), expect=expect)
    assert (other.state, other.reason) == (State.WARN, "wrong-relay")
    assert other.summary == "eth1: DHCP server 10.61.3.1 answers through relay 10.61.3.2: expected through 10.61.3.1"
    none = outcome(RIGHT, expect=expect)
    assert none.summary == "eth1: DHCP server 10.61.3.1 answers without a relay: expected through 10.61.3.1"


def test_a_full_pool_explains_the_silence() -> None:
    found = outcome(expect=EXPECT, pools=Pools([Pool("7", 50, 50), Pool("8", 0, 0)]))
    assert (found.state, found.reason) == (State.CRIT, "pool-exhausted")
    assert found.summary == (
        "eth1: 50 of 50 addresses of subnet 7 are leased; "
        "none of the expected DHCP servers (10.61.3.1) offers an address within 4 s"
    )
    metrics = {(metric.name, metric.instance): metric.value for metric in found.metrics}
    assert [metrics[f"dhcp.pool.{name}", "7"] for name in ("used", "free", "total", "utilization")] == [50, 0, 50, 100]


def test_a_pool_that_fills_warns_before_it_is_full() -> None:
    found = outcome(RIGHT, pools=Pools([Pool("7", 50, 42)]))
    assert (found.state, found.reason) == (State.WARN, "pool")
    assert found.summary == "eth1: 42 of 50 addresses of subnet 7 are leased"


def test_pools_that_nobody_tells_leave_what_was_heard_standing() -> None:
    trouble = Finding(State.UNKNOWN, "kea", "Kea at /k does not tell its pools within 2 s")
    found = outcome(RIGHT, pools=Pools(troubles=[trouble]))
    assert (found.state, found.reason, found.answered) == (State.UNKNOWN, "kea", True)
    assert found.summary == "eth1: Kea at /k does not tell its pools within 2 s"


def test_the_first_offer_may_not_be_late() -> None:
    late = dataclasses.replace(RIGHT, after=1.5)
    assert outcome(late, ROGUE, offer_time={"warn": 1}).state is State.OK
    found = outcome(late, offer_time={"warn": 1})
    assert (found.state, found.reason, found.summary) == (State.WARN, "slow", "eth1: the first offer takes 1.5 s")


def test_a_flood_of_servers_is_counted_not_listed() -> None:
    flood = [dataclasses.replace(ROGUE, server=IPv4Address(n + 1)) for n in range(40)]
    found = outcome(RIGHT, *flood, expect=EXPECT, dropped=1000)
    assert found.reason == "rogue-server"
    assert found.summary.count("rogue DHCP server") == 16
    assert "; and 24 more like it; a flood: 1000 more frames of DHCP or router advertisements were not" in found.summary
    assert sum(key.startswith("rogue") for key in found.facts) == 16


def test_ipv6_as_expected_is_ok() -> None:
    found = outcome(RIGHT, RIGHT6, ROUTER, expect=EXPECT, expect6=EXPECT6)
    assert (found.state, found.summary) == (State.OK, "eth1: addresses are offered by 10.61.3.1, fe80::1")
    assert found.facts["router.fe80::1"] == (
        "MAC 02:00:00:00:00:01, advertises 2001:db8:61::/64 as the default router, DNS none"
    )
    assert found.facts["server.fe80::1.duid"] == "00030001020000000001"


def test_a_dhcpv6_server_may_be_named_by_its_duid() -> None:
    expect = EXPECT6 | {"servers": ["00:03:00:01:02:00:00:00:00:01"]}
    assert outcome(RIGHT, RIGHT6, expect6=expect).state is State.OK


def test_dhcpv6_is_missed_only_where_it_is_expected() -> None:
    assert outcome(RIGHT).state is State.OK
    found = outcome(RIGHT, expect6=EXPECT6)
    assert (found.state, found.reason) == (State.CRIT, "no-offer")
    assert found.summary == "eth1: none of the expected DHCPv6 servers (fe80::1) offers an address within 4 s"


def test_an_unexpected_dhcpv6_server_and_router_are_rogues() -> None:
    server = dataclasses.replace(RIGHT6, source=IPv6Address("fe80::66"), mac="02:66:00:00:00:01", server="0003")
    router = dataclasses.replace(ROUTER, source=IPv6Address("fe80::66"), mac="02:66:00:00:00:01")
    found = outcome(RIGHT, RIGHT6, ROUTER, server, router, expect6=EXPECT6)
    assert (found.state, found.reason) == (State.CRIT, "rogue-server")
    assert found.summary == (
        "eth1: rogue DHCPv6 server fe80::66 (MAC 02:66:00:00:00:01): "
        "offers 2001:db8:61::5, DNS 2001:db8::53, DUID 0003; "
        "rogue router fe80::66 (MAC 02:66:00:00:00:01): "
        "advertises 2001:db8:61::/64 as the default router, DNS none"
    )
    alone = outcome(RIGHT, router, expect6={"routers": []})
    assert (alone.state, alone.reason) == (State.CRIT, "rogue-router")


def test_a_dhcpv6_server_without_addresses_says_why() -> None:
    empty = dataclasses.replace(RIGHT6, addresses=(), refusal=Status(2, "none left"))
    found = outcome(RIGHT, empty, expect6=EXPECT6)
    assert (found.state, found.reason) == (State.CRIT, "no-offer")
    assert found.summary == "eth1: DHCPv6 server fe80::1 has nothing to offer (status 2: none left)"


def test_a_prefix_from_elsewhere_is_told() -> None:
    elsewhere = dataclasses.replace(ROUTER, prefixes=(IPv6Network("2001:db8:99::/64"),))
    found = outcome(RIGHT, RIGHT6, elsewhere, expect6=EXPECT6)
    assert (found.state, found.reason) == (State.CRIT, "wrong-prefix")
    assert found.summary == "eth1: router fe80::1 advertises 2001:db8:99::/64: expected within 2001:db8:61::/48"
    address = dataclasses.replace(RIGHT6, addresses=(IPv6Address("2001:db8:99::5"),))
    found = outcome(RIGHT, address, ROUTER, expect6=EXPECT6)
    assert found.summary == "eth1: DHCPv6 server fe80::1 offers 2001:db8:99::5: expected within 2001:db8:61::/48"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mac": "2:3"}, "mac '2:3': expected a MAC address such as 02:00:5e:10:00:01"),
        ({"expect": {"servers": ["fe80::1"]}}, "servers 'fe80::1': expected an IPv4 address"),
        ({"expect": {"macs": ["x"]}}, "macs 'x': expected a MAC address such as 02:00:5e:10:00:01"),
        (
            {"expect": {"prefix": "10.61.3.1/24"}},
            "prefix '10.61.3.1/24': expected an IPv4 network such as 10.61.3.0/24",
        ),
        ({"expect6": {"servers": ["dhcp"]}}, "servers 'dhcp': expected a DUID in hex or an IPv6 address"),
        ({"expect6": {"prefix": "10.0.0.0/8"}}, "expected an IPv6 network such as 2001:db8:61::/48"),
        ({"ipv4": False, "ipv6": False}, "ipv4 and ipv6 are both off: nothing would be asked"),
        ({"windw": 3}, "unknown parameter 'windw': did you mean 'window'?"),
    ],
)
def test_a_wrong_parameter_is_refused_with_what_was_expected(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert words in caught.value.summary
