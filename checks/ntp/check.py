"""The check ``ntp``: whether a time server answers, is synchronised, and agrees with this agent's clock."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator
from typing import Annotated, Any, Final

import msgspec

from checks.contract import Address, Check, Context, Params, Target, host_port
from checks.errors import ObserverError, TargetError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State
from checks.net import reach, udp
from checks.ntp.packet import PORT, UNSYNCHRONIZED, Reply, Sample, parse, request, root_distance, sample

_POLLS: Final = 8
"""How many polls the reachability tells of (RFC 5905, section 9.2: the 8-bit reach register)."""

_NO_TIME_YET: Final = ("", "INIT", "STEP")
"""What stands in place of a kiss where a server is not synchronised: stratum 16 is sent as 0 (RFC 5905, figure 11)."""


class NtpParams(Params, frozen=True):
    """``levels`` are for the offset in seconds, either way, less what an unequal way there and back may have made;
    ``distance`` is for the most by which the server itself may be wrong, in seconds (its root distance). ``stratum`` is
    the highest that is good."""

    levels: Levels = Levels(warn=0.5, crit=5)
    distance: Levels = Levels(warn=1.5)
    stratum: Annotated[int, msgspec.Meta(ge=1, le=15)] = 15
    family: reach.Family = "any"


async def run(target: Target, params: NtpParams, ctx: Context) -> Outcome:
    """Asks the server for the time, and judges it."""
    return await reach.by_family(params.family, target.address, ctx, functools.partial(_look, target, params))


async def _look(target: Target, params: NtpParams, ctx: Context) -> Outcome:
    polls = ctx.memory["polls"] = [*ctx.memory.get("polls", ())[1 - _POLLS :], False]
    host, port = host_port(target.address, PORT)

    async def attempt(address: Address, seconds: float) -> udp.Answer[Reply]:
        return await udp.ask(address, port, seconds, _question)

    answer = (await reach.first(ctx, host, port, attempt)).value
    polls[-1] = True
    reach_metric = Metric("ntp.reach", 100 * sum(polls) / len(polls), "%")
    measured = sample(answer.value, answer.sent, answer.received)
    outcome = judge(target.address, answer.value, measured, params, ctx.memory)
    return msgspec.structs.replace(outcome, metrics=(*outcome.metrics, reach_metric))


def _question() -> udp.Question[Reply]:
    cookie = secrets.randbits(64)
    return udp.Question(request(cookie), lambda data: parse(data, cookie))


def judge(place: str, reply: Reply, measured: Sample, params: NtpParams, memory: dict[str, Any]) -> Outcome:
    """The outcome of a reply. Raises CheckError for a kiss-o'-death, which tells no time."""
    if reply.stratum == 0 and reply.kiss not in _NO_TIME_YET:
        raise _kissed(place, reply.kiss)
    metrics = [
        Metric("ntp.offset", measured.offset, "s"),
        Metric("ntp.delay", measured.delay, "s"),
        Metric("ntp.stratum", reply.stratum, "1"),
        Metric("ntp.leap", reply.leap, "1"),
        Metric("ntp.root.delay", reply.root_delay, "s"),
        Metric("ntp.root.dispersion", reply.root_dispersion, "s"),
        Metric("ntp.root.distance", root_distance(reply, measured), "s"),
    ]
    facts = {"clock": reply.clock} if reply.clock else {}
    findings = _findings(reply, measured, params, memory)
    return conclude(place, "gives the time", list(findings), metrics=metrics, facts=facts)


def _findings(reply: Reply, measured: Sample, params: NtpParams, memory: dict[str, Any]) -> Iterator[Finding]:
    if reply.leap == UNSYNCHRONIZED or not 0 < reply.stratum < 16:
        yield Finding(State.CRIT, "unsynchronised", "is not synchronised: it has no time to give")
        return  # its time means nothing
    if reply.stratum > params.stratum:
        text = f"is of stratum {reply.stratum} where at most {params.stratum} is good: it has lost its source"
        yield Finding(State.WARN, "stratum", text)
    ahead = "ahead of" if measured.offset > 0 else "behind"
    beyond = max(0.0, abs(measured.offset) - measured.error)
    text = f"its clock is {abs(measured.offset):.3g} s {ahead} this agent's"
    yield Finding(level(memory, "offset", beyond, params.levels), "offset", text)
    distance = root_distance(reply, measured)
    text = f"its own time may be wrong by {distance:.3g} s: it has long not heard its source"
    yield Finding(level(memory, "distance", distance, params.distance), "distance", text)


def _kissed(place: str, code: str) -> ObserverError | TargetError:
    if code == "RATE":
        text = f"{place}: says that it is asked too often: lengthen the interval"
        return ObserverError("rate-limited", text, answered=True)
    why = "denies us the time" if code in ("DENY", "RSTR") else "sends us away"
    return TargetError("kiss-of-death", f"{place}: {why} (kiss-o'-death {code})", answered=True)


CHECK = Check(
    name="ntp",
    about="whether a time server answers, is synchronised, and agrees with this agent's clock",
    target="the server: host or host:port",
    params=NtpParams,
    run=run,
)
