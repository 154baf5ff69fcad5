"""The path to an address: the router at each distance, by what comes back of packets that may go no farther.

Echo requests, one for each time to live, all with the same checksum: routers that balance by the first bytes behind
the IP header then send them all one way (Augustin et al., "Avoiding traceroute anomalies with Paris traceroute", IMC
2006). So what is seen is a path that packets really take.
"""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Literal

from checks.contract import Address
from checks.net.icmp import Probe, Refusal, Reply, pinger
from checks.net.icmp_format import MIN_DATA_BYTES

SILENT: Final = "*"
_SPACING: Final = 0.005
"""Seconds between two packets: time for the target to answer before more are sent than it takes."""
_TRIES: Final = 2

Carrier = Literal["primary", "backup"]


@dataclasses.dataclass(frozen=True)
class Path:
    """The address at each distance, from 1; "*" of one that is silent. ``reached``: the last is the target's."""

    hops: tuple[str, ...] = ()
    reached: bool = False

    @property
    def heard(self) -> tuple[str, ...]:
        """The hops that answered."""
        return tuple(hop for hop in self.hops if hop != SILENT)

    def __str__(self) -> str:
        return " ".join(self.hops)


async def trace(address: Address, *, hops: int = 16, wait: float = 1.0, source: Address | None = None) -> Path:
    """The path to an address, as far as ``hops``. Each distance is asked at most twice, and waited for ``wait`` s each
    time. Raises ObserverError when the right to send ICMP is missing, OSError when nothing can be sent."""
    ends: dict[int, Reply | Refusal] = {}
    async with pinger(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as sender:

        def ask(distance: int) -> Probe:
            return sender.send(address, MIN_DATA_BYTES, ttl=distance, source=source)

        for _ in range(_TRIES):
            silent = [distance for distance in range(1, (_last(ends) or hops) + 1) if distance not in ends]
            if silent:
                await _round(ask, silent, ends, wait)
    return assemble(ends)


async def _round(
    ask: Callable[[int], Probe], distances: Sequence[int], ends: dict[int, Reply | Refusal], wait: float
) -> None:
    """Asks each distance once, and adds what comes to ``ends``. Stops asking when the path has ended."""
    probes: dict[int, Probe] = {}

    def collect() -> None:
        ends.update({distance: probe.result() for distance, probe in probes.items() if probe.done()})

    try:
        for distance in distances:
            probes[distance] = ask(distance)
            await asyncio.sleep(_SPACING)
            collect()
            if (_last(ends) or distance) < distance:
                break
        await asyncio.wait(probes.values(), timeout=wait)
        collect()
    finally:
        for probe in probes.values():
            probe.cancel()


def _last(ends: Mapping[int, Reply | Refusal]) -> int | None:
    """The least distance from which something else came than "time exceeded": there the path ends."""
    return min((at for at, end in ends.items() if isinstance(end, Reply) or not end.expired), default=None)


def assemble(ends: Mapping[int, Reply | Refusal]) -> Path:
    """The path from what came of each distance. Pure."""
    last = _last(ends)
    sources = {at: end.source for at, end in ends.items() if last is None or at <= last}
    return Path(
        tuple(sources.get(at, SILENT) for at in range(1, max(sources, default=0) + 1)),
        last is not None and isinstance(ends[last], Reply),
    )


def settle(before: Path | None, now: Path) -> Path:
    """The path to go by: what was known, unless what is seen now contradicts it. A hop that is silent contradicts
    nothing, nor does a trace that did not reach the target."""
    if before is None or (now.reached and not before.reached):
        return now
    return now if now.reached and not _agree(before.hops, now.hops) else before


def _agree(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two paths to one target may be the same. Silence right before the target says nothing of the length: an
    answer of the target may have been lost."""
    a, b = one[:-1], other[:-1]
    as_long = _heard_until(a) <= len(b) and _heard_until(b) <= len(a)
    alike = all(SILENT in pair or pair[0] == pair[1] for pair in zip(a, b, strict=False))
    return one[-1:] == other[-1:] and as_long and alike


def _heard_until(hops: Sequence[str]) -> int:
    """The distance of the last that answered."""
    return max((at for at, hop in enumerate(hops, 1) if hop != SILENT), default=0)


def line(hops: Collection[str], primary: Collection[str], backup: Collection[str]) -> Carrier | None:
    """Which line carries the traffic, told by the hops that mean one; None when no such hop was seen."""
    if not set(backup).isdisjoint(hops):
        return "backup"
    return None if set(primary).isdisjoint(hops) else "primary"
