"""How a host is reached: over IPv4, over IPv6, or both; and at which of its addresses."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, Literal, TypeVar

import msgspec

from checks.contract import Address, Context
from checks.errors import CheckError, ObserverError, TargetError, from_os_error
from checks.findings import Finding, conclude
from checks.model import Metric, Outcome, State

Family = Literal["any", "v4", "v6", "both"]
"""Any: the first address that answers. Both: each is measured, and told apart by the instance of its metrics."""

SHARE: Final = 0.9
"""The part of a run's time that waiting may take: the rest is for saying what was waited for."""

_VERSIONS: Final[Mapping[str, int]] = {"v4": 4, "v6": 6}

T = TypeVar("T")
Look = Callable[[Context], Awaitable[Outcome]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OneFamily(Context):
    """A context whose names are at the addresses of one IP version alone."""

    whole: Context
    version: int

    async def resolve(self, host: str, family: int = socket.AF_UNSPEC) -> Sequence[Address]:
        """As the whole context. Raises TargetError besides when the name has no address of this version,
        ObserverError when the host is an address of the other."""
        found = await self.whole.resolve(host, family)
        ours = [address for address in found if address.version == self.version]
        if ours:
            return ours
        if host == str(found[0]):
            text = f"target {host}: expected a name, or an IPv{self.version} address, since that family is asked for"
            raise ObserverError("bad-target", text)
        raise TargetError("no-address-record", f"{host}: the name has no IPv{self.version} address")


def _only(ctx: Context, family: str, share: float = 1.0) -> OneFamily:
    memory = ctx.memory.setdefault(family, {})
    return OneFamily(
        clock=ctx.clock,
        timeout=ctx.timeout * share,
        memory=memory,
        allowed=ctx.allowed,
        whole=ctx,
        version=_VERSIONS[family],
    )


async def by_family(family: Family, place: str, ctx: Context, look: Look) -> Outcome:
    """What ``look`` finds over the family; over both at once, one outcome of the two. Raises what ``look`` raises,
    except over both: there an error is an outcome too."""
    if family == "any":
        return await look(ctx)
    if family != "both":
        return await look(_only(ctx, family))
    async with asyncio.TaskGroup() as group:
        looks = {name: group.create_task(_outcome(place, _only(ctx, name, SHARE), look)) for name in _VERSIONS}
    return merged(place, {name: task.result() for name, task in looks.items()})


async def _outcome(place: str, ctx: Context, look: Look) -> Outcome:
    try:
        async with asyncio.timeout(ctx.timeout):
            return await look(ctx)
    except CheckError as error:
        return error.outcome()
    except OSError as error:
        return from_os_error(error, place).outcome()


def merged(place: str, outcomes: Mapping[str, Outcome]) -> Outcome:
    """One outcome of those over "v4" and "v6". A target that is down over one alone is still served: WARN, with reason
    ``v4-down`` or ``v6-down``; ask for that family alone where it must be CRIT."""
    failed = [name for name, outcome in outcomes.items() if outcome.state is State.CRIT]
    served = any(outcome.state in (State.OK, State.WARN) for outcome in outcomes.values())
    findings = []
    for name, outcome in outcomes.items():
        said = f"over IP{name}: {outcome.summary.removeprefix(f'{place}: ')}"
        alone = served and failed == [name]
        findings.append(
            Finding(State.WARN, f"{name}-down", f"down {said}")
            if alone
            else Finding(outcome.state, outcome.reason, said)
        )
    well = next(iter(outcomes.values())).summary.removeprefix(f"{place}: ")
    whole = conclude(
        place,
        f"{well}, over IPv4 and IPv6",
        findings,
        metrics=[_of(name, metric) for name, outcome in outcomes.items() for metric in outcome.metrics],
        facts={f"{name}.{key}": fact for name, outcome in outcomes.items() for key, fact in outcome.facts.items()},
    )
    return msgspec.structs.replace(whole, answered=any(outcome.answered for outcome in outcomes.values()))


def _of(family: str, metric: Metric) -> Metric:
    instance = f"{family}/{metric.instance}" if metric.instance else family
    return msgspec.structs.replace(metric, instance=instance)


@dataclasses.dataclass(frozen=True)
class Reached(Generic[T]):
    """What an attempt gave, the address it was made at, and the seconds it took to find the addresses."""

    value: T
    address: Address
    lookup: float


async def first(ctx: Context, host: str, port: int, attempt: Callable[[Address, float], Awaitable[T]]) -> Reached[T]:
    """The first of a host's addresses where an attempt is made without an error, sharing the run's time between them,
    so that a dead IPv6 path does not hide a live IPv4 one. ``attempt`` takes the address and its seconds, after which
    it is cancelled. Raises CheckError: the first that blames the target, else the first."""
    begin = ctx.clock.monotonic()
    addresses = await ctx.resolve(host)
    lookup = ctx.clock.monotonic() - begin
    errors: list[CheckError] = []
    for tried, address in enumerate(addresses):
        remaining = ctx.timeout * SHARE - (ctx.clock.monotonic() - begin)
        seconds = max(remaining, 0.0) / (len(addresses) - tried)
        try:
            async with asyncio.timeout(seconds):
                return Reached(await attempt(address, seconds), address, lookup)
        except CheckError as error:
            errors.append(error)
        except OSError as error:
            errors.append(from_os_error(error, named(host, port)))
    raise next((error for error in errors if isinstance(error, TargetError)), errors[0])


def named(host: str, port: int) -> str:
    """host:port as an operator writes it, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
