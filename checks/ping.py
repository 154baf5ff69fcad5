"""Whether a host answers echo requests: loss, round-trip time, jitter."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import socket
import statistics
from typing import Annotated

import msgspec

from checks.contract import Address, Check, Context, Params, Target
from checks.errors import ObserverError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State
from checks.net.icmp import Probe, Refusal, Reply, pinger
from checks.net.icmp_format import MIN_DATA_BYTES

_SHARE = 0.9
"""The part of a run's time that sending and waiting may take."""


class PingParams(Params, frozen=True):
    """``count`` requests of ``size`` bytes of data, ``spacing`` s apart, each waited for ``wait`` s at most.
    ``loss`` levels are in %, ``rtt`` levels, for the median, in seconds."""

    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 5
    spacing: Annotated[float, msgspec.Meta(ge=0.01, le=60)] = 0.2
    size: Annotated[int, msgspec.Meta(ge=MIN_DATA_BYTES, le=65_000)] = 56
    wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    loss: Levels = Levels(warn=5, crit=40)
    rtt: Levels = Levels()


@dataclasses.dataclass(frozen=True)
class Tally:
    """What came of the requests, in their order; None where nothing came."""

    ends: tuple[Reply | Refusal | None, ...]

    @property
    def times(self) -> list[float]:
        """Round-trip times in seconds, in the order sent."""
        return [end.rtt for end in self.ends if isinstance(end, Reply)]

    @property
    def loss(self) -> float:
        """In %."""
        return 100 * (1 - len(self.times) / len(self.ends))

    @property
    def refusal(self) -> Refusal | None:
        """The last ICMP error, if any."""
        return next((end for end in reversed(self.ends) if isinstance(end, Refusal)), None)


async def run(target: Target, params: PingParams, ctx: Context) -> Outcome:
    """Sends the requests, waits for the answers, judges them."""
    host = target.address.strip("[]")
    if not host:
        raise ObserverError("bad-target", "target '': expected a host name or address")
    address = (await ctx.resolve(host))[0]
    return judge(host, address, await fetch(address, params, ctx), params, ctx)


async def fetch(address: Address, params: PingParams, ctx: Context, *, source: Address | None = None) -> Tally:
    """Pings an address, from a ``source`` of this host if one is given. Raises ObserverError when the run's time does
    not suffice or the right to ping is missing, OSError when nothing can be sent."""
    sending = (params.count - 1) * params.spacing
    waiting = min(params.wait, ctx.timeout * _SHARE - sending)
    if waiting <= 0:
        raise ObserverError(
            "bad-params",
            f"check ping: {params.count} requests {params.spacing:g} s apart do not fit into a deadline of "
            f"{ctx.timeout:g} s: send fewer, or give the job more time",
        )
    probes: list[Probe] = []
    async with pinger(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as sender:
        try:
            for number in range(params.count):
                if number:
                    await asyncio.sleep(params.spacing)
                probes.append(sender.send(address, params.size, source=source))
            await asyncio.wait(probes, timeout=waiting)
            return Tally(tuple(probe.result() if probe.done() else None for probe in probes))
        finally:
            for probe in probes:
                probe.cancel()


def judge(host: str, address: Address, tally: Tally, params: PingParams, ctx: Context) -> Outcome:
    """The outcome of a tally. Without any answer the target is down, whatever the levels say."""
    loss = Metric("loss", tally.loss, "%")
    times = tally.times
    if not times:
        return _down(host, tally, loss)
    median = statistics.median(times)
    lost = Finding(
        level(ctx.memory, "loss", tally.loss, params.loss),
        "loss",
        f"{len(tally.ends) - len(times)} of {len(tally.ends)} pings lost{_because(tally.refusal)}",
    )
    slow = Finding(
        level(ctx.memory, "rtt", median, params.rtt), "slow", f"slow: the median round trip takes {median:.3g} s"
    )
    metrics = [
        loss,
        Metric("rtt", median, "s"),
        Metric("rtt.min", min(times), "s"),
        Metric("rtt.max", max(times), "s"),
    ]
    if len(times) > 1:
        steps = [abs(b - a) for a, b in itertools.pairwise(times)]
        metrics.append(Metric("jitter", statistics.fmean(steps), "s"))
    return conclude(host, "answers pings", [lost, slow], metrics=metrics, facts={"address": str(address)})


def _because(refusal: Refusal | None) -> str:
    return f" ({refusal.words}, says {refusal.source})" if refusal else ""


def _down(host: str, tally: Tally, loss: Metric) -> Outcome:
    if tally.refusal is not None:
        summary = f"{host}: {tally.refusal.words}, says {tally.refusal.source}"
        return Outcome(State.CRIT, summary, "unreachable", metrics=(loss,))
    count = len(tally.ends)
    summary = f"{host}: no answer to {count} pings" if count > 1 else f"{host}: no answer to a ping"
    return Outcome(State.CRIT, summary, "timeout", metrics=(loss,))


CHECK = Check(
    name="ping",
    about="whether a host answers pings: loss, round-trip time, jitter",
    target="host name or address",
    params=PingParams,
    run=run,
)
