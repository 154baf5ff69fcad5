"""Debian's chronyd on loopback, for tests. It sets no clock."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.lab.netns import Namespace
from tests.listening import listens
from tests.peers import need, running, which


@contextlib.contextmanager
def chronyd(folder: Path, port: int, *lines: str, inside: Namespace | None = None) -> Iterator[None]:
    """chronyd that serves what these lines of its configuration say, until the end of the ``with``. Skips the test
    without it."""
    need("chronyd")
    configuration, log = folder / "chrony.conf", folder / "chrony.log"
    ours = [f"port {port}", "cmdport 0", "bindcmdaddress /", f"pidfile {folder}/chrony.pid", "allow"]
    configuration.write_text("\n".join([*ours, "bindaddress 127.0.0.1", *lines]) + "\n")
    argv = [which("chronyd") or "chronyd", "-x", "-d", "-U", "-f", str(configuration)]
    argv = inside.argv(*argv) if inside else argv
    with running(argv, ready=lambda: listens(port, inside), log=log):
        yield
