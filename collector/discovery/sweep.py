"""Who answers echo requests."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

from checks.contract import Address
from checks.errors import from_os_error
from checks.net.icmp import Pinger, Reply, pinger
from collector.discovery.pace import Pace
from collector.discovery.scope import Scope

TRIES: Final = 2
WAIT: Final = 1.0
"""Seconds for the answer to one echo request."""
_SIZE: Final = 56
_LOST: Final = (errno.EHOSTUNREACH, errno.ENOBUFS, errno.EACCES)
"""As good as no answer: nobody has the address; this host's queue is full; it is a LAN's broadcast address."""

Ended = Callable[[Address, bool, str], None]
"""Told of each address, whether it answered, and why it could not be asked if it could not."""


@contextlib.asynccontextmanager
async def pingers(scope: Scope) -> AsyncIterator[Mapping[int, Pinger]]:
    """Pingers by the IP version, for the prefixes' own. Raises ObserverError when this host may not ping."""
    async with contextlib.AsyncExitStack() as stack:
        yield {
            version: await stack.enter_async_context(pinger(socket.AF_INET6 if version == 6 else socket.AF_INET))
            for version in {prefix.version for prefix in scope.prefixes}
        }


async def sweep(scope: Scope, by_version: Mapping[int, Pinger], pace: Pace, ended: Ended) -> None:
    """Asks each address at a pace, once more if the first request is not answered."""
    async with asyncio.TaskGroup() as group:
        for address in scope.addresses():
            await pace.turn()
            group.create_task(_ask(address, by_version[address.version], pace, ended))


async def _ask(address: Address, sender: Pinger, pace: Pace, ended: Ended) -> None:
    try:
        for number in range(TRIES):
            if number:
                await pace.turn()
            if await _echoes(address, sender):
                return ended(address, True, "")
    except OSError as error:
        return ended(address, False, from_os_error(error, str(address)).summary)
    return ended(address, False, "")


async def _echoes(address: Address, sender: Pinger) -> bool:
    try:
        probe = sender.send(address, _SIZE)
    except OSError as error:
        if error.errno in _LOST:
            return False
        raise
    try:
        async with asyncio.timeout(WAIT):
            return isinstance(await probe, Reply)
    except TimeoutError:
        return False
