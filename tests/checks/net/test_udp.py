from __future__ import annotations

import ipaddress
import socket
import time

import pytest

from checks.net import udp
from tests.checks.answering import answering
from tests.peers import free_port

HERE = ipaddress.ip_address("127.0.0.1")


def question() -> udp.Question[bytes]:
    return udp.Question(b"who?", lambda data: data if data.startswith(b"me") else None)


async def test_what_is_no_answer_is_passed_over() -> None:
    async with answering(lambda _, data: [b"you", data, b"me 1", b"me 2"]) as port:
        answer = await udp.ask(HERE, port, 10, question)
    assert answer.value == b"me 1"
    assert 0 < answer.seconds < 10


async def test_a_lost_datagram_is_asked_again() -> None:
    async with answering(lambda count, _: [b"me"] if count == 3 else []) as port:
        begin = time.monotonic()
        answer = await udp.ask(HERE, port, 2, question)
        elapsed = time.monotonic() - begin
    assert answer.value == b"me"
    assert answer.seconds <= elapsed - 2 * 3 / 7  # from the question that was answered, not from the first


async def test_silence_is_a_timeout() -> None:
    async with answering(lambda _count, _data: []) as port:
        with pytest.raises(TimeoutError):
            await udp.ask(HERE, port, 0.1, question)


async def test_a_port_where_nobody_listens_refuses_at_once() -> None:
    with pytest.raises(ConnectionRefusedError):
        await udp.ask(HERE, free_port(socket.SOCK_DGRAM), 60, question)
