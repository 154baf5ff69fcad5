"""What the check says of a line whose faults are known, in a site of network namespaces."""

from __future__ import annotations

import contextlib
import functools
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.model import Outcome, State
from tests.checks.snmp.devices import CONFIG
from tests.checks.stamp.test_line import KEY, reflecting
from tests.checks.wan.lines import FAR, FAR6, Agent, Lines, agent_in, lines, values_of
from tests.lab.link import Shape
from tests.lab.netns import Namespace
from tests.peers import need, running, wait_until, which

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

MAIN, SPARE = {FAR: "10.9.1.2", FAR6: "fd09:1::2"}, {FAR: "10.9.3.2", FAR6: "fd09:3::2"}
BOTH = pytest.mark.parametrize("target", [FAR, FAR6], ids=["IPv4", "IPv6"])
DROP_LARGE = """table inet f { chain i { type filter hook forward priority 0;
    ip length > 1427 drop; ip6 length > 1387 drop; }; }"""  # without the 40 bytes of its header
NO_ERRORS = """table inet f { chain o { type filter hook output priority 0;
    icmp type destination-unreachable drop; icmpv6 type packet-too-big drop; }; }"""


@pytest.fixture
def site() -> Iterator[Lines]:
    need("ip", "nft", "ping", root=True)
    with lines() as made:
        for target in (FAR, FAR6):  # so that neighbours know each other
            wait_until(functools.partial(answers, made.agent, target), f"an answer of {target}")
        yield made


@pytest.fixture
def agent(site: Lines) -> Iterator[Agent]:
    with agent_in(site.agent) as made:
        yield made


def answers(agent: Namespace, target: str) -> bool:
    return "1 received" in agent("sh", "-c", f"ping -c1 -W1 {target} || true")


def traceroute(agent: Namespace, target: str) -> str:
    """The hops that Debian's traceroute sees, by ICMP too."""
    said = agent("traceroute", "-n", "-I", "-q2", "-w1", target)
    return " ".join(re.findall(r"(?m)^ *\d+  (\S+)", said))


def tracepath(agent: Namespace, target: str) -> int:
    """The path MTU that Debian's tracepath finds."""
    found = re.search(r"Resume: pmtu (\d+)", agent("tracepath", "-n", target))
    assert found
    return int(found[1])


@BOTH
def test_the_path_is_the_one_that_traceroute_sees_and_its_move_to_the_backup_is_told(
    site: Lines, agent: Agent, target: str
) -> None:
    need("traceroute")
    way: dict[str, Any] = {"path": {"primary": [MAIN[target]], "backup": [SPARE[target]]}}

    before = agent.wan(target, **way)
    assert (before.state, before.summary) == (State.OK, f"{target}: the line carries traffic")
    assert before.facts == {"path": traceroute(site.agent, target), "line": "primary"}
    assert MAIN[target] in before.facts["path"]

    site.fail_over()
    after = agent.wan(target, **way)
    assert (after.state, after.reason) == (State.WARN, "on-backup")
    assert after.facts == {"path": traceroute(site.agent, target), "line": "backup"}
    assert SPARE[target] in after.facts["path"]


def test_a_router_that_keeps_silent_is_a_star_and_becomes_no_change_when_it_speaks(site: Lines, agent: Agent) -> None:
    site.main("nft", "table ip s { chain o { type filter hook output priority 0; icmp type time-exceeded drop; }; }")
    silent = agent.wan()
    site.main("nft", "delete", "table", "ip", "s")

    assert silent.facts["path"] == f"10.9.0.1 * {FAR}"
    assert agent.wan().facts == silent.facts


@BOTH
def test_a_smaller_mtu_that_routers_tell_is_the_one_that_tracepath_finds(
    site: Lines, agent: Agent, target: str
) -> None:
    need("tracepath")
    site.main.ip("link", "set", "dev", "m1", "mtu", "1380")
    site.far.ip("link", "set", "dev", "main1", "mtu", "1380")

    outcome = agent.wan(target, mtu={"expected": 1500})

    assert (outcome.state, outcome.reason) == (State.WARN, "mtu")
    assert outcome.summary == (
        f"{target}: the path MTU is 1380, 1500 expected: packets of more are refused by {MAIN[target]}"
    )
    assert values_of(outcome)["wan.path_mtu"] == tracepath(site.agent, target) == 1380
    assert agent.wan(target, mtu={"expected": 1380}).state is State.OK


@BOTH
def test_large_packets_that_vanish_are_a_black_hole_with_the_size_that_passes(
    site: Lines, agent: Agent, target: str
) -> None:
    site.main("nft", DROP_LARGE)

    outcome = agent.wan(target, mtu={"expected": 1500})

    assert (outcome.state, outcome.reason) == (State.WARN, "mtu-black-hole")
    assert "packets of more than 1427 bytes vanish without a word" in outcome.summary
    assert outcome.facts["mtu"] == "1427"


@BOTH
def test_an_error_that_is_filtered_makes_a_black_hole_of_a_small_link(site: Lines, agent: Agent, target: str) -> None:
    site.main.ip("link", "set", "dev", "m1", "mtu", "1400")
    site.main("nft", NO_ERRORS)

    outcome = agent.wan(target, mtu={"expected": 1500})

    assert (outcome.reason, values_of(outcome)["wan.path_mtu"]) == ("mtu-black-hole", 1400)


@BOTH
def test_an_mtu_beyond_this_host_s_own_interface_is_not_the_line_s_fault(
    site: Lines, agent: Agent, target: str
) -> None:
    outcome = agent.wan(target, mtu={"expected": 9000})

    assert (outcome.state, outcome.reason) == (State.UNKNOWN, "mtu-untested")
    assert "own interface carries no more than 1500 bytes" in outcome.summary


def test_the_mtu_of_a_new_path_is_searched_at_once(site: Lines, agent: Agent) -> None:
    site.spare.ip("link", "set", "dev", "s1", "mtu", "1400")
    search: dict[str, Any] = {"mtu": {"expected": 1500, "every": 1000}}

    assert agent.wan(**search).state is State.OK
    site.fail_over()
    assert agent.wan(**search).reason == "mtu"


@pytest.mark.parametrize(
    ("shapes", "words"),
    [({"forward": Shape(loss=20)}, "on the way there"), ({"backward": Shape(loss=20)}, "on the way back")],
    ids=["there", "back"],
)
def test_a_fifth_lost_one_way_is_told_in_that_direction(
    site: Lines, agent: Agent, tmp_path: Path, shapes: dict[str, Shape], words: str
) -> None:
    with reflecting(site.far, tmp_path / "reflector.log"):
        before = site.link.shape(**shapes)
        outcome = agent.wan(reflector=FAR, key=KEY, count=500, spacing=0.004, path={"hops": 0})
        after = site.link.shape()

    lost = after.forward.lost - before.forward.lost + after.backward.lost - before.backward.lost
    way, other = ("forward", "backward") if "there" in words else ("backward", "forward")
    values = values_of(outcome)
    assert (outcome.state, outcome.reason) == (State.WARN, "loss")
    assert re.search(rf"\d\d+ {words}", outcome.summary)
    assert values["wan.loss"] == pytest.approx(100 * lost / 500, abs=0.5)  # a neighbour may have been asked for
    assert values[f"wan.loss.{way}"] == pytest.approx(values["wan.loss"], abs=3)
    assert values[f"wan.loss.{other}"] == 0


def test_without_a_reflector_s_answer_the_line_is_measured_by_echo_and_that_is_told(agent: Agent) -> None:
    outcome = agent.wan(reflector=f"{FAR}:8620")

    assert (outcome.state, outcome.reason, outcome.answered) == (State.WARN, "reflector", True)
    assert outcome.summary == (
        f"{FAR}: the reflector {FAR}:8620: connection refused: nothing listens there; measured by echo, "
        "loss has no direction"
    )
    assert values_of(outcome)["wan.loss"] == 0


def test_a_delay_of_300_ms_is_measured_and_judged(site: Lines, agent: Agent) -> None:
    bare = values_of(agent.wan(wait=1.0))["wan.rtt.p50"]
    site.link.shape(forward=Shape(delay=0.1), backward=Shape(delay=0.2))

    outcome = agent.wan(wait=1.0, rtt={"warn": 0.2})

    assert (outcome.state, outcome.reason) == (State.WARN, "slow")
    values = values_of(outcome)
    assert values["wan.rtt.p50"] - bare == pytest.approx(0.3, abs=0.005)
    assert values["wan.rtt.p95"] >= values["wan.rtt.p50"]


def test_a_line_that_is_cut_is_down_and_how_far_one_gets_is_told(site: Lines, agent: Agent) -> None:
    assert agent.wan().state is State.OK
    site.main.ip("link", "set", "dev", "m1", "down")

    cut = agent.wan()
    assert (cut.state, cut.answered, values_of(cut)["wan.loss"]) == (State.CRIT, False, 100)
    assert cut.reason in ("timeout", "unreachable")

    site.near("nft", "table ip c { chain f { type filter hook forward priority 0; oif main0 drop; }; }")
    silent = agent.wan()
    assert (silent.state, silent.reason) == (State.CRIT, "timeout")
    assert silent.summary == f"{FAR}: no answer to 10 packets; the last on the way that answers is 10.9.0.1"


def test_a_router_without_a_way_says_so(site: Lines, agent: Agent) -> None:
    site.near.ip("link", "set", "dev", "main0", "down")

    outcome = agent.wan()

    assert (outcome.state, outcome.reason) == (State.CRIT, "unreachable")
    assert outcome.summary == f"{FAR}: network unreachable, says 10.9.0.1"


def test_this_host_s_own_interface_is_no_outage_of_the_line(site: Lines, agent: Agent) -> None:
    site.near.ip("link", "set", "dev", "lan", "down")
    wait_until(lambda: "NO-CARRIER" in site.agent("ip", "link", "show", "dev", "eth0"), "the cable to be out")
    pulled = agent.wan()
    site.agent.ip("link", "set", "dev", "eth0", "down")
    off = agent.wan()

    assert (pulled.state, pulled.reason) == (State.UNKNOWN, "interface-down")
    assert pulled.summary == (
        "interface eth0 of this agent's host, with 10.9.0.2, has no link: see to its cable or switch port"
    )
    assert (off.state, off.reason) == (State.UNKNOWN, "no-route")


def test_packets_leave_from_the_source_that_was_asked_for(site: Lines, agent: Agent) -> None:
    site.agent.address("eth0", "10.9.0.7/24")
    site.near("nft", "table ip s { chain f { type filter hook forward priority 0; ip saddr 10.9.0.7 drop; }; }")

    assert agent.wan().state is State.OK
    assert agent.wan(source="10.9.0.7").state is State.CRIT
    foreign = agent.wan(source="192.0.2.1")
    assert (foreign.state, foreign.reason) == (State.UNKNOWN, "no-address")


def test_nobody_needs_a_capability_where_the_sysctl_allows_and_is_told_where_not(site: Lines) -> None:
    nobody = 65534
    site.main.ip("link", "set", "dev", "m1", "mtu", "1400")
    with agent_in(site.agent, nobody) as agent:
        refused = agent.wan()
        site.agent("sh", "-c", f"echo 0 {nobody} > /proc/sys/net/ipv4/ping_group_range")
        allowed = [agent.wan(target, mtu={"expected": 1500}) for target in (FAR, FAR6)]

    assert (refused.state, refused.reason) == (State.UNKNOWN, "no-permission")
    assert "CAP_NET_RAW" in refused.summary
    assert "net.ipv4.ping_group_range (now 1 0)" in refused.summary
    assert [outcome.facts["path"] for outcome in allowed] == [
        f"10.9.0.1 {MAIN[FAR]} {FAR}",
        f"fd09::1 {MAIN[FAR6]} {FAR6}",
    ]
    assert [(outcome.reason, outcome.facts["mtu"]) for outcome in allowed] == [("mtu", "1400")] * 2


FLOOD = """
import socket, sys, time
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
print("ready", flush=True)
while True:
    for _ in range(10):
        try:
            out.sendto(bytes(1000), (sys.argv[1], 9))
        except OSError:
            pass
    time.sleep(0.02)
"""


@contextlib.contextmanager
def snmpd(where: Namespace, folder: Path) -> Iterator[None]:
    """Debian's snmpd in a router, as it is when its counters are fresh."""
    config, log = folder / "snmpd.conf", folder / "snmpd.log"
    config.write_text(CONFIG.format(address="10.9.0.1", port=161))
    argv = where.argv(which("snmpd") or "snmpd", "-f", "-C", "-c", str(config), "-Lo", "-p", str(folder / "pid"))
    with running(
        argv, ready=lambda: "NET-SNMP version" in log.read_text(), env={"SNMP_PERSISTENT_DIR": str(folder)}, log=log
    ):
        yield


def test_a_line_that_is_full_is_congested_by_the_counters_of_a_real_router(
    site: Lines, agent: Agent, tmp_path: Path
) -> None:
    need("snmpd", "tc")
    interface = {"router": "10.9.0.1", "name": "main0", "capacity": 2e6}
    seen: list[Outcome] = []

    def congested() -> bool:
        seen.append(agent.wan(wait=1.0, count=20, spacing=0.1, interface=interface))
        return seen[-1].reason == "congested"

    site.far(
        "nft", "table ip q { chain i { type filter hook input priority 0; udp dport 9 drop; }; }"
    )  # no answers to it
    site.near("tc", "qdisc", "add", "dev", "main0", "root", "tbf", "rate", "2mbit", "burst", "4kb", "latency", "200ms")
    with snmpd(site.near, tmp_path):
        assert not congested()
        with running(site.agent.argv(sys.executable, "-c", FLOOD, FAR), ready=lambda: True):
            wait_until(congested, "snmpd's counters, some seconds old, to show it", 60)

    values = values_of(seen[-1])
    assert seen[0].state is State.OK
    assert seen[-1].summary.startswith(f"{FAR}: congested: ")
    assert "% of 2 Mbit/s out by main0" in seen[-1].summary
    assert values["ifOutUtilization:main0"] >= 90
    assert values["ifInUtilization:main0"] < 50
    assert values["wan.rtt.p50"] > 0.05


def test_an_access_interface_that_is_down_is_named(site: Lines, agent: Agent, tmp_path: Path) -> None:
    need("snmpd")
    watched: dict[str, Any] = {"interface": {"router": "10.9.0.1", "name": "main0"}}
    with snmpd(site.near, tmp_path):
        assert agent.wan(**watched).state is State.OK
        wrong = agent.wan(interface={"router": "10.9.0.1", "name": "main9"})
        site.near.ip("link", "set", "dev", "main0", "down")
        wait_until(lambda: "is down" in agent.wan(**watched).summary, "snmpd to notice")
        site.fail_over()
        elsewhere = agent.wan(**watched)

    assert (wrong.state, wrong.reason) == (State.UNKNOWN, "access-unknown")
    assert "no interface is called 'main9': did you mean 'main0'?" in wrong.summary
    assert (elsewhere.state, elsewhere.reason) == (State.CRIT, "access-down")
