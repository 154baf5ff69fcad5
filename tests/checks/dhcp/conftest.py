"""Recordings, and a LAN of network namespaces with real DHCP servers on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.model import Outcome
from tests.peers import need, running, wait_until, which

TOP = Path(__file__).parents[3]
DNSMASQ = (
    "dnsmasq --keep-in-foreground --conf-file=/dev/null --port=0 --no-ping --bind-interfaces --user=root "
    "--log-facility=-"
)

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


@dataclasses.dataclass(frozen=True)
class Host:
    """A network namespace whose interface ``lan`` is in the LAN."""

    name: str
    files: Path

    def argv(self, *command: str) -> list[str]:
        return [which("ip") or "ip", "netns", "exec", self.name, *command]

    def __call__(self, *command: str) -> str:
        return subprocess.run(self.argv(*command), check=True, capture_output=True, text=True, cwd=TOP).stdout

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

    @contextlib.contextmanager
    def server(self, ready: str, *argv: str, **env: str) -> Iterator[None]:
        """A server on this host that is ready when it logs some words."""
        log = self.files / f"{self.name}-{secrets.token_hex(2)}.log"
        log.touch()
        with running(self.argv(*argv), ready=lambda: ready in log.read_text(errors="replace"), env=env, log=log):
            yield

    def dnsmasq(self, *options: str) -> contextlib.AbstractContextManager[None]:
        """Debian's dnsmasq on the LAN. It serves DHCP once it has named its range, or its relay."""
        leases = self.files / f"{self.name}.leases"
        listening = "" if any("dhcp-relay" in option for option in options) else "--interface=lan"
        argv = [*DNSMASQ.split(), *([listening] if listening else []), f"--dhcp-leasefile={leases}", *options]
        return self.server("DHCP", *argv)

    @contextlib.contextmanager
    def kea(self, version: int, subnet: dict[str, Any]) -> Iterator[Path]:
        """Debian's Kea for one subnet on the LAN; gives its control socket."""
        socket = self.files / f"kea{version}.sock"
        hooks = next(Path("/usr/lib").glob("*/kea/hooks"))
        config: dict[str, Any] = {
            "interfaces-config": {"interfaces": ["lan"]} | ({"dhcp-socket-type": "raw"} if version == 4 else {}),
            "lease-database": {"type": "memfile", "persist": False},
            "control-socket": {"socket-type": "unix", "socket-name": str(socket)},
            "hooks-libraries": [{"library": str(hooks / f"libdhcp_{name}_cmds.so")} for name in ("lease", "stat")],
            f"subnet{version}": [subnet],
            "loggers": [{"name": f"kea-dhcp{version}", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
        }
        if version == 6:
            config["data-directory"] = str(self.files)  # its DUID
        file = self.files / f"kea{version}.json"
        file.write_text(json.dumps({f"Dhcp{version}": config}))
        folders = {"KEA_PIDFILE_DIR": str(self.files), "KEA_LOCKFILE_DIR": str(self.files)}
        with self.server(f"DHCP{version}_STARTED", f"kea-dhcp{version}", "-c", str(file), **folders):
            yield socket


@dataclasses.dataclass(frozen=True)
class Lan:
    """An office's LAN: the agent's ``office``, the ``server`` at 10.61.3.1, and a ``stranger`` at 10.66.0.1."""

    office: Host
    server: Host
    stranger: Host


@pytest.fixture
def lan(tmp_path: Path) -> Iterator[Lan]:
    need("ip", root=True)
    ip = which("ip") or "ip"
    base = f"ts-{secrets.token_hex(4)}"
    switch, *hosts = (Host(f"{base}{letter}", tmp_path) for letter in "wosx")
    with contextlib.ExitStack() as undo:
        for host in (switch, *hosts):
            subprocess.run([ip, "netns", "add", host.name], check=True)
            undo.callback(subprocess.run, [ip, "netns", "del", host.name], check=True)
            # an address is usable at once, without looking for a duplicate first
            host("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad")
            host(ip, "link", "set", "dev", "lo", "up")
        switch(ip, "link", "add", "name", "ether", "type", "bridge", "forward_delay", "0", "mcast_snooping", "0")
        switch(ip, "link", "set", "dev", "ether", "up")
        for host, address in zip(hosts, ("", "10.61.3.1/24", "10.66.0.1/24"), strict=True):
            port = f"port-{host.name[-1]}"
            switch(ip, "link", "add", "name", port, "type", "veth", "peer", "name", "lan", "netns", host.name)
            switch(ip, "link", "set", "dev", port, "master", "ether", "up")
            host(ip, "link", "set", "dev", "lan", "up")
            if address:
                host(ip, "address", "add", address, "dev", "lan")
        yield Lan(*hosts)
