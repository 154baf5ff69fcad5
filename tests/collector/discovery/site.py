"""A place to discover: recorded devices in one network namespace, and whoever looks for them in another."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.lab.netns import Namespace, cable, namespaces
from tests.peers import running

PROGRAM = str(Path(sys.executable).with_name("thongsuot-collector"))
TOP = Path(__file__).parents[3]
ENVIRON = {**os.environ, "THONGSUOT_COMMUNITY": "public", "PYTHONPATH": str(TOP)}


@dataclasses.dataclass(frozen=True)
class Site:
    """``here`` is who looks, ``there`` who is found."""

    here: Namespace
    there: Namespace

    def discover(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command, run to its end."""
        return discover(self.here, *words)


def discover(where: Namespace, *words: str) -> subprocess.CompletedProcess[str]:
    """The command, run to its end in a namespace."""
    argv = where.argv(PROGRAM, "discover", *words)
    return subprocess.run(argv, env=ENVIRON, check=False, capture_output=True, text=True, timeout=60)


@contextlib.contextmanager
def site(devices: Mapping[str, Path], silent: str, log: Path) -> Iterator[Site]:
    """Recorded devices by address, and one more address where nothing but echo is answered. ``here`` is 10.99.0.1/24,
    and all that it does not know is beyond 10.99.0.2."""
    with namespaces("here", "there") as (here, there):
        cable(here, "wan", there, "lan")
        here.address("wan", "10.99.0.1/24")
        there.address("lan", "10.99.0.2/24")
        for address in (*devices, silent):
            there.ip("address", "add", f"{address}/32", "dev", "lan")
        here.ip("route", "add", "default", "via", "10.99.0.2")
        words = [f"{address}={file}" for address, file in devices.items()]
        argv = there.argv(sys.executable, "-m", "tests.collector.discovery.recorded", *words)
        with running(argv, ready=lambda: "ready" in log.read_text(), cwd=TOP, log=log):
            yield Site(here, there)
