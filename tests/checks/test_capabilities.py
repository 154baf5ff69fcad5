"""What a process without privileges can measure: every check works, or names the capability that it lacks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from checks.registry import CHECKS
from tests.checks.snmp.devices import device_in_namespace
from tests.chrony import chronyd
from tests.dovecot import dovecot
from tests.lab.netns import Namespace
from tests.nginx import nginx
from tests.peers import need, running
from tests.pki import issue
from tests.slapd import slapd
from tests.unbound import unbound

pytestmark = [pytest.mark.peer, pytest.mark.root]

AGENT = str(Path(sys.executable).with_name("thongsuot-agent"))
REFLECTOR = """
import asyncio
from checks.stamp.reflector import open_reflector
async def main():
    open_reflector("127.0.0.1", 862, lambda *_: b"")
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
NONE = ("--bounding-set=-all", "--inh-caps=-all")
RAW = ("--bounding-set=-all,+net_raw", "--inh-caps=-all,+net_raw", "--ambient-caps=+net_raw")
"""What the agent's unit gives it."""

TARGETS = {
    "config": "127.0.0.1",
    "dhcp": "lan0",
    "dns": "127.0.0.1",
    "host": "",
    "http": "http://127.0.0.1/",
    "imap": "127.0.0.1:{imap}",
    "ldap": "127.0.0.1",
    "ntp": "127.0.0.1",
    "ping": "127.0.0.1",
    "pop3": "127.0.0.1:{pop3}",
    "smtp": "127.0.0.1:{smtp}",
    "snmp": "{address}",
    "stamp": "127.0.0.1",
    "tcp": "127.0.0.1:80",
    "tls": "localhost:443",
    "vpn": "wg0",
    "wan": "127.0.0.1",
}
PARAMS = {
    "config": ["platform=frr", "username=nobody", "password=wrong"],
    "dhcp": ["window=0.2", "ipv6=false"],
    "dns": ["name=portal.bk.example"],
    "stamp": ["count=3"],
    "tls": ["ca_file={folder}/ca.pem"],
    "vpn": ["kind=wireguard", "through=127.0.0.1"],
    "wan": ["spacing=0.01"],
}
SSHD = 'mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec /usr/sbin/sshd -D -e -f /dev/null -h "$0" -o PidFile=none'
NO_ICMP = (
    "this agent may not send ICMP: give its service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW), "
    "or put its group into the sysctl net.ipv4.ping_group_range (now 1 0)"
)
LACKING = {
    "dhcp": "this agent may not open a packet socket on lan0: it lacks CAP_NET_RAW; "
    "give it to its service (AmbientCapabilities=CAP_NET_RAW)",
    "ping": NO_ICMP,
    "vpn": "this agent may not ask WireGuard: it lacks CAP_NET_ADMIN; enable thongsuot-wireguard.socket on its host, "
    "and set socket to /run/thongsuot-wireguard.sock",
    "wan": NO_ICMP,
}
GIVEN = {"vpn": ("--bounding-set=-all,+net_admin", "--inh-caps=-all")}
FOUND = {"dhcp": ("CRIT", "no-offer"), "vpn": ("UNKNOWN", "no-daemon")}
"""What a check says that may look: nobody offers an address here, and there is no WireGuard."""


class Place:
    """A namespace where whatever a check asks for answers, and where no group may ping."""

    def __init__(self, here: Namespace, names: Mapping[str, str]) -> None:
        self._here = here
        self._names = names

    def check(self, name: str, capabilities: Sequence[str]) -> dict[str, Any]:
        """The outcome of a check by hand. Root without a capability is nobody to the kernel, and finds its Python
        wherever that is installed."""
        said = [word for param in PARAMS.get(name, []) for word in ("--param", param)]
        asked = [word.format(**self._names) for word in (name, TARGETS[name], *said)]
        argv = self._here.argv("setpriv", *capabilities, "--no-new-privs", AGENT, "check", "--json", *asked)
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert done.stderr == ""
        outcome: dict[str, Any] = json.loads(done.stdout)["outcome"]
        return outcome


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    need("ip", "setpriv", "snmpd", "nginx", "sshd", root=True)
    folder = tmp_path_factory.mktemp("place")
    authority = issue("BK Root CA", authority=True)
    (folder / "ca.pem").write_bytes(authority.pem)
    issued = issue("localhost", "localhost", by=authority)
    certificate, key = issued.write(folder, "localhost")
    servers = [
        "server { listen 127.0.0.1:80; location / { return 200; } }",
        f"server {{ listen 127.0.0.1:443 ssl; ssl_certificate {certificate}; ssl_certificate_key {key}; }}",
    ]
    log = folder / "reflector.log"
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(device_in_namespace(folder))
        here = Namespace(device.namespace)
        stack.enter_context(nginx(folder, servers, inside=here))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "host_key")], check=True)
        ssh = here.argv("sh", "-c", SSHD, str(folder / "host_key"))
        told = folder / "sshd.log"
        stack.enter_context(running(ssh, ready=lambda: "listening on 0.0.0.0" in told.read_text(), log=told))
        reflector = here.argv(sys.executable, "-c", REFLECTOR)
        stack.enter_context(running(reflector, ready=lambda: "ready" in log.read_text(), log=log))
        (folder / "bk.example").write_text("@ 9 SOA ns a 1 9 9 9 9\n@ 9 NS ns\nportal 9 A 10.58.1.10\n")
        stack.enter_context(unbound(folder, 53, own=["bk.example"], inside=here))
        stack.enter_context(chronyd(folder, 123, "local", inside=here))
        stack.enter_context(slapd(folder, ["ldap://127.0.0.1:389"], issued, inside=here))
        mail = stack.enter_context(dovecot(issued, inside=here))
        ports = {name: str(port) for name, port in mail.clear.items()}
        yield Place(here, {"address": device.address, "folder": str(folder), **ports})


def test_every_check_is_tried() -> None:
    assert TARGETS.keys() == CHECKS.keys()


@pytest.mark.parametrize("name", LACKING)
def test_a_check_that_needs_a_capability_names_it_and_condemns_nobody(place: Place, name: str) -> None:
    found = place.check(name, NONE)
    assert (found["state"], found["reason"], found["answered"]) == ("UNKNOWN", "no-permission", False)
    assert found["summary"] == LACKING[name]


@pytest.mark.parametrize("name", LACKING)
def test_the_capability_that_it_names_is_enough(place: Place, name: str) -> None:
    found = place.check(name, GIVEN.get(name, RAW))
    assert (found["state"], found["reason"]) == FOUND.get(name, ("OK", ""))


@pytest.mark.parametrize("name", sorted(TARGETS.keys() - LACKING.keys()))
def test_the_others_need_none(place: Place, name: str) -> None:
    found = place.check(name, NONE)
    assert found["answered"], found["summary"]
    assert found["state"] != "UNKNOWN", found["summary"]
