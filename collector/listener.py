"""One address of the collector: an application, served by uvicorn over sockets that are opened here, so that an address
which cannot be had is told in our words and by its setting."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from collections.abc import Iterator, Mapping
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from collector.settings import host_and_port
from service.settings import SettingsError

_HINTS: Final[Mapping[int | None, str]] = {
    errno.EADDRINUSE: ": another program has it, perhaps another thongsuot-collector; 'ss -tulpn' names it: "
    "stop that one, or take another port",
    errno.EADDRNOTAVAIL: ": it is no address of this host; 0.0.0.0 stands for all that it has",
    errno.EACCES: ": take a port above 1023, or give the service CAP_NET_BIND_SERVICE",
}


def unusable(setting: str, address: str, error: OSError) -> SettingsError:
    """Why an address that a setting names cannot be listened at, and what to do."""
    # Python adds to the system's sentence where it tried; the name of a host is looked up by another numbering
    why = error.strerror if isinstance(error, socket.gaierror) else os.strerror(error.errno or 0)
    return SettingsError(f"{setting}: {address}: {why}{_HINTS.get(error.errno, '')}")


class Listener(uvicorn.Server):
    """Serves an application at the address that a setting names, in clear or with a certificate. Raises SettingsError
    when either cannot be used: the certificate at once, the address when it is to serve."""

    def __init__(self, app: ASGIApp, setting: str, address: str, certificate: str = "", key: str = "") -> None:
        self._setting, self._address = setting, address
        config = uvicorn.Config(
            app,
            ssl_certfile=certificate or None,
            ssl_keyfile=key or None,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
            timeout_keep_alive=75,
        )
        try:
            config.load()
        except OSError as error:
            why = error.strerror or error
            raise SettingsError(f"listen: certificate {certificate} and key {key} cannot be used: {why}") from error
        super().__init__(config)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Until it is told to exit."""
        await super().serve(sockets or self._open())

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves the signals to whoever runs us: there are two of these in one process."""
        yield

    def _open(self) -> list[socket.socket]:
        """A socket for each address of the host that is named."""
        host, port = host_and_port(self._address, self._setting)
        with contextlib.ExitStack() as opened:
            try:
                found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
                addresses = {(family, str(at[0])) for family, *_, at in found}
                sockets = [
                    opened.enter_context(socket.create_server((at, port), family=family, backlog=self.config.backlog))
                    for family, at in sorted(addresses)
                ]
            except OSError as error:
                raise unusable(self._setting, self._address, error) from error
            opened.pop_all()
        return sockets
