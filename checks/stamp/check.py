"""The check ``stamp``: loss and jitter of each direction, the round trip, and proof that a line carries traffic."""

from __future__ import annotations

import ipaddress
import socket
import statistics
from typing import Annotated, Final, Literal, NamedTuple

import msgspec

from checks.contract import Address, Check, Context, Params, Secret, Target, host_port
from checks.errors import CheckError, ObserverError, from_os_error
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State
from checks.stamp.reflector import PORT
from checks.stamp.sender import Run, Sending, connected, send
from checks.stamp.session import Loss, Summary, percentile, summarise

_SHARE: Final = 0.9
"""The part of a run's time that sending and waiting may take."""

_WAYS: Final = {"forward": "on the way there", "backward": "on the way back"}


class StampParams(Params, frozen=True):
    """``count`` packets, ``spacing`` s apart, each waited for ``wait`` s at most. With a ``key``, the reflector's, they
    are authenticated. ``source`` is the address to send from: bound to the office LAN it proves that the office's
    traffic passes. ``mode`` is the reflector's: of a stateless one the direction of a loss is not known.

    ``loss`` levels are in %, of the round trip; ``loss_forward`` and ``loss_backward`` of one way. ``rtt`` levels are
    for the median, ``jitter`` levels for either way, in seconds."""

    count: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    spacing: Annotated[float, msgspec.Meta(ge=0.001, le=60)] = 0.1
    wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    key: Secret = ""
    source: str = ""
    mode: Literal["stateful", "stateless"] = "stateful"
    loss: Levels = Levels(warn=5, crit=40)
    loss_forward: Levels = Levels()
    loss_backward: Levels = Levels()
    rtt: Levels = Levels()
    jitter: Levels = Levels()

    def __post_init__(self) -> None:
        if self.source:
            try:
                ipaddress.ip_address(self.source)
            except ValueError:
                raise ValueError(f"source {self.source!r}: expected an IP address of the agent's host") from None


async def run(target: Target, params: StampParams, ctx: Context) -> Outcome:
    """Sends the packets, waits for what comes back, judges it."""
    place = await place_of(target.address, params, ctx)
    return judge(str(place), await fetch(place, params, ctx), params, ctx)


class Place(NamedTuple):
    """Where a reflector is: its name, and what that means just now."""

    host: str
    address: Address
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


async def place_of(target: str, params: StampParams, ctx: Context) -> Place:
    """The first of a target's addresses that the source can speak to. Raises CheckError."""
    host, port = host_port(target, PORT)
    found = await ctx.resolve(host)
    if not params.source:
        return Place(host, found[0], port)
    version = ipaddress.ip_address(params.source).version
    same = [address for address in found if address.version == version]
    if not same:
        raise ObserverError(
            "bad-params", f"check stamp: source {params.source} is IPv{version}, and {host} has no such address"
        )
    return Place(host, same[0], port)


async def fetch(place: Place, params: StampParams, ctx: Context) -> Run:
    """Makes a run. Raises ObserverError when its time does not suffice, and as :func:`open_socket`."""
    sending = (params.count - 1) * params.spacing
    waiting = min(params.wait, ctx.timeout * _SHARE - sending)
    if waiting <= 0:
        raise ObserverError(
            "bad-params",
            f"check stamp: {params.count} packets {params.spacing:g} s apart do not fit into a deadline of "
            f"{ctx.timeout:g} s: send fewer, or give the job more time",
        )
    with open_socket(place, params) as sock:
        return await send(sock, Sending(params.count, params.spacing, waiting, params.key.encode()))


def open_socket(place: Place, params: StampParams) -> socket.socket:
    """A socket for a session. Raises ObserverError when the source is not this host's, OSError when there is no
    route."""
    source = ipaddress.ip_address(params.source) if params.source else None
    try:
        return connected(place.address, place.port, source)
    except OSError as error:
        if source is None or from_os_error(error, "").reason != "no-address":
            raise
        raise ObserverError(
            "no-address", f"source {source} is not an address of this agent's host: correct the job's source"
        ) from error


def judge(place: str, taken: Run, params: StampParams, ctx: Context) -> Outcome:
    """The outcome of a run. Without any authentic reply the line is down, whatever the levels say."""
    stateful = params.mode == "stateful"
    found = summarise(taken.sent, taken.replies, stateful=stateful, first=taken.first, since=taken.since)
    if not found.round_trips:
        return _down(place, taken, params)
    median = statistics.median(found.round_trips)
    findings = [
        Finding(level(ctx.memory, "loss", found.loss.percent, params.loss), "loss", _lost(found)),
        *_one_way(found, params, ctx),
        Finding(
            level(ctx.memory, "rtt", median, params.rtt), "slow", f"slow: the median round trip takes {median:.3g} s"
        ),
    ]
    return conclude(place, "reflects test packets", findings, metrics=metrics_of(found))


def _lost(found: Summary) -> str:
    """Where what was lost was lost, as far as it is known."""
    text = f"{found.loss.lost} of {found.loss.of} packets lost"
    if found.forward is None or found.backward is None:
        return text
    there, back = found.forward.lost, found.backward.lost
    parts = [f"{there} {_WAYS['forward']}", f"{back} {_WAYS['backward']}"]
    if (rest := found.loss.lost - there - back) > 0:
        parts.append(f"{rest} at the end")
    return f"{text}: {', '.join(parts)}"


def _one_way(found: Summary, params: StampParams, ctx: Context) -> list[Finding]:
    findings = []
    losses = {"forward": (found.forward, params.loss_forward), "backward": (found.backward, params.loss_backward)}
    for way, (loss, levels) in losses.items():
        if loss is not None:
            state = level(ctx.memory, f"loss.{way}", loss.percent, levels)
            findings.append(Finding(state, "loss", f"{loss.percent:.3g} % lost {_WAYS[way]}"))
    for way, value in (("forward", found.jitter_forward), ("backward", found.jitter_backward)):
        if value is not None:
            state = level(ctx.memory, f"jitter.{way}", value, params.jitter)
            findings.append(Finding(state, "jitter", f"jitter of {value:.3g} s {_WAYS[way]}"))
    return findings


def metrics_of(found: Summary) -> list[Metric]:
    """The metrics of a run that something came back of; what is not known is left out."""
    times = found.round_trips

    def percent(loss: Loss | None) -> float | None:
        return None if loss is None else loss.percent

    known = (
        ("stamp.rtt.min", times[0], "s"),
        ("stamp.rtt.median", statistics.median(times), "s"),
        ("stamp.rtt.p95", percentile(times, 95), "s"),
        ("stamp.rtt.max", times[-1], "s"),
        ("stamp.loss", found.loss.percent, "%"),
        ("stamp.loss.forward", percent(found.forward), "%"),
        ("stamp.loss.backward", percent(found.backward), "%"),
        ("stamp.jitter.forward", found.jitter_forward, "s"),
        ("stamp.jitter.backward", found.jitter_backward, "s"),
        ("stamp.offset", found.offset, "s"),
        ("stamp.offset.uncertainty", found.uncertainty, "s"),
        ("stamp.duplicates", float(found.duplicates), "1"),
        ("stamp.reordered", float(found.reordered), "1"),
    )
    return [Metric(name, value, unit) for name, value, unit in known if value is not None]


def _down(place: str, taken: Run, params: StampParams) -> Outcome:
    lost = (Metric("stamp.loss", 100.0, "%"),)
    if wrong := taken.forged + taken.truncated + taken.foreign:
        said = f"{place}: {wrong} replies to {taken.sent} packets"
        if params.key:
            why = "the key differs from the reflector's, it has none, or somebody forges its replies"
            return Outcome(State.CRIT, f"{said}, none authentic: {why}", "forged", metrics=lost)
        why = "what answers is no STAMP reflector, or wants a key"
        return Outcome(State.CRIT, f"{said}, none of them an answer to what was sent: {why}", "malformed", metrics=lost)
    if taken.refusal is not None:
        error: CheckError = from_os_error(taken.refusal, place)
        return msgspec.structs.replace(error.outcome(), metrics=lost if error.state is State.CRIT else ())
    key = ", or it has another key" if params.key else ", or it wants a key"
    summary = f"{place}: no reply to {taken.sent} packets: the line is cut, no reflector is there{key}"
    return Outcome(State.CRIT, summary, "timeout", metrics=lost)


CHECK = Check(
    name="stamp",
    about="a line's quality by STAMP (RFC 8762): loss and jitter of each direction, round trip, clock offset",
    target="host or host:port of a reflector; 862 without a port",
    params=StampParams,
    run=run,
)
