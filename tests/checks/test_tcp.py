from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import AsyncIterator

import pytest

from checks import tcp
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import CheckError, ObserverError, TargetError
from checks.model import State
from tests.checks.directory import directory
from tests.peers import free_port


def context(timeout: float = 5.0) -> Context:
    return Context(SystemClock(), timeout, {})


@contextlib.asynccontextmanager
async def saying(banner: bytes, *, then_close: bool = True) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            if banner == b"echo":
                writer.write(await reader.readline())
            else:
                writer.write(banner)
            await writer.drain()
            if not then_close:
                await reader.read()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_port_that_accepts_is_well() -> None:
    async with saying(b"") as port:
        outcome = await tcp.run(Target("n", f"127.0.0.1:{port}"), tcp.TcpParams(), context())
    assert (outcome.state, outcome.answered, outcome.reason) == (State.OK, True, "")
    assert outcome.summary == f"127.0.0.1:{port}: accepts connections"
    assert [(metric.name, metric.unit) for metric in outcome.metrics] == [
        ("dns.lookup.duration", "s"),
        ("tcp.connect.duration", "s"),
    ]


async def test_a_port_where_nobody_listens_refuses() -> None:
    port = free_port()
    with pytest.raises(TargetError) as caught:
        await tcp.run(Target("n", f"127.0.0.1:{port}"), tcp.TcpParams(), context())
    assert caught.value.reason == "refused"
    assert caught.value.summary == f"127.0.0.1:{port}: connection refused: nothing listens there"


async def test_an_expected_banner_is_found() -> None:
    params = tcp.TcpParams(expect=r"^SSH-2\.0-")
    async with saying(b"SSH-2.0-OpenSSH_9.2\r\n", then_close=False) as port:
        assert (await tcp.run(Target("n", f"127.0.0.1:{port}"), params, context())).state is State.OK


async def test_what_is_sent_can_be_answered() -> None:
    params = tcp.TcpParams(send="ping\r\n", expect="ping")
    async with saying(b"echo") as port:
        assert (await tcp.run(Target("n", f"127.0.0.1:{port}"), params, context())).state is State.OK


@pytest.mark.parametrize(
    ("banner", "then_close", "said"),
    [(b"220 mail\r\n", True, "it said '220 mail\\r\\n'"), (b"", False, "it said nothing")],
)
async def test_another_banner_is_shown(banner: bytes, then_close: bool, said: str) -> None:
    async with saying(banner, then_close=then_close) as port:
        with pytest.raises(TargetError) as caught:
            await tcp.run(Target("n", f"127.0.0.1:{port}"), tcp.TcpParams(expect="^SSH-"), context(0.2))
    assert (caught.value.reason, caught.value.answered) == ("expect", True)
    assert caught.value.summary == f"127.0.0.1:{port}: accepts connections, but {said} where '^SSH-' was expected"


async def test_a_dead_first_address_does_not_hide_a_live_second() -> None:
    async with saying(b"") as port:
        ctx = directory("127.0.0.9", "127.0.0.1")
        connected = await tcp.connect(ctx, "a.example", port)
        connected.sock.close()
    assert str(connected.address) == "127.0.0.1"


async def test_of_several_failures_the_target_s_own_is_told() -> None:
    ctx = directory("127.0.0.1", "127.0.0.1")
    with pytest.raises(TargetError, match=r"a\.example:\d+: connection refused"):
        await tcp.connect(ctx, "a.example", free_port())


async def test_an_address_outside_what_is_allowed_is_not_connected_to() -> None:
    ctx = Context(SystemClock(), 5.0, {}, (ipaddress.ip_network("10.0.0.0/8"),))
    with pytest.raises(ObserverError) as caught:
        await tcp.run(Target("n", "127.0.0.1:22"), tcp.TcpParams(), ctx)
    assert caught.value.reason == "not-allowed"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"expct": "x"}, "check tcp: unknown parameter 'expct': did you mean 'expect'?"),
        ({"expect": "("}, "check tcp: expect '(' is not a regular expression: "),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(CheckError) as caught:
        params_of(tcp.CHECK, values)
    assert caught.value.reason == "bad-params"
    assert caught.value.summary.startswith(words)


async def test_a_slow_connection_is_judged_by_its_levels() -> None:
    params = params_of(tcp.CHECK, {"levels": {"warn": 0}})
    async with saying(b"") as port:
        outcome = await tcp.run(Target("n", f"127.0.0.1:{port}"), params, context())
    assert (outcome.state, outcome.reason) == (State.WARN, "slow")
