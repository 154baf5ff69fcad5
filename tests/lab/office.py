"""An office of the lab's province with all that it has, and what its agent says of that, check by check.

====== ===================================================================================
job    is
====== ===================================================================================
line   ``wan`` to the far end of the primary line, with the router's interface and the MTU
way    ``wan`` to the reflector at the centre, whichever line carries it
stamp  ``stamp`` to that reflector
ping   ``ping`` to the centre
router ``snmp`` of the office's router
lan    ``dhcp`` in the office's LAN
tunnel ``vpn``, with the reflector behind it
====== ===================================================================================
"""

from __future__ import annotations

import contextlib
import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from checks.model import Job, Measurement, Outcome, State
from tests.checks.stamp.test_line import KEY, reflecting
from tests.lab.dhcp import dnsmasq
from tests.lab.layout import LAN, Node
from tests.lab.line import Line
from tests.lab.netns import Namespace
from tests.lab.province import Province
from tests.lab.router import Router
from tests.lab.tunnels import End, Tunnel, Wire

MakeTunnel = Callable[[Wire, Path], contextlib.AbstractContextManager[Tunnel]]

CAPACITY: Final = 2_000_000
"""Of the line, in bit/s, by its contract."""
_TOP: Final = Path(__file__).parents[2]
_RUN: Final[dict[str, Any]] = {"count": 80, "spacing": 0.01, "wait": 0.8}
_SLOW: Final = {"warn": 0.2}
_DEADLINE: Final = 15.0
LABELS: Final = ("line", "way", "stamp", "ping", "router", "lan", "tunnel")

_AGENT: Final = """
import asyncio, sys
import msgspec
from agent.runner import Runner
from checks.contract import SystemClock
from checks.model import Job
from checks.registry import find
async def main():
    runner = Runner(find, SystemClock())
    while line := await asyncio.to_thread(sys.stdin.readline):
        jobs = msgspec.json.decode(line, type=list[Job])
        seen = await asyncio.gather(*map(runner.run, jobs))
        print(msgspec.json.encode(seen).decode(), flush=True)
asyncio.run(main())
"""


class Seen(dict[str, Outcome]):
    """The outcomes of one run of the jobs, by their labels."""

    @property
    def wrong(self) -> dict[str, str]:
        """The state and reason of each job that is not OK."""
        return {
            label: f"{outcome.state.value} {outcome.reason}"
            for label, outcome in self.items()
            if outcome.state is not State.OK
        }

    def value(self, label: str, metric: str, instance: str = "") -> float:
        """A metric of a job."""
        return next(m.value for m in self[label].metrics if (m.name, m.instance) == (metric, instance))


class Agent:
    """An agent's runner in a namespace. What a job remembers it keeps from run to run."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def run(self, jobs: list[Job]) -> list[Measurement]:
        """Runs jobs, all at once."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(jobs) + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=list[Measurement])


@contextlib.contextmanager
def agent_in(where: Namespace) -> Iterator[Agent]:
    """An agent that remembers nothing yet."""
    argv = where.argv("env", f"PYTHONPATH={_TOP}", sys.executable, "-W", "error", "-c", _AGENT)
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_TOP) as process:
        try:
            yield Agent(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclasses.dataclass
class Office:
    """The office of a node. ``wire`` is what its tunnel joins: its own host and the centre's, with a part of the LAN
    behind each. ``dhcp`` ends the DHCP server of its LAN."""

    province: Province
    node: Node
    wire: Wire
    tunnel: Tunnel
    agent: Agent
    dhcp: contextlib.ExitStack

    @property
    def host(self) -> Namespace:
        """Where the agent runs."""
        return self.wire.office.where

    @property
    def router(self) -> Router:
        """Its router, which is the DHCP server of its LAN too."""
        return self.province.router(self.node.name)

    @property
    def line(self) -> Line:
        """Its primary line."""
        return self.province.line(self.node.name)

    def see(self, *labels: str, **changes: Mapping[str, Any]) -> Seen:
        """Runs the jobs of these labels once, or all. ``changes`` are parameters of a job, by its label, that differ
        from the usual; it forgets what it remembers then."""
        jobs = [
            Job(self.node.name, check, label, target, 60.0, _DEADLINE, 60.0, {**params, **changes.get(label, {})})
            for label, (check, target, params) in self._jobs().items()
            if label in (labels or LABELS)
        ]
        return Seen({job.label: found.outcome for job, found in zip(jobs, self.agent.run(jobs), strict=True)})

    def _jobs(self) -> dict[str, tuple[str, str, dict[str, Any]]]:
        """The check of each job, its target and parameters."""
        node, centre = self.node, self.wire.centre.address
        primary, *backups = (line.far_address for line in node.lines)
        access = {"router": node.gateway, "name": node.lines[0].device, "capacity": CAPACITY}
        path = {"primary": [primary], "backup": backups}
        reflector = {"reflector": centre, "key": KEY}
        tunnel = {"kind": "strongswan", "socket": str(self.tunnel.control), "key": KEY, "wait": 1.0}
        inside = {"through": self.wire.centre.host, "source": self.wire.office.host}
        served = {"servers": [node.gateway], "router": [node.gateway], "prefix": node.lan}
        return {
            "line": ("wan", primary, {**_RUN, "rtt": _SLOW, "interface": access, "mtu": {"expected": 1500}}),
            "way": ("wan", centre, {**_RUN, "rtt": _SLOW, **reflector, "path": path}),
            "stamp": ("stamp", centre, {**_RUN, "rtt": _SLOW, "key": KEY}),
            "ping": ("ping", centre, {**_RUN, "rtt": _SLOW}),
            "router": ("snmp", node.gateway, {"require_up": [line.device for line in node.lines]}),
            "lan": ("dhcp", LAN, {"window": 0.6, "ipv6": False, "expect": served}),
            "tunnel": ("vpn", self.tunnel.name, tunnel | inside),
        }


@contextlib.contextmanager
def office_of(province: Province, name: str, folder: Path, make: MakeTunnel) -> Iterator[Office]:
    """The office of a node: a DHCP server, a tunnel to the centre with a reflector behind it, and an agent that
    remembers nothing yet."""
    node = province.nodes[name]
    net = _net(node)
    wire = Wire(_end(province, node), _end(province, province.nodes["centre"]))
    for router in province.routers.values():
        # A router sends few ICMP errors a second; here many jobs want to hear of one thing at once.
        router("sysctl", "-qw", "net.ipv4.icmp_ratelimit=0")
    with contextlib.ExitStack() as undo:
        for end, other in wire.ends:
            undo.enter_context(_behind_a_tunnel(end, other))
        undo.enter_context(reflecting(wire.centre.where, folder / "reflector.log"))
        dhcp = undo.enter_context(contextlib.ExitStack())
        dhcp.enter_context(dnsmasq(province.router(name), folder, f"--dhcp-range={net}.100,{net}.199,1h"))
        tunnel = undo.enter_context(make(wire, folder))
        agent = undo.enter_context(agent_in(wire.office.where))
        yield Office(province, node, wire, tunnel, agent, dhcp)


def _net(node: Node) -> str:
    return node.lan.rpartition(".")[0]


def _end(province: Province, node: Node) -> End:
    """A quarter of the node's LAN, with an address of the office's host, is behind the tunnel."""
    return End(province.office(node.name), node.host, f"{_net(node)}.64/26", f"{_net(node)}.65", LAN)


@contextlib.contextmanager
def _behind_a_tunnel(end: End, other: End) -> Iterator[None]:
    """What is for the other end's LAN takes the tunnel, whose routes come before this one, or goes nowhere."""
    end.where("sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter")
    end.where.address("lo", f"{end.host}/26")
    end.where.ip("route", "add", "unreachable", other.lan, "metric", "999")
    try:
        yield
    finally:
        end.where.ip("address", "flush", "dev", "lo", "to", end.lan)
        end.where.ip("route", "flush", "exact", other.lan)
