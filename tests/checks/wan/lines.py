"""A site with two lines to the centre, each through a router of its provider, and an agent in the site's LAN.

::

                        10.9.1.0/24  main  10.9.2.0/24 [link]
    agent --- near <                                      > far (10.9.9.9)
       10.9.0.0/24      10.9.3.0/24  spare 10.9.4.0/24

Over IPv6 the networks are fd09:0::/64 and so on, and the far end is fd09:9::9. Routers have .1 on their far side's
network and .2 on the near one's.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from checks.model import Outcome
from tests.lab.link import Link, link
from tests.lab.netns import Namespace, cable, namespaces

ROOT = Path(__file__).parents[3]
FAR, FAR6 = "10.9.9.9", "fd09:9::9"
KERNEL = {
    "ipv4/ip_forward": 1,
    "ipv6/conf/*/disable_ipv6": 0,
    "ipv6/conf/*/accept_dad": 0,
    "ipv6/conf/all/forwarding": 1,
    # A router sends few ICMP errors a second; tests ask for more, and several tools ask at once.
    "ipv4/icmp_ratelimit": 0,
    "ipv6/icmp/ratelimit": 0,
}
QUICK: dict[str, Any] = {"count": 10, "spacing": 0.01, "wait": 0.5}

AGENT = """
import asyncio, json, os, sys
import msgspec
from checks.contract import SystemClock, Target, params_of
from checks.model import Job, Plan
from checks.wan import CHECK
from agent.runner import Runner, among
async def main():
    runner = Runner(among({"wan": CHECK}), SystemClock())
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    if sys.argv[1:]:
        os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1]))
    while line := await reader.readline():
        target, deadline, params = json.loads(line)
        job = Job("n", "wan", "l", target, 60.0, deadline, 60.0, params)
        print(msgspec.json.encode((await runner.run(job)).outcome).decode(), flush=True)
asyncio.run(main())
"""


class Agent:
    """An agent's runner in a namespace: what a job remembers it keeps from run to run, as long as its parameters stay
    the same."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def wan(self, target: str = FAR, deadline: float = 10.0, **params: Any) -> Outcome:
        """One run of the check."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([target, deadline, QUICK | params]).encode() + b"\n")
        self._process.stdin.flush()
        return msgspec.json.decode(self._process.stdout.readline(), type=Outcome)


@contextlib.contextmanager
def agent_in(where: Namespace, group: int = 0) -> Iterator[Agent]:
    """An agent, of root or of another user and group."""
    argv = where.argv("env", f"PYTHONPATH={ROOT}", sys.executable, "-W", "error", "-c", AGENT)
    argv += [str(group)] if group else []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
        try:
            yield Agent(process)
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


@dataclasses.dataclass(frozen=True)
class Lines:
    """The namespaces, and the emulated link from ``main`` to ``far``."""

    agent: Namespace
    near: Namespace
    main: Namespace
    spare: Namespace
    far: Namespace
    link: Link

    def fail_over(self) -> None:
        """Both ends send by the other line."""
        self._by(4, "10.9.3.2", "10.9.4.1")
        self._by(6, "fd09:3::2", "fd09:4::1")

    def _by(self, version: int, near: str, far: str) -> None:
        there, back = (FAR, "10.9.0.0/24") if version == 4 else (FAR6, "fd09:0::/64")
        self.near.ip(f"-{version}", "route", "replace", there, "via", near)
        self.far.ip(f"-{version}", "route", "replace", back, "via", far)

    def build(self) -> None:
        """Addresses and routes; traffic goes by ``main``."""
        _join(0, self.near, "lan", self.agent, "eth0")
        _join(1, self.near, "main0", self.main, "m0")
        _join(3, self.near, "spare0", self.spare, "s0")
        _join(4, self.spare, "s1", self.far, "spare1")
        for version, there, back, net in (
            (4, FAR, "10.9.0.0/24", "10.9.{}.{}"),
            (6, FAR6, "fd09:0::/64", "fd09:{}::{}"),
        ):
            for router, to_far, to_near in ((self.main, (2, 2), (1, 1)), (self.spare, (4, 2), (3, 1))):
                router.ip(f"-{version}", "route", "add", there, "via", net.format(*to_far))
                router.ip(f"-{version}", "route", "add", back, "via", net.format(*to_near))
            self.agent.ip(f"-{version}", "route", "add", "default", "via", net.format(0, 1))
            self.far.ip(f"-{version}", "address", "add", there, "dev", "lo")
            self._by(version, net.format(1, 2), net.format(2, 1))


def _join(number: int, near: Namespace, device: str, far: Namespace, other: str) -> None:
    """A network between two namespaces: .1 here, .2 there."""
    cable(near, device, far, other)
    _address(number, 1, near, device)
    _address(number, 2, far, other)


def _address(number: int, host: int, where: Namespace, device: str) -> None:
    where.address(device, f"10.9.{number}.{host}/24")
    where.ip("address", "add", f"fd09:{number}::{host}/64", "dev", device, "nodad")


@contextlib.contextmanager
def lines() -> Iterator[Lines]:
    """The whole, with traffic by ``main``."""
    with namespaces("agent", "near", "main", "spare", "far", "mid") as (agent, near, main, spare, far, mid):
        for one in (agent, near, main, spare, far):
            one("sh", "-c", "\n".join(f"echo {value} | tee /proc/sys/net/{file}" for file, value in KERNEL.items()))
        cable(main, "m1", mid, "a")
        cable(far, "main1", mid, "b")
        for device in ("a", "b"):
            mid.address(device)
        _address(2, 1, main, "m1")
        _address(2, 2, far, "main1")
        with link(mid, "a", "b") as emulator:
            made = Lines(agent, near, main, spare, far, emulator)
            made.build()
            yield made


def values_of(outcome: Outcome) -> dict[str, float]:
    """Metrics by name, with the instance behind a colon if there is one."""
    return {f"{m.name}:{m.instance}".rstrip(":"): m.value for m in outcome.metrics}
