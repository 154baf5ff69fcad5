"""A question in one datagram, and its answer, with the times at which they left and came."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from checks.contract import Address
from checks.stamp.datagram import SteadyClock, receive, udp_socket

_SHARES: Final = (1 / 7, 2 / 7, 4 / 7)
"""Of the time, for each try: a datagram that is lost is not an outage."""

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Question(Generic[T]):
    """A datagram, and what makes of a datagram that came back the answer: None for what is none (a late answer to an
    earlier question, or a forged one), which is then waited for further."""

    data: bytes
    accept: Callable[[bytes], T | None]


@dataclasses.dataclass(frozen=True)
class Answer(Generic[T]):
    """``sent`` and ``received`` are Unix times in ns; the latter is the kernel's."""

    value: T
    sent: int
    received: int

    @property
    def seconds(self) -> float:
        """From the question to its answer."""
        return (self.received - self.sent) / 1e9


async def ask(address: Address, port: int, seconds: float, question: Callable[[], Question[T]]) -> Answer[T]:
    """The answer to a question, which is made anew for each of three tries. Raises TimeoutError; or OSError, when an
    ICMP error comes back."""
    for share in _SHARES:
        try:
            async with asyncio.timeout(seconds * share):
                return await _exchange(address, port, question())
        except TimeoutError:
            continue
    raise TimeoutError


async def _exchange(address: Address, port: int, question: Question[T]) -> Answer[T]:
    clock = SteadyClock()
    loop = asyncio.get_running_loop()
    with udp_socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as sock:
        sock.connect((str(address), port))
        sent = clock.now()
        sock.send(question.data)
        while True:
            await _readable(loop, sock)
            try:
                datagram = receive(sock)
            except BlockingIOError:
                continue
            value = question.accept(datagram.data)
            if value is not None:
                return Answer(value, sent, clock.of(datagram.received))


async def _readable(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _set, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)
