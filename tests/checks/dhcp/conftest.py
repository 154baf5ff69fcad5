"""Recordings, and a LAN of network namespaces."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.model import Outcome
from tests.lab.netns import Namespace, namespaces
from tests.peers import need, wait_until

PROBE = """
import asyncio, json, sys
import msgspec
from checks.contract import Context, SystemClock, Target, params_of
from checks.dhcp.check import CHECK
from checks.errors import CheckError
target, values, runs = json.loads(sys.argv[1])
context = Context(SystemClock(), 20.0, {})
for _ in range(runs):
    try:
        outcome = asyncio.run(CHECK.run(Target("n", target), params_of(CHECK, values), context))
    except CheckError as error:
        outcome = error.outcome()
assert "scapy" not in sys.modules
print(msgspec.json.encode(outcome).decode())
"""


@pytest.fixture
def captures(request: pytest.FixtureRequest) -> Path:
    """The folder of DHCP captures: that of ``--captures``, else the shared one."""
    given: Path | None = request.config.getoption("--captures")
    if given is not None:
        return given
    shared: Path = request.getfixturevalue("shared")
    return shared / "dhcp"


class Host(Namespace):
    """A network namespace whose interface ``lan`` is in the LAN."""

    @property
    def mac(self) -> str:
        return str(json.loads(self("ip", "-j", "link", "show", "dev", "lan"))[0]["address"])

    @property
    def link_local(self) -> str:
        """Its link-local address, which the kernel gives it in its own time."""
        wait_until(lambda: bool(self._link_local()), f"a link-local address in {self.name}")
        return self._link_local()[0]

    def _link_local(self) -> list[str]:
        shown = json.loads(self("ip", "-6", "-j", "address", "show", "dev", "lan", "scope", "link"))
        return [str(entry["local"]) for device in shown for entry in device.get("addr_info", [])]

    def check(self, *, prefix: Sequence[str] = (), runs: int = 1, target: str = "lan", **params: Any) -> Outcome:
        """The outcome of the check on this host; ``prefix`` begins its command line."""
        values = json.dumps([target, {"window": 0.8} | params, runs])
        return msgspec.json.decode(self(*prefix, sys.executable, "-W", "error", "-c", PROBE, values), type=Outcome)


@dataclasses.dataclass(frozen=True)
class Lan:
    """An office's LAN: the agent's ``office``, the ``server`` at 10.61.3.1, and a ``stranger`` at 10.66.0.1."""

    office: Host
    server: Host
    stranger: Host


@pytest.fixture
def lan() -> Iterator[Lan]:
    need("ip", root=True)
    with namespaces("switch", "office", "server", "stranger") as (switch, *others):
        hosts = [Host(one.name) for one in others]
        switch.ip("link", "add", "name", "ether", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        switch.address("ether")
        for host, port, prefixes in zip(hosts, "osx", ([], ["10.61.3.1/24"], ["10.66.0.1/24"]), strict=True):
            # IPv6 on, with addresses that are usable at once, without looking for a duplicate first
            host("sh", "-c", "cd /proc/sys/net/ipv6/conf; echo 0 | tee */disable_ipv6 default/accept_dad")
            switch.ip("link", "add", "name", port, "type", "veth", "peer", "name", "lan", "netns", host.name)
            switch.ip("link", "set", "dev", port, "master", "ether", "up")
            host.address("lan", *prefixes)
        yield Lan(*hosts)
