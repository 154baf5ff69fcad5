"""Network namespaces and the veth pairs between them, for the length of a ``with``."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.peers import which

_BOUND = Path("/run/netns")  # where ip-netns(8) keeps them


def ip(*words: str) -> None:
    """iproute2's ip, to the end."""
    subprocess.run([which("ip") or "ip", *words], check=True)


def batch(lines: Iterable[str], *words: str) -> None:
    """Many lines for one ip; ``words`` stand before them all, such as -n NAME."""
    argv = [which("ip") or "ip", *words, "-batch", "-"]
    subprocess.run(argv, check=True, text=True, input="".join(f"{line}\n" for line in lines))


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

    def batch(self, lines: Iterable[str]) -> None:
        """Many lines for ip, in here."""
        batch(lines, "-n", self.name)

    def address(self, device: str, *prefixes: str) -> None:
        """Gives a device its addresses, such as 10.9.9.1/24, and brings it up."""
        for prefix in prefixes:
            self.ip("address", "add", prefix, "dev", device)
        self.ip("link", "set", "dev", device, "up")


@contextlib.contextmanager
def namespaces(*names: str) -> Iterator[Sequence[Namespace]]:
    """New namespaces, each with its loopback up. In the system these names end in the same few random letters. IPv6 is
    off, so that nothing flows but what a test sends. Whatever still runs in them is ended with them."""
    suffix = secrets.token_hex(3)
    made = [Namespace(f"{name}-{suffix}") for name in names]
    try:
        batch(f"netns add {one.name}" for one in made)
        for one in made:
            one("sh", "-c", "echo 1 | tee /proc/sys/net/ipv6/conf/*/disable_ipv6; ip link set dev lo up")
        yield made
    finally:
        remove([one.name for one in made])


def remove(names: Iterable[str]) -> None:
    """Ends every process in these namespaces by its id, then removes them. It does not matter if some are gone."""
    there = [name for name in names if (_BOUND / name).exists()]
    end(inhabitants(there))
    batch(f"netns del {name}" for name in there)


def inhabitants(names: Iterable[str]) -> list[int]:
    """The ids of the processes in these namespaces."""
    wanted = {(_BOUND / name).stat().st_ino for name in names}
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if (process / "ns/net").stat().st_ino in wanted:
                found.append(int(process.name))
    return found


def end(pids: Iterable[int], seconds: float = 5.0) -> None:
    """Ends processes by TERM, and by KILL those that take longer."""
    left = list(pids)
    for how, until in ((signal.SIGTERM, time.monotonic() + seconds), (signal.SIGKILL, time.monotonic() + 2 * seconds)):
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)
        while left and time.monotonic() < until:
            left = [pid for pid in left if _runs(pid)]
            time.sleep(0.01)


def _runs(pid: int) -> bool:
    """Whether a process still runs: one that only waits for its parent to ask how it ended does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def cable(near: Namespace, device: str, far: Namespace, other: str) -> None:
    """A veth pair between two namespaces; it goes with either."""
    near.ip("link", "add", device, "type", "veth", "peer", "name", other, "netns", far.name)
