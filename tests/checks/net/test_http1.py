from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.net.http1 import Connection, HttpError, authority

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    done: list[asyncio.Event] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        done.append(end := asyncio.Event())
        with contextlib.suppress(ConnectionError):
            await handler(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        end.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()
        for end in done:
            await end.wait()


async def read_request(reader: asyncio.StreamReader) -> tuple[h11.Request, bytes]:
    conn = h11.Connection(h11.SERVER)
    request, body = None, b""
    while True:
        event = conn.next_event()
        if event is h11.NEED_DATA:
            conn.receive_data(await reader.read(65536))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            assert request is not None
            return request, body


def answering(*answers: bytes) -> Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await read_request(reader)
            writer.write(answer)
            await writer.drain()

    return handler


async def test_one_connection_carries_several_requests() -> None:
    ok = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Node: bk\r\n\r\nhi"
    async with serving(answering(ok, ok)) as port, await Connection.open("127.0.0.1", port) as connection:
        first = await connection.request("GET", "/a")
        second = await connection.request("GET", "/b")
    assert (first.status, first.body, first.header("X-NODE")) == (200, b"hi", "bk")
    assert first.timings.connect > 0
    assert second.timings.connect == 0
    assert second.timings.total >= second.timings.first_byte > 0


async def test_a_request_names_its_host_and_its_length() -> None:
    seen: list[tuple[h11.Request, bytes]] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await read_request(reader))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        await writer.drain()

    async with (
        serving(handler) as port,
        await Connection.open("127.0.0.1", port, server_name="c.example") as connection,
    ):
        await connection.request("POST", "/in?x=1", {"Content-Type": "text/plain"}, b"body")
    request, body = seen[0]
    assert (request.method, request.target, body) == (b"POST", b"/in?x=1", b"body")
    assert dict(request.headers) == {
        b"host": f"c.example:{port}".encode(),
        b"content-type": b"text/plain",
        b"user-agent": b"thongsuot",
        b"content-length": b"4",
    }


async def test_a_chunked_body_is_joined_and_interim_answers_are_skipped() -> None:
    answer = (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    async with serving(answering(answer)) as port, await Connection.open("127.0.0.1", port) as connection:
        assert (await connection.request("GET", "/")).body == b"abcde"


async def test_a_body_beyond_the_limit_is_cut_and_the_connection_closed() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"
    async with serving(answering(answer)) as port, await Connection.open("127.0.0.1", port) as connection:
        response = await connection.request("GET", "/", limit=4)
        assert (response.body, response.truncated) == (b"0123", True)
        assert not connection.usable


async def test_a_server_that_says_close_is_not_asked_again() -> None:
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end"
    async with serving(answering(answer)) as port, await Connection.open("127.0.0.1", port) as connection:
        assert (await connection.request("GET", "/")).body == b"until the end"
        with pytest.raises(HttpError, match="the connection is closed: open a new one"):
            await connection.request("GET", "/")


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (b"", "closed", "the server closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "closed", "the server closed the connection in the middle of its answer"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
            "closed",
            "the server closed the connection in the middle of its answer",
        ),
        (
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            "protocol",
            "the server does not speak HTTP/1.1: illegal status line: bytearray(b'SSH-2.0-OpenSSH_9.2')",
        ),
    ],
)
async def test_a_broken_answer_says_how_it_broke(answer: bytes, reason: str, words: str) -> None:
    async with serving(answering(answer)) as port, await Connection.open("127.0.0.1", port) as connection:
        with pytest.raises(HttpError) as caught:
            await connection.request("GET", "/")
    assert caught.value.reason == reason
    assert str(caught.value) == words


@pytest.mark.parametrize("value", ["a\r\nY: b", "Bắc Kạn"])
async def test_a_header_that_is_not_of_http_or_would_smuggle_another_is_refused(value: str) -> None:
    async with serving(answering()) as port, await Connection.open("127.0.0.1", port) as connection:
        with pytest.raises(HttpError) as caught:
            await connection.request("GET", "/", {"X": value})
    assert caught.value.reason == "bad-request"


async def test_a_request_that_is_given_up_closes_the_connection() -> None:
    asked = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        asked.set()
        await reader.read()

    async with serving(silent) as port, await Connection.open("127.0.0.1", port) as connection:
        task = asyncio.create_task(connection.request("GET", "/"))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection.usable


def test_the_scheme_s_own_port_is_left_out_of_host() -> None:
    assert authority("a.example", 443, tls=True) == "a.example"
    assert authority("a.example", 443, tls=False) == "a.example:443"
    assert authority("2001:db8::1", 8080, tls=False) == "[2001:db8::1]:8080"


@given(st.binary(max_size=200))
def test_whatever_a_server_sends_ends_in_an_answer_or_an_http_error(answer: bytes) -> None:
    async def ask() -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            ours.setblocking(False)
            theirs.sendall(answer)
            theirs.shutdown(socket.SHUT_WR)
            async with await Connection.over(ours, host="a.example") as connection:
                with contextlib.suppress(HttpError):
                    await connection.request("GET", "/")

    asyncio.run(ask())
