"""The path MTU by binary search: echo requests that must not be cut up (RFC 1191, RFC 8201; the search: RFC 8899).

Where a packet is too large for the next link, a router says so ("packet too big"). Where that message is lost, or never
sent, large packets vanish without a word, and with them every TCP connection that has much to say: a black hole (RFC
2923, section 2.1).
"""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import socket
from collections.abc import Callable
from typing import Final, Literal

from checks.contract import Address
from checks.net.icmp import Pinger, Probe, Refusal, Reply, pinger

_HEADERS: Final = {4: 20 + 8, 6: 40 + 8}
"""Bytes of IP and ICMP before an echo's data."""
_FLOOR: Final = {4: 128, 6: 1280}
"""What is tried first: over IPv6 every link must carry it (RFC 8200, section 5)."""
_COPIES: Final = 3

Limit = Literal["", "told", "silent", "local"]


@dataclasses.dataclass(frozen=True)
class Search:
    """How far a search has come: IP packets of ``passes`` bytes came through and were answered, those of ``fails`` did
    not (0: none yet). ``limit`` says how it is known: a router ``by`` its address told it, nothing came, or they do not
    fit this host's own interface. ``told`` is the size that the router named."""

    floor: int
    top: int
    passes: int = 0
    fails: int = 0
    limit: Limit = ""
    by: str = ""
    told: int = 0

    @property
    def trial(self) -> int | None:
        """The size to try next; None when the search is over."""
        if not self.passes:
            return None if self.fails else self.floor
        if not self.fails:
            return self.top if self.passes < self.top else None
        if self.fails - self.passes < 2:
            return None
        return self.told if self.passes < self.told < self.fails else (self.passes + self.fails) // 2

    @property
    def found(self) -> int | None:
        """The path MTU, or ``top`` when no less; None while it is not known, or when the target does not answer."""
        return self.passes if self.trial is None and self.passes else None

    def after(self, size: int, end: Reply | Refusal | OSError | None) -> Search:
        """The search once a size was tried: with an answer, an ICMP error, an error of this host, or nothing. What says
        nothing of the size changes nothing."""
        if isinstance(end, Reply):
            return dataclasses.replace(self, passes=size)
        if end is None:
            return dataclasses.replace(self, fails=size, limit="silent", by="", told=0)
        if isinstance(end, OSError):
            return dataclasses.replace(self, fails=size, limit="local", by="", told=0)
        if end.mtu is None:
            return self
        # A router may name no size (RFC 1191, section 5), or a wrong one.
        named = end.mtu if self.passes <= end.mtu < size else 0
        return dataclasses.replace(self, fails=named + 1 if named else size, limit="told", by=end.source, told=named)


def begin(version: int, expected: int) -> Search:
    """A search that has not begun. Finds no more than ``expected``."""
    return Search(min(_FLOOR[version], expected), expected)


async def advance(
    search: Search, address: Address, *, wait: float, source: Address | None, left: Callable[[], float]
) -> Search:
    """Goes on with a search until it is over, or nothing is ``left`` of the time (s): then the next run can go on. Each
    size is tried three times, and each time waited for ``wait`` s. Raises ObserverError and OSError."""
    async with pinger(socket.AF_INET6 if address.version == 6 else socket.AF_INET, whole=True) as sender:
        while (size := search.trial) is not None and left() > _COPIES * wait:
            after = search.after(size, await _try(sender, address, size, wait, source))
            if after == search:
                return search  # a router refuses us for another reason: the line is about to go
            search = after
    return search


async def _try(
    sender: Pinger, address: Address, size: int, wait: float, source: Address | None
) -> Reply | Refusal | OSError | None:
    probes: list[Probe] = []
    try:
        for _ in range(_COPIES):
            probes.append(sender.send(address, size - _HEADERS[address.version], source=source))
            done, _pending = await asyncio.wait(probes, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            if done:
                return done.pop().result()
    except OSError as error:
        if error.errno != errno.EMSGSIZE:
            raise
        return error
    finally:
        for probe in probes:
            probe.cancel()
    return None
