"""Tells systemd how the service is (sd_notify(3)): a datagram to $NOTIFY_SOCKET, nothing where there is none."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping


class Notifier:
    """The way to the service manager."""

    def __init__(self, environ: Mapping[str, str], pid: int) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        # "@" stands for the abstract namespace, whose names begin with a NUL.
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog = _watchdog_seconds(environ, pid)
        """Seconds within which systemd wants a sign of life; None when it does not watch."""

    def ready(self) -> None:
        """The service has started."""
        self._send("READY=1")

    def alive(self) -> None:
        """The sign of life."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """The service is on its way out."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """A line for ``systemctl status``."""
        self._send(f"STATUS={text.replace(chr(10), ' ')}")

    def _send(self, message: str) -> None:
        """A manager that does not listen is no reason to stop measuring."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.sendto(message.encode(), self._address)


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float | None:
    text = environ.get("WATCHDOG_USEC", "")
    if not text.isdigit() or int(text) == 0 or environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 1e6
