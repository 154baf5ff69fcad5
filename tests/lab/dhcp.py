"""Who hands out addresses in a LAN of the lab, each for the length of a ``with``: Debian's dnsmasq, Kea and radvd.

Each takes the namespace to run in, a folder for its files, and the device there that is in the LAN. A rogue server is
one more of them, in another namespace of the same LAN.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.lab.netns import Namespace
from tests.peers import need, running

LAN: Final = "lan"

_DNSMASQ: Final = (
    *("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--log-facility=-"),
    *("--port=0", "--bind-interfaces"),
    "--no-ping",  # it would look for 3 s whether somebody has the address that it is about to offer
)


@contextlib.contextmanager
def dnsmasq(host: Namespace, folder: Path, *options: str, device: str = LAN) -> Iterator[Path]:
    """dnsmasq with its range, such as ``--dhcp-range=10.61.3.50,10.61.3.99,1h``, and other options; gives its file of
    leases."""
    need("dnsmasq")
    own = _folder(host, folder, "dnsmasq")
    leases = own / "leases"
    argv = [*_DNSMASQ, f"--interface={device}", f"--dhcp-leasefile={leases}", f"--pid-file={own}/pid", *options]
    with _server(host, own, argv, ready="IP range"):
        yield leases


@contextlib.contextmanager
def relay(host: Namespace, folder: Path, here: str, server: str) -> Iterator[None]:
    """dnsmasq as a relay agent: from the LAN where its address is ``here`` to a server elsewhere."""
    need("dnsmasq")
    own = _folder(host, folder, "relay")
    argv = [*_DNSMASQ, f"--dhcp-relay={here},{server}", f"--dhcp-leasefile={own}/leases", f"--pid-file={own}/pid"]
    with _server(host, own, argv, ready="DHCP relay"):
        yield


@contextlib.contextmanager
def kea(
    host: Namespace, folder: Path, version: int, subnets: Sequence[Mapping[str, Any]], device: str = LAN
) -> Iterator[Path]:
    """Kea for DHCPv4 or DHCPv6, with subnets as its configuration writes them, and the hooks that count and change
    leases; gives its control socket. Leases are kept in memory only."""
    need(f"kea-dhcp{version}")
    own = _folder(host, folder, f"kea{version}")
    control = own / "control"
    hooks = next(Path("/usr/lib").glob("*/kea/hooks"))
    config: dict[str, Any] = {
        "interfaces-config": {"interfaces": [device]} | ({"dhcp-socket-type": "raw"} if version == 4 else {}),
        "lease-database": {"type": "memfile", "persist": False},
        "control-socket": {"socket-type": "unix", "socket-name": str(control)},
        "hooks-libraries": [{"library": str(hooks / f"libdhcp_{name}_cmds.so")} for name in ("lease", "stat")],
        f"subnet{version}": list(subnets),
        "loggers": [{"name": f"kea-dhcp{version}", "severity": "INFO", "output_options": [{"output": "stdout"}]}],
    }
    if version == 6:
        config["data-directory"] = str(own)  # where it keeps its DUID
    file = own / "config.json"
    file.write_text(json.dumps({f"Dhcp{version}": config}))
    folders = {"KEA_PIDFILE_DIR": str(own), "KEA_LOCKFILE_DIR": str(own)}
    argv = [f"kea-dhcp{version}", "-c", str(file)]
    with _server(host, own, argv, ready=f"DHCP{version}_STARTED", env=folders):
        yield control


def ask_kea(control: Path, command: str, **arguments: Any) -> Any:
    """What Kea answers to a command on its control socket, such as ``lease4-add``; fails unless it succeeds."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(control))
        sock.sendall(json.dumps({"command": command, "arguments": arguments}).encode())
        with sock.makefile("rb") as said:
            answer = json.load(said)
    assert answer["result"] == 0, answer
    return answer.get("arguments")


@contextlib.contextmanager
def radvd(host: Namespace, folder: Path, *settings: str, device: str = LAN) -> Iterator[None]:
    """radvd, which advertises this host as a router every few seconds; ``settings`` are more of its interface's, such
    as ``AdvManagedFlag on``."""
    need("radvd")
    own = _folder(host, folder, "radvd")
    config = own / "radvd.conf"
    said = "; ".join(("AdvSendAdvert on", "MinRtrAdvInterval 3", "MaxRtrAdvInterval 4", *settings))
    config.write_text(f"interface {device} {{ {said}; }};\n")
    argv = ["radvd", "--nodaemon", "-C", str(config), "-p", f"{own}/pid", "-m", "stderr", "-d", "1"]
    with _server(host, own, argv, ready="version"):
        yield


def _folder(host: Namespace, folder: Path, name: str) -> Path:
    own = folder / f"{host.name}-{name}-{secrets.token_hex(2)}"
    own.mkdir()
    return own


@contextlib.contextmanager
def _server(
    host: Namespace, own: Path, argv: Sequence[str], *, ready: str, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """A server that is ready when it logs some words."""
    log = own / "log"
    log.touch()
    with running(host.argv(*argv), ready=lambda: ready in log.read_text(errors="replace"), env=env, log=log):
        yield
