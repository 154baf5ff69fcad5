"""A session that goes on, run by run."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator

from checks.stamp.datagram import SteadyClock
from checks.stamp.packet import Reflected, read_sent, write_reflected
from checks.stamp.reflector import open_reflector
from checks.stamp.sender import Sender, connected
from checks.stamp.session import BEGIN, Mark, Reply
from tests.agent.waiting import eventually

KEY = b"a key"
HERE = ipaddress.ip_address("127.0.0.1")


@contextlib.asynccontextmanager
async def session(heard: list[Reply]) -> AsyncIterator[Sender]:
    reflector = open_reflector("127.0.0.1", 0, lambda *_: KEY)
    loop = asyncio.get_running_loop()
    with connected(HERE, reflector.address[1], None) as sock:
        sender = Sender(sock, KEY, 5, SteadyClock(), heard.append)
        loop.add_reader(sock, sender.readable)
        try:
            yield sender
        finally:
            loop.remove_reader(sock)
            reflector.close()


async def test_a_run_ends_where_the_next_begins() -> None:
    heard: list[Reply] = []
    async with session(heard) as sender:
        for count in (3, 2):
            for _ in range(count):
                sender.send()
            await eventually(lambda: len(sender.run.replies) == sender.run.sent)
            sender.run.forged += 1
            ended = sender.next_run(0.0)
            assert (ended.sent, len(ended.replies), ended.forged) == (count, count, 1)

    assert (ended.first, ended.since) == (3, Mark(2, 2))
    assert (sender.run.sent, sender.run.first, sender.run.since, sender.run.forged) == (0, 5, Mark(4, 4), 0)


async def test_packets_that_may_still_be_answered_belong_to_the_next_run() -> None:
    heard: list[Reply] = []
    async with session(heard) as sender:
        sender.send()
        ended = sender.next_run(60.0)
        await eventually(lambda: heard)

    assert (ended.sent, ended.replies) == (0, [])
    assert (sender.run.sent, sender.run.first, sender.run.since) == (1, 0, BEGIN)
    assert [reply.sequence for reply in sender.run.replies] == [0]


async def test_a_late_answer_is_heard_and_counts_in_no_run_and_what_comes_again_is_not_heard() -> None:
    heard: list[Reply] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.settimeout(5)
        with connected(HERE, far.getsockname()[1], None) as sock:
            sender = Sender(sock, KEY, 5, SteadyClock(), heard.append)
            sender.send()
            packet, source = far.recvfrom(9000)
            sent = read_sent(packet, KEY)
            sender.next_run(0.0)
            answer = write_reflected(Reflected(0, sent.timestamp, 1, 5, sent.timestamp, 0, sent.timestamp, 1, 64), KEY)
            for _ in range(3):
                far.sendto(answer, source)
            sender.readable()

    assert [reply.sequence for reply in heard] == [0]
    assert (sender.run.replies, sender.run.foreign) == ([], 0)
