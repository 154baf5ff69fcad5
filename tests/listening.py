"""Whether a port is taken, also where a test cannot connect to: UDP, and other network namespaces."""

from __future__ import annotations

from pathlib import Path

from tests.lab.netns import Namespace

_TABLES = ("tcp", "tcp6", "udp", "udp6")
_STATES = ("0A", "07")  # TCP that listens, UDP that is open


def listens(port: int, inside: Namespace | None = None) -> bool:
    """Whether somebody listens on a TCP or UDP port, here or in a namespace: proc(5), /proc/net/tcp."""
    files = [f"/proc/net/{table}" for table in _TABLES]
    text = inside("cat", *files) if inside else "".join(Path(file).read_text() for file in files)
    sockets = [line.split() for line in text.splitlines()]
    return any(words[1].endswith(f":{port:04X}") and words[3] in _STATES for words in sockets)
