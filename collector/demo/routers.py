"""Simulated routers on loopback: one process, one UDP socket each, real SNMPv2c, delay by distance, and a power switch.

A router is told apart by its address: Linux answers on all of 127.0.0.0/8 without any set-up. The kernel answers a ping
of these addresses itself, so only SNMP can tell that a router is dark.
"""

from __future__ import annotations

import asyncio
import difflib
import random
from collections.abc import Sequence
from typing import Final

from checks.contract import Clock
from collector.demo.mib import RouterSpec, view
from collector.demo.responder import Moment, respond

_NEAREST, _FARTHEST = 0.002, 0.040
"""The least and greatest delay of an answer, in seconds."""
_PER_KILOMETRE: Final = 0.00035
"""Seconds per kilometre, there and back: mountain roads, microwave hops and queues, not the speed of light."""
_JITTER: Final = 0.15
"""The mean of the jitter, as a part of the delay."""
_DAY_MS: Final = 86_400_000


def address_of(place: int, base: str = "127.77.0.0") -> str:
    """The loopback address of the n-th router: base + 256·(n // 200) + n % 200 + 1, so that none ends in 0 or 255."""
    first, second, third, _ = map(int, base.split("."))
    row, column = divmod(place, 200)
    if not 0 <= third + row < 256:
        raise ValueError(
            f"router {place}: there is no such address above {base}; expected 0 to {(256 - third) * 200 - 1}"
        )
    return f"{first}.{second}.{third + row}.{column + 1}"


class Routers:
    """Many routers on the running event loop. The same clock, seed and requests give the same answers; delays too.

    ``loss`` is the part of requests that get lost, 0 to 1. Raises ValueError when two routers share a node
    or an address."""

    def __init__(self, specs: Sequence[RouterSpec], clock: Clock, seed: int = 0, *, loss: float = 0.0) -> None:
        _refuse_twins(specs)
        self._clock = clock
        self._routers = {spec.node: _Router(spec, clock, seed, loss) for spec in specs}
        self._transports: list[asyncio.DatagramTransport] = []

    async def open(self) -> None:
        """Opens the sockets. Raises OSError that names the router and its address; then none is open."""
        loop = asyncio.get_running_loop()
        for router in self._routers.values():
            where = (router.spec.address, router.spec.port)
            try:
                transport, _ = await loop.create_datagram_endpoint(lambda router=router: router, local_addr=where)  # type: ignore[misc]  # mypy cannot infer a lambda's default
            except OSError as error:
                await self.close()
                hint = "set another port, or end what holds it"
                raise OSError(
                    error.errno, f"router {router.spec.node} at {where[0]}:{where[1]}: {error}: {hint}"
                ) from error
            self._transports.append(transport)

    async def close(self) -> None:
        """Closes the sockets; answers on their way are not sent. May be called twice."""
        for transport in self._transports:
            transport.close()
        self._transports.clear()
        await asyncio.sleep(0)  # a transport closes its socket in the next turn of the loop

    @property
    def stopped(self) -> set[str]:
        """The nodes whose routers are dark."""
        return {node for node, router in self._routers.items() if router.dark}

    def stop(self, node: str) -> None:
        """The power goes: the router says nothing more, not even what it was about to. Raises LookupError."""
        self._router(node).power_off()

    def start(self, node: str) -> None:
        """The power comes back: sysUpTime and all counters start from 0. Does nothing to one that runs.
        Raises LookupError."""
        self._router(node).power_on()

    def _router(self, node: str) -> _Router:
        if node in self._routers:
            return self._routers[node]
        near = difflib.get_close_matches(node, self._routers, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {len(self._routers)}, of other nodes"
        raise LookupError(f"no simulated router of node {node!r}: {hint}")


def _refuse_twins(specs: Sequence[RouterSpec]) -> None:
    nodes: set[str] = set()
    places: dict[tuple[str, int], str] = {}
    for spec in specs:
        if spec.node in nodes:
            raise ValueError(f"node {spec.node!r} has two simulated routers: expected one")
        other = places.setdefault((spec.address, spec.port), spec.node)
        if other != spec.node:
            raise ValueError(
                f"simulated routers of {other!r} and {spec.node!r} are both at {spec.address}:{spec.port}: "
                "give each its own address"
            )
        nodes.add(spec.node)


class _Router(asyncio.DatagramProtocol):
    """One router's socket, its delay and its power."""

    def __init__(self, spec: RouterSpec, clock: Clock, seed: int, loss: float) -> None:
        self.spec = spec
        self.dark = False
        self._clock = clock
        self._loss = loss
        self._view = view(spec, seed)
        self._community = spec.community.encode()
        self._chance = random.Random(f"{seed}/{spec.node}/delay")  # noqa: S311 - a simulation, no secret
        self._delay = min(_NEAREST + spec.distance * _PER_KILOMETRE, _FARTHEST / (1 + 2 * _JITTER))
        # It was there long before the demonstration: up for 1 to 60 days.
        self._booted_at = clock.now() - int(self._chance.uniform(1, 60) * _DAY_MS)
        self._transport: asyncio.DatagramTransport | None = None
        self._on_the_way: set[asyncio.TimerHandle] = set()

    def power_off(self) -> None:
        self.dark = True
        self._forget()

    def power_on(self) -> None:
        if self.dark:
            self.dark = False
            self._booted_at = self._clock.now()

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]  # it is one
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._transport = None
        self._forget()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.dark or (self._loss and self._chance.random() < self._loss):
            return
        moment = Moment(max(self._clock.now(), self._booted_at), self._booted_at)
        answer = respond(data, self._community, self._view, moment)
        if answer is not None:
            self._send_later(answer, addr)

    def _send_later(self, answer: bytes, addr: tuple[str, int]) -> None:
        delay = min(self._delay * (1 + self._chance.expovariate(1 / _JITTER)), _FARTHEST)

        def send() -> None:
            self._on_the_way.discard(handle)
            if self._transport is not None:
                self._transport.sendto(answer, addr)

        handle = asyncio.get_running_loop().call_later(delay, send)
        self._on_the_way.add(handle)

    def _forget(self) -> None:
        for handle in self._on_the_way:
            handle.cancel()
        self._on_the_way.clear()
