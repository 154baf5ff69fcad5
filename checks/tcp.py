"""Whether a TCP port accepts, how fast, and whether it says what it should."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import re
import socket

from checks.contract import Address, Check, Context, Params, Target, host_port
from checks.errors import TargetError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome
from checks.net import reach

_MAX_BANNER = 1 << 16


class TcpParams(Params, frozen=True):
    """``expect`` is a regular expression to find in what the server says, after ``send`` was sent to it.
    ``levels`` are for the connect time in seconds."""

    expect: str = ""
    send: str = ""
    family: reach.Family = "any"
    levels: Levels = Levels()

    def __post_init__(self) -> None:
        compiled("expect", self.expect)


def compiled(key: str, pattern: str) -> re.Pattern[str]:
    """The pattern of a parameter. Raises ValueError that names the key."""
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{key} {pattern!r} is not a regular expression: {error}") from error


@dataclasses.dataclass(frozen=True)
class Connected:
    """A connected non-blocking socket, which is the holder's to close, and the seconds it took to find the address and
    to connect to it."""

    sock: socket.socket
    address: Address
    lookup: float
    connect: float

    def metrics(self) -> tuple[Metric, Metric]:
        """Both times."""
        return (
            Metric("dns.lookup.duration", self.lookup, "s"),
            Metric("tcp.connect.duration", self.connect, "s"),
        )


async def connect(ctx: Context, host: str, port: int) -> Connected:
    """Connects to the first of a host's addresses that accepts. Raises CheckError as :func:`checks.net.reach.first`."""

    async def attempt(address: Address, _: float) -> tuple[socket.socket, float]:
        begin = ctx.clock.monotonic()
        sock = await connect_to(address, port)
        return sock, ctx.clock.monotonic() - begin

    reached = await reach.first(ctx, host, port, attempt)
    sock, seconds = reached.value
    return Connected(sock, reached.address, reached.lookup, seconds)


async def connect_to(address: Address, port: int) -> socket.socket:
    """A non-blocking socket that is connected. Raises OSError; never ends by itself."""
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, (str(address), port))
    except BaseException:
        sock.close()
        raise
    return sock


async def run(target: Target, params: TcpParams, ctx: Context) -> Outcome:
    """Connects, and waits for ``expect`` when there is one."""
    return await reach.by_family(params.family, target.address, ctx, functools.partial(_look, target, params))


async def _look(target: Target, params: TcpParams, ctx: Context) -> Outcome:
    host, port = host_port(target.address)
    begin = ctx.clock.monotonic()
    connected = await connect(ctx, host, port)
    with connected.sock as sock:
        if params.send:
            await asyncio.get_running_loop().sock_sendall(sock, params.send.encode())
        if params.expect:
            remaining = ctx.timeout * reach.SHARE - (ctx.clock.monotonic() - begin)
            said, found = await _listen(sock, re.compile(params.expect), remaining)
            if not found:
                raise TargetError("expect", unexpected(target.address, params.expect, said), answered=True)
    return judge(target.address, connected, params, ctx)


async def _listen(sock: socket.socket, pattern: re.Pattern[str], seconds: float) -> tuple[str, bool]:
    """What was said until the pattern was found, the server hung up, or the time was over."""
    said = b""
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            while len(said) < _MAX_BANNER:
                data = await asyncio.get_running_loop().sock_recv(sock, 4096)
                said += data
                if pattern.search(said.decode(errors="replace")):
                    return said.decode(errors="replace"), True
                if not data:
                    break
    except TimeoutError:
        pass
    return said.decode(errors="replace"), False


def unexpected(place: str, pattern: str, said: str) -> str:
    """The sentence for a server that said something else."""
    shown = f"it said {said[:80]!r}" if said else "it said nothing"
    return f"{place}: accepts connections, but {shown} where {pattern!r} was expected"


def judge(place: str, connected: Connected, params: TcpParams, ctx: Context) -> Outcome:
    """The outcome of a connection that was made."""
    state = level(ctx.memory, "connect", connected.connect, params.levels)
    slow = Finding(state, "slow", f"accepts connections, but only after {connected.connect:.3g} s")
    return conclude(
        place,
        "accepts connections",
        [slow],
        metrics=connected.metrics(),
        facts={"address": str(connected.address)},
    )


CHECK = Check(
    name="tcp",
    about="whether a TCP port accepts, and says what it should",
    target="host:port",
    params=TcpParams,
    run=run,
)
