"""Devices to ask: Debian's snmpd, and walks that others recorded."""

from __future__ import annotations

import contextlib
import re
import secrets
import socket
import subprocess
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from gufo.snmp.sync import SnmpSession

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome
from checks.snmp import CHECK, SnmpParams
from checks.snmp.reader import Value
from tests.peers import running, which

V3: Mapping[str, Any] = {
    "version": "3",
    "user": "monitor",
    "auth": "sha256",
    "auth_key": "authpass123",
    "priv": "aes128",
    "priv_key": "privpass123",
}
CONFIG = """\
agentaddress udp:{address}:{port}
rocommunity public
view none excluded .1
rocommunity blind default -V none
createUser monitor SHA-256 "authpass123" AES "privpass123"
rouser monitor priv
createUser reader SHA "authpass123"
rouser reader auth
createUser modern SHA-512 "authpass123" AES256 "privpass123"
rouser modern priv
sysName r1
sysLocation Bac Kan
"""


class Device(msgspec.Struct, frozen=True):
    """An snmpd, where it runs, and its namespace if it has one."""

    address: str
    port: int
    namespace: str = ""

    @property
    def target(self) -> str:
        return f"{self.address}:{self.port}"

    def ip(self, *arguments: str) -> None:
        """Runs ``ip`` in the device's namespace."""
        ip("-n", self.namespace, *arguments)


def ip(*arguments: str) -> None:
    subprocess.run([which("ip") or "ip", *arguments], check=True, capture_output=True)


@contextlib.contextmanager
def snmpd(folder: Path, device: Device, more: str = "") -> Iterator[Device]:
    """Debian's snmpd, with this folder for its state, so that a second start counts as a reboot. ``more`` are lines of
    its configuration."""
    config = folder / "snmpd.conf"
    config.write_text(CONFIG.format(address=device.address, port=device.port) + more)
    argv = [which("snmpd") or "snmpd", "-f", "-C", "-c", str(config), "-Lf", str(folder / "log"), "-p", f"{folder}/pid"]
    if device.namespace:
        argv = [which("ip") or "ip", "netns", "exec", device.namespace, *argv]
    with running(argv, ready=lambda: answers(device), env={"SNMP_PERSISTENT_DIR": str(folder)}, log=folder / "output"):
        yield device


def answers(device: Device) -> bool:
    try:
        with SnmpSession(device.address, port=device.port, timeout=0.2) as session:
            return session.get("1.3.6.1.2.1.1.3.0") is not None
    except OSError:
        return False


@contextlib.contextmanager
def device_in_namespace(folder: Path, more: str = "") -> Iterator[Device]:
    """An snmpd in a namespace of its own: joined to this host by ``wan0`` (198.18.0.0/15 is for benchmarks, RFC 2544),
    and with a link ``lan0`` that goes nowhere but to ``lan1``. In ``more`` lines of its configuration, {here} is the
    address of this host."""
    name = f"ts{secrets.token_hex(3)}"
    third, fourth = secrets.randbelow(256), secrets.randbelow(63) * 4
    here, there = f"198.18.{third}.{fourth + 1}", f"198.18.{third}.{fourth + 2}"
    device = Device(there, 161, name)
    ip("netns", "add", name)
    try:
        ip("link", "add", "name", f"{name}h", "type", "veth", "peer", "name", "wan0", "netns", name)
        try:
            ip("addr", "add", f"{here}/30", "dev", f"{name}h")
            ip("link", "set", "dev", f"{name}h", "up")
            device.ip("link", "add", "name", "lan0", "type", "veth", "peer", "name", "lan1")
            device.ip("addr", "add", f"{there}/30", "dev", "wan0")
            for link in ("lo", "wan0", "lan0", "lan1"):
                device.ip("link", "set", "dev", link, "up")
            with snmpd(folder, device, more.replace("{here}", here)):
                yield device
        finally:
            ip("link", "del", "dev", f"{name}h")
    finally:
        ip("netns", "del", name)


def context(timeout: float = 10.0) -> Context:
    return Context(clock=SystemClock(), timeout=timeout, memory={})


async def poll(target: str, ctx: Context | None = None, **params: Any) -> Outcome:
    return await CHECK.run(Target("r1", target), SnmpParams(**params), ctx or context())


def value(outcome: Outcome, metric: str, instance: str = "") -> float | None:
    return next((m.value for m in outcome.metrics if (m.name, m.instance) == (metric, instance)), None)


def names(outcome: Outcome) -> set[str]:
    return {m.name for m in outcome.metrics}


class Recording:
    """An SnmpReader over a recorded walk, in snmpsim's .snmprec form: OID, tag of BER (x: in hexadecimal), value."""

    def __init__(self, path: Path, *, counter64: bool = True) -> None:
        self.counter64 = counter64
        self.round_trip: float | None = 0.0
        self.faults: frozenset[str] = frozenset()
        rows: dict[tuple[int, ...], Value] = {}
        for line in path.read_text(encoding="latin-1").splitlines():
            row = re.fullmatch(r"(\d+(?:\.\d+)*)\|(\d+x?)\|(.*)", line)
            if row is not None:
                rows[tuple(map(int, row[1].split(".")))] = _value(row[2], row[3])
        self._rows = dict(sorted(rows.items()))

    def begin(self) -> None:
        self.round_trip = 0.0

    async def end(self) -> None:
        return

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        found = {oid: self._rows.get(tuple(map(int, oid.split(".")))) for oid in oids}
        return {oid: value for oid, value in found.items() if value is not None}

    def has(self, oid: str) -> bool:
        return tuple(map(int, oid.split("."))) in self._rows

    async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        base = tuple(map(int, column.split(".")))
        for oid, recorded in self._rows.items():
            if oid[: len(base)] == base:
                yield ".".join(map(str, oid)), recorded


def _value(tag: str, recorded: str) -> Value:
    kind = int(tag.rstrip("x"))
    if kind in (2, 65, 66, 67, 70):
        return int(recorded) if recorded.lstrip("-").isdigit() else None
    if kind == 4 and tag.endswith("x"):
        digits = recorded.replace(" ", "")
        return (
            bytes.fromhex(digits) if set(digits.lower()) <= set("0123456789abcdef") and len(digits) % 2 == 0 else None
        )
    if kind == 4:
        return recorded.encode("latin-1")
    return recorded


def udp_burst(address: str, count: int, size: int) -> None:
    """Traffic: datagrams to the discard port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        for _ in range(count):
            with contextlib.suppress(ConnectionRefusedError):
                out.sendto(bytes(size), (address, 9))
