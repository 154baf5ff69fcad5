"""A router: FRR (OSPF inside the province, BGP to the backbone) and snmpd, which speak AgentX to each other."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from tests.lab.layout import LAN, End, Node, ends_at
from tests.lab.netns import Namespace
from tests.peers import which

COMMUNITY: Final = "public"
V3_USER, V3_AUTH, V3_PRIV = "monitor", "authpass123", "privpass123"
"""SNMPv3 with SHA-256 and AES-128."""

_FRR: Final = "/usr/lib/frr"
_DAEMONS: Final = {"ospfd": "router ospf", "bgpd": "router bgp"}
_AGENTX: Final = "agentXSocket tcp:127.0.0.1:705\n"
_AS_BACKBONE, _AS_PROVINCE = 65_000, 65_010
_COST: Final = {"primary": 10, "backup": 100}

_QUICK: Final = (" timers throttle spf 50 100 1000", " timers throttle lsa all 100", " timers lsa min-arrival 50")

_SNMPD: Final = """\
agentaddress udp:161
master agentx
rocommunity {community}
createUser {user} SHA-256 "{auth}" AES "{priv}"
rouser {user} priv
sysName {name}
sysLocation {tier} {name}
"""


@dataclasses.dataclass(frozen=True)
class Router(Namespace):
    """The namespace of a router that runs. ``node`` is where it stands."""

    node: Node

    def vtysh(self, command: str) -> str:
        """What FRR's shell prints."""
        argv = [which("vtysh") or "vtysh", "-N", self.name, "-c", command]
        return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout

    def show(self, what: str) -> Any:
        """FRR's answer to "show … json"."""
        return json.loads(self.vtysh(f"show {what} json"))

    def way_to(self, address: str) -> str:
        """The device by which packets to an address leave; empty when there is no route."""
        argv = [which("ip") or "ip", "-n", self.name, "-j", "route", "get", address]
        said = subprocess.run(argv, check=False, capture_output=True, text=True).stdout
        return str(json.loads(said)[0]["dev"]) if said.strip() else ""


def frr_config(node: Node, nodes: Sequence[Node]) -> str:
    """What a router of FRR is told."""
    tiers = {other.name: other.tier for other in nodes}
    ends = ends_at(node.name, nodes)
    outer = [end for end in ends if "backbone" in (tiers[end.line.node], tiers[end.line.to])]
    parts = [f"hostname {node.name}", "agentx"]
    if node.tier != "backbone":
        parts += _ospf_devices([end for end in ends if end not in outer])
        parts += ["router ospf", f" ospf router-id {node.loopback}", *_QUICK]
        parts += [" default-information originate"] * bool(outer)
    if outer:
        parts += _bgp(node, outer)
    return "\n".join([*parts, ""])


def _ospf_devices(ends: Sequence[End]) -> Iterator[str]:
    yield from ("interface lo", " ip ospf area 0", f"interface {LAN}", " ip ospf area 0", " ip ospf passive")
    for end in ends:
        yield f"interface {end.device}"
        yield " ip ospf area 0"
        yield " ip ospf network point-to-point"
        yield " ip ospf hello-interval 1"
        yield " ip ospf dead-interval 4"
        yield " ip ospf retransmit-interval 1"
        yield f" ip ospf cost {_COST[end.line.role]}"


def _bgp(node: Node, ends: Sequence[End]) -> list[str]:
    backbone = node.tier == "backbone"
    own, theirs = (_AS_BACKBONE, _AS_PROVINCE) if backbone else (_AS_PROVINCE, _AS_BACKBONE)
    parts = [f"router bgp {own}", f" bgp router-id {node.loopback}", " no bgp ebgp-requires-policy", " timers bgp 1 3"]
    for end in ends:
        parts += [f" neighbor {end.peer} remote-as {theirs}", f" neighbor {end.peer} timers connect 1"]
    parts += [" address-family ipv4 unicast", "  redistribute connected"]
    parts += [f"  neighbor {end.peer} default-originate" for end in ends] if backbone else ["  redistribute ospf"]
    return parts


@contextlib.contextmanager
def folders(names: Sequence[str]) -> Iterator[None]:
    """Where FRR looks for the configuration and the sockets of these namespaces."""
    try:
        for name in names:
            for folder, group in ((Path("/etc/frr", name), "frr"), (Path("/run/frr", name), "frrvty")):
                folder.mkdir(mode=0o755, parents=True)
                shutil.chown(folder, "frr", group)
        yield
    finally:
        forget(names)


def forget(names: Sequence[str]) -> None:
    """Removes the folders of namespaces whose routers have ended."""
    for name in names:
        shutil.rmtree(Path("/etc/frr", name), ignore_errors=True)
        shutil.rmtree(Path("/run/frr", name), ignore_errors=True)
    # All routers of a host share what follows, whatever namespace they are in.
    if [path.name for path in Path("/run/frr").iterdir()] == ["ospfd-gr.json"]:
        Path("/run/frr/ospfd-gr.json").unlink(missing_ok=True)
    for folder in Path("/var/tmp/frr").glob("*.[0-9]*"):  # DAEMON.PID, left by one that was ended while it started
        if not Path("/proc", folder.suffix[1:]).exists():
            shutil.rmtree(folder, ignore_errors=True)
    with contextlib.suppress(OSError):  # others use it
        Path("/var/tmp/frr").rmdir()


def start(router: Router, nodes: Sequence[Node], folder: Path) -> None:
    """Starts a router whose devices have their addresses; its files go into a folder of its own. Its daemons are ready,
    and end with the namespace. Raises CalledProcessError."""
    config = frr_config(router.node, nodes)
    Path("/etc/frr", router.name, "frr.conf").write_text(config)
    Path("/etc/frr", router.name, "vtysh.conf").write_text(f"hostname {router.node.name}\n")
    said = _SNMPD.format(
        community=COMMUNITY, user=V3_USER, auth=V3_AUTH, priv=V3_PRIV, name=router.node.name, tier=router.node.tier
    )
    (folder / "snmpd.conf").write_text(said + _AGENTX)
    (folder / "frr.conf").write_text(_AGENTX)  # the one that the SNMP library inside of FRR reads
    daemons = ["zebra", *(name for name, part in _DAEMONS.items() if part in config)]
    snmp = ["snmpd", "-C", "-c", f"{folder}/snmpd.conf", "-p", f"{folder}/snmpd.pid", "-Lf", f"{folder}/snmpd.log"]
    ours = [f"SNMP_PERSISTENT_DIR={folder}", f"SNMPCONFPATH={folder}", "MIBS="]
    frr = ["-d", "-N", router.name, "-M", "snmp", "-A", "127.0.0.1"]
    for argv in (snmp, *([f"{_FRR}/{name}", *frr] for name in daemons)):
        _run(router.argv("env", *ours, *argv), folder)
    _run(["vtysh", "-N", router.name, "-b"], folder)


def _run(argv: Sequence[str], folder: Path) -> None:
    with (folder / "log").open("ab") as log:
        subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
