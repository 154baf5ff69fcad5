"""Network namespaces and the veth pairs between them, for the length of a ``with``."""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import subprocess
from collections.abc import Iterator, Sequence

from tests.peers import which


def ip(*words: str) -> None:
    """iproute2's ip, to the end."""
    subprocess.run([which("ip") or "ip", *words], check=True)


@dataclasses.dataclass(frozen=True)
class Namespace:
    """A network namespace."""

    name: str

    def argv(self, *command: str) -> list[str]:
        """How to start a command in here: the process that starts becomes that command."""
        return [which("ip") or "ip", "netns", "exec", self.name, *command]

    def __call__(self, *command: str) -> str:
        """Runs a command in here to its end; what it printed."""
        return subprocess.run(self.argv(*command), check=True, stdout=subprocess.PIPE, text=True).stdout

    def ip(self, *words: str) -> None:
        """ip, in here."""
        ip("-n", self.name, *words)

    def address(self, device: str, *prefixes: str) -> None:
        """Gives a device its addresses, such as 10.9.9.1/24, and brings it up."""
        for prefix in prefixes:
            self.ip("address", "add", prefix, "dev", device)
        self.ip("link", "set", "dev", device, "up")


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[Sequence[Namespace]]:
    """New namespaces, each with its loopback up. Their names in the system begin with these and end at random. IPv6 is
    off, so that nothing flows but what a test sends."""
    with contextlib.ExitStack() as undo:
        made = []
        for name in names:
            one = Namespace(f"{name}-{secrets.token_hex(4)}")
            ip("netns", "add", one.name)
            undo.callback(ip, "netns", "del", one.name)
            one("sh", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6")
            one.ip("link", "set", "dev", "lo", "up")
            made.append(one)
        yield made


def cable(near: Namespace, device: str, far: Namespace, other: str) -> None:
    """A veth pair between two namespaces; it goes with either."""
    near.ip("link", "add", device, "type", "veth", "peer", "name", other, "netns", far.name)
