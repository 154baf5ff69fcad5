"""The check ``wan``: how a line is: up, what it loses, how long it takes, how full it is, and which way it goes."""

from __future__ import annotations

import dataclasses
import ipaddress
from typing import Final

from checks.contract import Address, Check, Context, Target, host_port
from checks.errors import CheckError, ObserverError
from checks.model import Outcome
from checks.net import local
from checks.ping import PingParams
from checks.snmp.check import ReaderFactory
from checks.snmp.gufo_reader import GufoReader
from checks.stamp.reflector import PORT
from checks.stamp.sender import Sending
from checks.wan import access, mtu, path, quality
from checks.wan.access import Load
from checks.wan.history import History, history
from checks.wan.judge import Seen, down, judge
from checks.wan.params import WanParams
from checks.wan.path import Path
from checks.wan.quality import Quality

_SHARE: Final = 0.9
"""The part of a run's time that it may take."""
_LEAST_MTU_6: Final = 1280
_MOST_LOSS_TO_SEARCH: Final = 20.0
"""In %: where more is lost, three packets in a row that vanish say nothing of their size."""


@dataclasses.dataclass(frozen=True)
class Line:
    """What is measured, and until when: ``end`` is monotonic s."""

    place: str
    address: Address
    source: Address | None
    params: WanParams
    ctx: Context
    end: float

    def left(self) -> float:
        """Seconds that the run may still take."""
        return self.end - self.ctx.clock.monotonic()


async def run(target: Target, params: WanParams, ctx: Context) -> Outcome:
    """Measures a line, and judges it by what its job remembers."""
    return await measure(target, params, ctx, GufoReader)


async def measure(target: Target, params: WanParams, ctx: Context, engine: ReaderFactory) -> Outcome:
    """:func:`run` with a chosen SNMP engine."""
    begin = ctx.clock.monotonic()
    one = await _line(target, params, ctx, begin + ctx.timeout * _SHARE)
    own = local.leaving(one.address, one.source)
    seen = await _quality(one)
    if not seen.times:
        return await _down(one, own, seen, engine)
    kept = history(ctx.memory, params.window)
    window = kept.add(begin, seen.times)
    load, trouble = await _load(one, engine)
    way = await _path(one, seen, kept)
    await _mtu(one, seen, kept)
    return judge(one.place, Seen(seen, window, kept.fastest, load, trouble, way, kept.mtu), params, ctx.memory)


async def _line(target: Target, params: WanParams, ctx: Context, end: float) -> Line:
    host = target.address.strip("[]")
    if not host:
        raise ObserverError("bad-target", "target '': expected the host name or address of the line's far end")
    sending = (params.count - 1) * params.spacing
    if sending >= ctx.timeout * _SHARE / 2:
        raise ObserverError(
            "bad-params",
            f"check wan: {params.count} packets {params.spacing:g} s apart take more than half of the "
            f"{ctx.timeout * _SHARE:g} s that a deadline of {ctx.timeout:g} s leaves: send fewer, or give the job more "
            "time",
        )
    source = ipaddress.ip_address(params.source) if params.source else None
    address = await _resolved(host, source, ctx)
    if address.version == 6 and 0 < params.mtu.expected < _LEAST_MTU_6:
        least = f"check wan: mtu.expected is {params.mtu.expected}, and IPv6 needs {_LEAST_MTU_6} (RFC 8200, section 5)"
        raise ObserverError("bad-params", least)
    return Line(host, address, source, params, ctx, end)


async def _resolved(host: str, source: Address | None, ctx: Context) -> Address:
    """The first of a host's addresses that the source can speak to."""
    found = await ctx.resolve(host)
    same = [address for address in found if source is None or address.version == source.version]
    if not same:
        raise ObserverError("bad-params", f"check wan: source {source}: {host} has no address of that IP version")
    return same[0]


async def _quality(one: Line) -> Quality:
    """By STAMP where a reflector answers, else by echo."""
    trouble = ""
    params = one.params
    if params.reflector:
        host, port = host_port(params.reflector, PORT)
        address = await _resolved(host, one.source, one.ctx)
        wait = min(params.wait, one.left() / 3)
        sending = Sending(params.count, params.spacing, wait, params.key.encode())
        found = await quality.by_stamp(address, port, sending, one.source)
        measured = quality.of_stamp(found, stateful=params.mode == "stateful")
        if measured is not None:
            return measured
        trouble = quality.trouble_of(found, params.reflector)
    # What a silent reflector has taken of the time is not there for the echo.
    count = max(2, min(params.count, int(one.left() / 2 / params.spacing)))
    echo = PingParams(count=count, spacing=max(params.spacing, 0.01), wait=min(params.wait, one.left() / 3))
    measured = await quality.by_echo(one.address, echo, dataclasses.replace(one.ctx, timeout=one.left()), one.source)
    return dataclasses.replace(measured, trouble=trouble)


async def _down(one: Line, own: str, seen: Quality, engine: ReaderFactory) -> Outcome:
    """The line is down, unless this host has been the one that could not send."""
    if error := local.fault(own):
        raise error
    way = None
    if one.params.path.hops:
        wait = min(one.params.wait, one.left() / 4)
        way = await path.trace(one.address, hops=one.params.path.hops, wait=wait, source=one.source)
    load, _trouble = await _load(one, engine)
    return down(one.place, seen, way, load)


async def _load(one: Line, engine: ReaderFactory) -> tuple[Load | None, str]:
    """The load of the access interface, or why it is not known: the line is worth telling of without it."""
    if one.params.interface is None:
        return None, ""
    try:
        return await access.measure(one.params.interface, one.ctx, one.left() / 2, engine), ""
    except CheckError as error:
        return None, error.summary


async def _path(one: Line, seen: Quality, kept: History) -> Path | None:
    if not one.params.path.hops:
        return None
    wait = min(_patience(one, seen), one.left() / 3)
    now = await path.trace(one.address, hops=one.params.path.hops, wait=wait, source=one.source)
    return kept.go(now, seen.times)


async def _mtu(one: Line, seen: Quality, kept: History) -> None:
    expected = one.params.mtu.expected
    if not expected or seen.loss.percent > _MOST_LOSS_TO_SEARCH:
        return
    search = kept.search(one.address.version, one.params.mtu)
    if search is not None:
        wait = _patience(one, seen)
        kept.searched(await mtu.advance(search, one.address, wait=wait, source=one.source, left=one.left))


def _patience(one: Line, seen: Quality) -> float:
    """Seconds to wait for an answer, by those that came: a router's error may take its time, and a large packet too."""
    return min(one.params.wait, 0.1 + 2 * seen.times[-1])


CHECK = Check(
    name="wan",
    about="a WAN line: up or down, loss, delay, jitter, load, path MTU, path, and whether the backup carries it",
    target="host name or address at the line's far end",
    params=WanParams,
    run=run,
)
