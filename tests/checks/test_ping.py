from __future__ import annotations

import contextlib
import ipaddress
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks import ping
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError
from checks.model import Outcome, State
from checks.net.icmp import Refusal, Reply
from checks.ping import PingParams, Tally
from tests.peers import need, which

ADDRESS = ipaddress.ip_address("10.1.1.1")
QUICK = PingParams(count=3, spacing=0.01)

PROBE = """
import asyncio, json, os, sys
import msgspec
from checks import ping
from checks.contract import Context, SystemClock, Target, params_of
target, values, group = json.loads(sys.argv[1])
if group:
    os.setgroups([]); os.setgid(group); os.setuid(group)
try:
    run = ping.run(Target("n", target), params_of(ping.CHECK, values), Context(SystemClock(), 5.0, {}))
    outcome = asyncio.run(run)
except ping.ObserverError as error:
    outcome = error.outcome()
print(msgspec.json.encode(outcome).decode())
"""


class Namespace:
    """A network namespace whose router, at 10.9.9.1, is the outer half of a veth pair in a second namespace."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, *command: str) -> None:
        subprocess.run([which("ip") or "ip", "netns", "exec", self.name, *command], check=True)

    def ping(self, target: str, group: int = 0, **values: Any) -> Outcome:
        argv = ["netns", "exec", self.name, sys.executable, "-W", "error", "-c", PROBE]
        done = subprocess.run(
            [which("ip") or "ip", *argv, json.dumps([target, values, group])],
            check=True,
            capture_output=True,
            cwd=Path(__file__).parents[2],
        )
        return msgspec.json.decode(done.stdout, type=Outcome)


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    need("ip", "nft", root=True)
    ip = which("ip") or "ip"
    name = f"ts-{secrets.token_hex(4)}"
    far = f"{name}f"
    with contextlib.ExitStack() as undo:
        for one in (name, far):
            subprocess.run([ip, "netns", "add", one], check=True)
            undo.callback(subprocess.run, [ip, "netns", "del", one], check=True)
        inside = Namespace(name)
        router = Namespace(far)
        inside(ip, "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", far)
        for side, device, address in ((inside, "near", "10.9.9.2/24"), (router, "far", "10.9.9.1/24")):
            side(ip, "address", "add", address, "dev", device)
            side(ip, "link", "set", "dev", device, "up")
            side(ip, "link", "set", "dev", "lo", "up")
        router("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        inside(ip, "route", "add", "default", "via", "10.9.9.1")
        yield inside


@pytest.mark.root
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "[::1]", "localhost"])
async def test_loopback_answers(address: str) -> None:
    need(root=True)
    outcome = await ping.run(Target("n", address), QUICK, Context(SystemClock(), 5.0, {}))
    assert (outcome.state, outcome.answered) == (State.OK, True)
    assert outcome.summary == f"{address.strip('[]')}: answers pings"
    assert {metric.name: metric.unit for metric in outcome.metrics} == {
        "loss": "%",
        "rtt": "s",
        "rtt.min": "s",
        "rtt.max": "s",
        "jitter": "s",
    }
    assert all(0 <= metric.value < 5 for metric in outcome.metrics)


@pytest.mark.root
@pytest.mark.peer
@pytest.mark.slow
def test_in_a_network_loss_silence_and_a_router_s_no_are_told_apart(namespace: Namespace) -> None:
    assert namespace.ping("10.9.9.1", count=2, spacing=0.01).summary == "10.9.9.1: answers pings"

    unreachable = namespace.ping("10.77.0.1", count=2, spacing=0.01)
    assert (unreachable.state, unreachable.reason, unreachable.answered) == (State.CRIT, "unreachable", False)
    assert unreachable.summary == "10.77.0.1: network unreachable, says 10.9.9.1"

    drop_every_other = "numgen inc mod 2 == 1 icmp type echo-reply drop;"
    namespace("nft", f"table ip f {{ chain i {{ type filter hook input priority 0; {drop_every_other} }}; }}")
    lossy = namespace.ping("10.9.9.1", count=4, spacing=0.01, wait=0.3, loss={"warn": 5, "crit": 60})
    assert (lossy.state, lossy.reason, lossy.answered) == (State.WARN, "loss", True)
    assert lossy.summary == "10.9.9.1: 2 of 4 pings lost"

    namespace("nft", "add rule ip f i icmp type echo-reply drop")
    silent = namespace.ping("10.9.9.1", count=2, spacing=0.01, wait=0.2)
    assert (silent.state, silent.reason, silent.answered) == (State.CRIT, "timeout", False)
    assert silent.summary == "10.9.9.1: no answer to 2 pings"
    assert [(metric.name, metric.value) for metric in silent.metrics] == [("loss", 100.0)]


@pytest.mark.root
@pytest.mark.peer
@pytest.mark.slow
def test_without_the_capability_a_datagram_socket_serves_where_the_sysctl_allows(namespace: Namespace) -> None:
    nobody = 65534
    sysctl = "/proc/sys/net/ipv4/ping_group_range"
    refused = namespace.ping("10.9.9.1", group=nobody, count=1)
    assert (refused.state, refused.reason) == (State.UNKNOWN, "no-permission")
    assert refused.summary == (
        "this agent may not send ICMP: give its service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW), "
        "or put its group into the sysctl net.ipv4.ping_group_range (now 1 0)"
    )
    namespace("sh", "-c", f"echo 0 {nobody} > {sysctl}")
    assert namespace.ping("10.9.9.1", group=nobody, count=2, spacing=0.01).summary == "10.9.9.1: answers pings"
    assert namespace.ping("::1", group=nobody, count=2, spacing=0.01).summary == "::1: answers pings"


def test_loss_makes_a_warning_and_names_who_said_no() -> None:
    tally = Tally((*[Reply(0.01, "10.1.1.1")] * 4, Refusal("host unreachable", "10.0.0.1")))
    outcome = ping.judge("bk-1", ADDRESS, tally, PingParams(), Context(SystemClock(), 5.0, {}))
    assert (outcome.state, outcome.reason, outcome.answered) == (State.WARN, "loss", True)
    assert outcome.summary == "bk-1: 1 of 5 pings lost (host unreachable, says 10.0.0.1)"


def test_a_slow_round_trip_is_judged_by_the_median() -> None:
    tally = Tally(tuple(Reply(rtt, "10.1.1.1") for rtt in (0.4, 0.5, 9.0)))
    params = params_of(ping.CHECK, {"rtt": {"warn": 0.3, "crit": 1}})
    outcome = ping.judge("bk-1", ADDRESS, tally, params, Context(SystemClock(), 5.0, {}))
    assert (outcome.state, outcome.reason) == (State.WARN, "slow")
    assert outcome.summary == "bk-1: slow: the median round trip takes 0.5 s"


async def test_requests_that_do_not_fit_into_the_deadline_are_the_plan_s_fault() -> None:
    params = PingParams(count=50, spacing=1)
    with pytest.raises(ObserverError) as caught:
        await ping.run(Target("n", "127.0.0.1"), params, Context(SystemClock(), 10.0, {}))
    assert caught.value.summary == (
        "check ping: 50 requests 1 s apart do not fit into a deadline of 10 s: send fewer, or give the job more time"
    )


async def test_an_empty_target_is_refused() -> None:
    with pytest.raises(ObserverError, match="target '': expected a host name or address"):
        await ping.run(Target("n", ""), PingParams(), Context(SystemClock(), 10.0, {}))
