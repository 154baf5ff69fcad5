"""A session of gufo-snmp whose datagrams go through our hands: it writes and reads the messages, we send and receive
them. So what it reads is authentic, a wait has one end whatever comes in, and an OSError is what the kernel said."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable
from typing import Final, TypeVar

from gufo.snmp import SnmpDecodeError, SnmpVersion
from gufo.snmp.aio import SnmpSession

from checks.snmp import usm
from checks.snmp.authentic import Guard
from checks.snmp.reader import Access

T = TypeVar("T")

_VERSION: Final = {"1": SnmpVersion.v1, "2c": SnmpVersion.v2c, "3": SnmpVersion.v3}
_MOST_BYTES: Final = 65_535


class Session(SnmpSession):
    """Requests to one device, one at a time. ``heard`` is the last datagram that was taken for an answer, ``forged``
    whether some were not. Raises OSError when there is no way to the device."""

    def __init__(self, access: Access) -> None:
        self.heard = b""
        self._guard = Guard(access)
        self._sockets = contextlib.ExitStack()
        self._outside = self._sockets.enter_context(
            socket.socket(socket.AF_INET6 if ":" in access.address else socket.AF_INET, socket.SOCK_DGRAM)
        )
        self._inside, gufo = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._sockets.enter_context(self._inside)
        with gufo:
            for one in (self._outside, self._inside, gufo):
                one.setblocking(False)
            self._outside.connect((access.address, access.port))
            super().__init__(
                access.address,
                port=access.port,
                community=access.community,
                user=usm.user_of(access) if access.version == "3" else None,
                version=_VERSION[access.version],
                timeout=access.timeout,
            )
            # gufo-snmp takes no other transport than a socket of its own, but uses that by its descriptor alone.
            os.dup2(gufo.fileno(), self._fd)

    def __del__(self) -> None:
        self._sockets.close()

    @property
    def forged(self) -> bool:
        return self._guard.forged

    async def _send(self, sender: Callable[[], None]) -> None:
        sender()
        request = self._inside.recv(_MOST_BYTES)
        self._guard.asked(request)
        await asyncio.get_running_loop().sock_sendall(self._outside, request)

    async def _recv(self, receiver: Callable[[], T]) -> T:
        """Raises TimeoutError when no answer came within the time for one try, SnmpDecodeError when it is none."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._timeout):
            while True:
                datagram = await loop.sock_recv(self._outside, _MOST_BYTES)
                if self._guard.admits(datagram):
                    self.heard = datagram
                    self._inside.send(datagram)
                    with contextlib.suppress(BlockingIOError):  # it was of an earlier request
                        return _read(receiver)
                await asyncio.sleep(0)  # a flood must not keep the timeout from coming


def _read(receiver: Callable[[], T]) -> T:
    """What gufo-snmp reads of an answer. Of what it does not expect it raises a RuntimeError, or its Rust ends in a
    panic: that is no Exception, and has no name to import."""
    try:
        return receiver()
    except BaseException as error:
        if isinstance(error, RuntimeError) or type(error).__name__ == "PanicException":
            raise SnmpDecodeError(str(error)) from None
        raise
