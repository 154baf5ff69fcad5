"""A UDP port of loopback that answers as a test wants: for what no server of Debian would send."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any


@contextlib.asynccontextmanager
async def answering(answer: Callable[[int, bytes], list[bytes]]) -> AsyncIterator[int]:
    """A port that sends these datagrams for the n-th one it got."""

    class Server(asyncio.DatagramProtocol):
        transport: Any
        count = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            self.count += 1
            for each in answer(self.count, data):
                self.transport.sendto(each, addr)

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Server, ("127.0.0.1", 0))
    try:
        yield transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
