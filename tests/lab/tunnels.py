"""Tunnels that join the LANs behind the two ends of a wire: WireGuard, strongSwan and OpenVPN, run in user space.

Each is a context manager: its daemons run for the length of a ``with``. The wire can be cut and mended, and traffic led
round the tunnel, whatever tunnel it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import ipaddress
import secrets
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.lab.netns import Namespace, cable, namespaces
from tests.peers import need, running, wait_until, which
from tests.pki import Issued, issue

_CHARON = "/usr/lib/ipsec/charon"
_PLUGINS = (
    "random nonce sha1 sha2 aes hmac kdf curve25519 pubkey constraints "
    "kernel-libipsec kernel-netlink socket-default vici updown"
)


@dataclasses.dataclass(frozen=True)
class End:
    """One end: its address on the wire, the prefix of the LAN behind it, its own address there, and its device on the
    wire."""

    where: Namespace
    address: str
    lan: str
    host: str
    device: str = "eth0"

    @property
    def subnet(self) -> tuple[str, str]:
        """The LAN's address and mask."""
        net = ipaddress.ip_network(self.lan)
        return str(net.network_address), str(net.netmask)


@dataclasses.dataclass(frozen=True)
class Wire:
    """What the tunnel of an office to the centre runs over."""

    office: End
    centre: End

    @property
    def ends(self) -> tuple[tuple[End, End], tuple[End, End]]:
        """Each end, with its other."""
        return (self.office, self.centre), (self.centre, self.office)

    def cut(self) -> None:
        """Nothing that is sent arrives any more, and nobody is told."""
        for end, _ in self.ends:
            rule = f'type filter hook ingress device "{end.device}" priority 0; policy drop;'
            end.where("nft", f"table netdev cut {{ chain wire {{ {rule} }}; }}")

    def mend(self) -> None:
        """Undoes :meth:`cut`."""
        for end, _ in self.ends:
            end.where("nft", "delete table netdev cut")

    def leak(self) -> None:
        """Leads what one LAN sends to the other over the wire itself, whatever routes a tunnel made."""
        for end, other in self.ends:
            end.where.ip("route", "add", other.lan, "via", other.address, "table", "99")
            end.where.ip("rule", "add", "priority", "99", "lookup", "99")


@contextlib.contextmanager
def wire() -> Iterator[Wire]:
    """A cable between an office and the centre, with a LAN behind each."""
    with namespaces("office", "centre") as (near, far):
        office = End(near, "10.9.7.1", "10.61.7.0/24", "10.61.7.1")
        centre = End(far, "10.9.7.2", "10.0.7.0/24", "10.0.7.1")
        cable(near, office.device, far, centre.device)
        for end in (office, centre):
            end.where.address(end.device, f"{end.address}/24")
            end.where.address("lo", f"{end.host}/24")
            end.where("sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter")
        yield Wire(office, centre)


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """A running tunnel as the office has it: its name there, the socket by which its daemon is asked, that daemon, and
    every secret that its two ends know."""

    name: str
    control: Path
    daemon: subprocess.Popen[bytes]
    secrets: tuple[str, ...]


# WireGuard


@contextlib.contextmanager
def wireguard(wire: Wire, folder: Path, *, wrong_key: bool = False) -> Iterator[Tunnel]:
    """By wireguard-go. With a ``wrong_key`` the centre expects another office."""
    need("wireguard-go", "wg", "nft", root=True)
    name = f"wg{secrets.token_hex(5)}"  # a name of one namespace, but wireguard-go's sockets are all in one folder
    keys = {end: _wg("genkey") for end in ("office", "centre", "stranger")}
    public = {end: _wg("pubkey", key) for end, key in keys.items()}
    shared = _wg("genpsk")
    with contextlib.ExitStack() as undo:
        office = undo.enter_context(_wireguard_go(wire.office, f"{name}o", folder))
        undo.enter_context(_wireguard_go(wire.centre, f"{name}c", folder))
        expected = public["stranger" if wrong_key else "office"]
        for file, secret in (("office", keys["office"]), ("centre", keys["centre"]), ("shared", shared)):
            (folder / file).write_text(secret)
        _wireguard_peer(wire.office, f"{name}o", folder / "office", wire.centre, public["centre"])
        _wireguard_peer(wire.centre, f"{name}c", folder / "centre", wire.office, expected)
        yield Tunnel(f"{name}o", Path(f"/run/wireguard/{name}o.sock"), office, (*keys.values(), shared))


def _wg(command: str, given: str = "") -> str:
    done = subprocess.run([which("wg") or "wg", command], input=given, check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@contextlib.contextmanager
def _wireguard_go(end: End, device: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    control = Path(f"/run/wireguard/{device}.sock")
    argv = end.where.argv("wireguard-go", "-f", device)
    environment = {"WG_PROCESS_FOREGROUND": "1"}
    with running(argv, ready=lambda: _answers(control), env=environment, log=folder / f"{device}.log") as process:
        yield process


def _wireguard_peer(end: End, device: str, private: Path, other: End, public: str) -> None:
    shared = str(private.with_name("shared"))
    end.where("wg", "set", device, "private-key", str(private), "listen-port", "51820")
    peer = ("peer", public, "preshared-key", shared, "endpoint", f"{other.address}:51820", "allowed-ips", other.lan)
    end.where("wg", "set", device, *peer)
    end.where.address(device)
    end.where.ip("route", "add", other.lan, "dev", device, "src", end.host)


# strongSwan


@contextlib.contextmanager
def strongswan(wire: Wire, folder: Path, *, wrong_key: bool = False) -> Iterator[Tunnel]:
    """IKEv2 with ESP in user space (kernel-libipsec). With a ``wrong_key`` the ends' pre-shared keys differ."""
    need(_CHARON, "swanctl", "nft", root=True)
    keys = [secrets.token_hex(16)] * 2
    if wrong_key:
        keys[1] = secrets.token_hex(16)
    with contextlib.ExitStack() as undo:
        office, *_ = (
            undo.enter_context(_charon(end, other, key, folder))
            for (end, other), key in zip(wire.ends, keys, strict=True)
        )
        control = folder / f"{wire.office.where.name}.run" / "charon.vici"
        with contextlib.suppress(subprocess.CalledProcessError):  # of a wrong key
            _swanctl(wire.office, folder, "--initiate", "--child", "lan", "--timeout", "5")
        yield Tunnel("office", control, office, tuple(keys))


@contextlib.contextmanager
def _charon(end: End, other: End, key: str, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    run = folder / f"{end.where.name}.run"  # its /run: the path of its pid file is fixed
    run.mkdir()
    settings, connections = folder / f"{end.where.name}.strongswan", folder / f"{end.where.name}.swanctl"
    settings.write_text(
        f"charon {{\n load = {_PLUGINS}\n filelog {{ stderr {{ default = 1\n flush_line = yes }} }}\n}}\n"
    )
    connections.write_text(f"""
        connections {{ office {{
            version = 2
            local_addrs = {end.address}
            remote_addrs = {other.address}
            local {{ auth = psk
                id = {end.address} }}
            remote {{ auth = psk
                id = {other.address} }}
            children {{ lan {{
                esp_proposals = aes128-sha256-curve25519
                local_ts = {end.lan}
                remote_ts = {other.lan} }} }} }} }}
        secrets {{ ike-wire {{ secret = {key} }} }}
    """)
    script = f"mount --bind {run} /run && STRONGSWAN_CONF={settings} exec {_CHARON}"
    control, log = run / "charon.vici", folder / f"{end.where.name}.log"
    with running(end.where.argv("sh", "-c", script), ready=lambda: _answers(control), log=log) as process:
        _swanctl(end, folder, "--load-all", "--file", str(connections))
        yield process


def _swanctl(end: End, folder: Path, *words: str) -> None:
    settings, control = folder / f"{end.where.name}.strongswan", folder / f"{end.where.name}.run" / "charon.vici"
    end.where("env", f"STRONGSWAN_CONF={settings}", "swanctl", *words, "--uri", f"unix://{control}")


def _answers(control: Path) -> bool:
    """Whether somebody listens on a Unix socket: a daemon makes its file a moment before."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(control)) == 0


# OpenVPN


@contextlib.contextmanager
def openvpn(wire: Wire, folder: Path, *, wrong_key: bool = False) -> Iterator[Tunnel]:
    """TLS with certificates: the centre serves, the office is its client. With a ``wrong_key`` the office has a
    certificate of an authority that the centre does not know."""
    need("openvpn", "nft", root=True)
    authority = issue("lab", authority=True)
    centre = issue("centre", by=authority)
    office = issue("office", by=issue("stranger", authority=True) if wrong_key else authority)
    (folder / "ca.pem").write_bytes(authority.pem)
    clients = folder / "clients"
    clients.mkdir()
    (clients / "office").write_text(f"iroute {' '.join(wire.office.subnet)}\n")
    serving = (
        *("--mode", "server", "--tls-server", "--dh", "none", "--topology", "subnet", "--keepalive", "10", "60"),
        *("--ifconfig", "10.8.7.1", "255.255.255.0", "--ifconfig-pool", "10.8.7.2", "10.8.7.9"),
        *("--client-config-dir", str(clients), "--route", *wire.office.subnet, "10.8.7.2"),
        *("--push", "topology subnet", "--push", f"route {' '.join(wire.centre.subnet)} 10.8.7.1"),
    )
    calling = ("--client", "--remote", wire.centre.address, "1194", "udp4", "--nobind", "--connect-retry", "1", "1")
    with contextlib.ExitStack() as undo:
        undo.enter_context(_openvpn(wire.centre, centre, folder, *serving))
        client = undo.enter_context(_openvpn(wire.office, office, folder, *calling))
        log = folder / f"{wire.office.where.name}.log"
        said = "TLS" if wrong_key else "Initialization Sequence Completed"
        wait_until(lambda: said in log.read_text(), "OpenVPN's client to come to an end")
        keys = [folder / f"{end.where.name}.key" for end, _ in wire.ends]
        control = folder / f"{wire.office.where.name}.sock"
        yield Tunnel("office", control, client, tuple(key.read_text().splitlines()[1] for key in keys))


@contextlib.contextmanager
def _openvpn(end: End, who: Issued, folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    certificate, key = who.write(folder, end.where.name)
    control, log = folder / f"{end.where.name}.sock", folder / f"{end.where.name}.log"
    common = (
        *("--dev", "tun", "--proto", "udp4", "--disable-dco", "--verb", "3", "--management", str(control), "unix"),
        *("--ca", str(folder / "ca.pem"), "--cert", str(certificate), "--key", str(key)),
    )
    with running(end.where.argv("openvpn", *common, *options), ready=lambda: _answers(control), log=log) as process:
        yield process
