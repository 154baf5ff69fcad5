"""What a check is, and what it is given.

A check is inert data. It owns neither deadline nor stopwatch nor error handling: whoever runs it does. Inside, it is
*fetch* (async, does I/O) → *parse* (pure, from bytes or rows to typed values) → *judge* (pure, to an Outcome).
"""

from __future__ import annotations

import asyncio
import dataclasses
import difflib
import ipaddress
import re
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any, Generic, Protocol, TypeVar

import msgspec

from checks.errors import ObserverError, from_os_error
from checks.model import Outcome

Secret = Annotated[str, msgspec.Meta(extra={"secret": True})]
"""A parameter that is never printed or logged: see :func:`shown`."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of a check: every field has a default, and an unknown key is refused."""


class Clock(Protocol):
    """Time comes in as an argument."""

    def now(self) -> int:
        """Unix time in ms."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never going back."""
        ...


class SystemClock:
    """The host's clocks."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        return time.monotonic()


@dataclasses.dataclass(frozen=True)
class Target:
    """What is measured: the ``node`` it belongs to, and its ``address`` as the topology writes it (a host, host:port
    or URL; empty for the agent's own host)."""

    node: str
    address: str


@dataclasses.dataclass(frozen=True)
class Context:
    """What a run may use of the world beside its target.

    ``timeout`` is what remains for this run in seconds, for checks that share it out over several packets.
    ``memory`` lives as long as the job in this process: the last counters, the last level of a threshold.
    ``allowed`` are the prefixes that this agent may talk to; empty means any. ``resolved`` are the addresses that this
    run was given.
    """

    clock: Clock
    timeout: float
    memory: dict[str, Any]
    allowed: tuple[Network, ...] = ()
    resolved: list[Address] = dataclasses.field(default_factory=list)

    async def resolve(self, host: str, family: int = socket.AF_UNSPEC) -> Sequence[Address]:
        """The addresses of a host name or address literal, in the resolver's order, of those this agent may talk to.

        Every check resolves here and connects to what it got, so that no plan can send an agent elsewhere.
        Raises TargetError when the name does not exist, ObserverError when the resolver is silent, or when the
        agent is not allowed to talk to any of the addresses.
        """
        found = await _lookup(host, family)
        permitted = [a for a in found if not self.allowed or any(a in net for net in self.allowed)]
        if not permitted:
            nets = ", ".join(str(net) for net in self.allowed)
            listed = ", ".join(str(address) for address in found)
            raise ObserverError(
                "not-allowed",
                f"{host} is at {listed}, outside what this agent may talk to ({nets}): "
                "correct the topology, or allowed_prefixes in the agent's settings",
            )
        self.resolved.extend(permitted)
        return permitted


async def _lookup(host: str, family: int) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        pass
    try:
        answers = await asyncio.get_running_loop().getaddrinfo(host, None, family=family, type=socket.SOCK_STREAM)
    except OSError as error:
        raise from_os_error(error, host) from error
    return list(dict.fromkeys(ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers))


ParamsT = TypeVar("ParamsT", bound=Params)


@dataclasses.dataclass(frozen=True)
class Check(Generic[ParamsT]):
    """A kind of measurement. ``target`` says in words what an address of it looks like."""

    name: str
    about: str
    target: str
    params: type[ParamsT]
    run: Callable[[Target, ParamsT, Context], Awaitable[Outcome]]


AnyCheck = Check[Any]


def host_port(address: str, default: int | None = None) -> tuple[str, int]:
    """``host:port``, ``[v6]:port`` or, with a default, a bare host. Raises ObserverError naming what was expected."""
    host, colon, port = address.rpartition(":")
    v6_alone = address.endswith("]") or (":" in host and not host.startswith("["))
    if not colon or v6_alone:
        host, colon, port = address, "", ""
    host = host.removeprefix("[").removesuffix("]")
    if not port and default is not None and not colon and host:
        return host, default
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        expected = "host:port with a port of 1 to 65535" if default is None else "host or host:port"
        raise ObserverError("bad-target", f"target {address!r}: expected {expected}")
    return host, int(port)


def params_of(check: AnyCheck, values: Any) -> Any:
    """A check's parameters from plain values. Raises ObserverError naming the check, the key and the near match."""
    try:
        return msgspec.convert(values, check.params)
    except msgspec.ValidationError as error:
        raise ObserverError("bad-params", f"check {check.name}: {explain(error, check.params)}") from error


def explain(error: msgspec.ValidationError, expected: type) -> str:
    """msgspec's sentence in an operator's words, with the near match of an unknown key."""
    text = str(error)
    unknown = re.match(r"Object contains unknown field `(.+?)`", text)
    if unknown is None:
        return text.replace("`$.", "`").replace(" - at `", " at `")
    key = unknown[1]
    known = [field.encode_name for field in msgspec.structs.fields(expected)]
    near = difflib.get_close_matches(key, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known) or 'none'}"
    return f"unknown parameter {key!r}: {hint}"


def shown(params: Params) -> dict[str, Any]:
    """The parameters as plain values fit for a log: secrets as ``***``."""
    secret = {
        field.name
        for field in msgspec.inspect.type_info(type(params)).fields  # type: ignore[attr-defined]
        if _is_secret(field.type)
    }
    values = msgspec.structs.asdict(params)
    return {
        name: "***" if name in secret and value else shown(value) if isinstance(value, Params) else value
        for name, value in values.items()
    }


def _is_secret(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.Metadata):
        return bool((kind.extra or {}).get("secret")) or _is_secret(kind.type)
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(_is_secret(part) for part in kind.types)
    return False
