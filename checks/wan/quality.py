"""How well a line carries packets: a run of STAMP packets or of echo requests, as one kind of numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from checks.contract import Address, Context
from checks.errors import from_os_error
from checks.net.icmp import Refusal
from checks.ping import PingParams, Tally
from checks.ping import fetch as ping
from checks.stamp.sender import Run, Sending, connected, send
from checks.stamp.session import Loss, jitter, summarise


@dataclasses.dataclass(frozen=True)
class Quality:
    """A run in numbers. Times are seconds; ``times`` are round trips in ascending order. ``forward`` and ``backward``
    are the loss there and back, None when the direction is not known. ``jitter`` (RFC 3550) goes by "forward" and
    "backward", or by "" for the round trip's. ``refusal`` is the last ICMP error, and ``trouble`` why the reflector
    that should have told all this did not."""

    loss: Loss
    times: tuple[float, ...]
    forward: Loss | None = None
    backward: Loss | None = None
    jitter: Mapping[str, float] = dataclasses.field(default_factory=dict)
    refusal: Refusal | None = None
    trouble: str = ""


async def by_stamp(address: Address, port: int, sending: Sending, source: Address | None) -> Run:
    """A run to a reflector. An error of sending is the run's refusal, as one that comes back."""
    try:
        with connected(address, port, source) as sock:
            return await send(sock, sending)
    except OSError as refusal:
        return Run(refusal=refusal)


async def by_echo(address: Address, params: PingParams, ctx: Context, source: Address | None) -> Quality:
    """A run of echo requests. Raises ObserverError and OSError as :func:`checks.ping.fetch`."""
    return of_echo(await ping(address, params, ctx, source=source))


def of_stamp(run: Run, *, stateful: bool) -> Quality | None:
    """The numbers of a run that something came back of."""
    found = summarise(run.sent, run.replies, stateful=stateful)
    if not found.round_trips:
        return None
    ways = {"forward": found.jitter_forward, "backward": found.jitter_backward}
    return Quality(
        loss=found.loss,
        times=found.round_trips,
        forward=found.forward,
        backward=found.backward,
        jitter={way: value for way, value in ways.items() if value is not None},
    )


def of_echo(tally: Tally) -> Quality:
    """The numbers of echo requests."""
    times = tally.times
    unsteady = jitter((0, round(time * 1e9)) for time in times)
    return Quality(
        loss=Loss(len(tally.ends) - len(times), len(tally.ends)),
        times=tuple(sorted(times)),
        jitter={} if unsteady is None else {"": unsteady},
        refusal=tally.refusal,
    )


def trouble_of(run: Run, where: str) -> str:
    """Why nothing came of a STAMP run, while the line may be well."""
    if run.forged + run.truncated + run.foreign:
        return f"what answers at the reflector {where} is not authentic: compare the keys"
    if run.refusal is not None:
        return f"the reflector {from_os_error(run.refusal, where)}"
    return f"the reflector {where} is silent: it is off, a filter drops its port, or it has another key"
