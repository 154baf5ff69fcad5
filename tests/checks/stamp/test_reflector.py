from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.stamp.datagram import Datagram
from checks.stamp.life import Life
from checks.stamp.packet import Sent, read_reflected, write_sent
from checks.stamp.reflector import Counters, KeyOf, Reflector, open_reflector
from checks.stamp.sender import Sending, connected, send
from checks.stamp.session import summarise
from checks.stamp.timestamp import ntp, unix_of

KEY = b"a key"
HERE = ipaddress.ip_address("127.0.0.1")


def everybody(key: bytes) -> KeyOf:
    return lambda *_: key


@contextlib.asynccontextmanager
async def reflecting(
    key_of: KeyOf,
    host: str = "127.0.0.1",
    *,
    stateful: bool = True,
    most: int = 100,
    life: Life | None = None,
) -> AsyncIterator[Reflector]:
    reflector = open_reflector(host, 0, key_of, stateful=stateful, most=most, life=life)
    try:
        yield reflector
    finally:
        reflector.close()


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield sock


async def exchange(client: socket.socket, reflector: Reflector, packet: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    await loop.sock_sendto(client, packet, ("127.0.0.1", reflector.address[1]))
    return await asyncio.wait_for(loop.sock_recv(client, 65_536), 5)


async def sent_in_vain(client: socket.socket, reflector: Reflector, packet: bytes, good: bytes) -> None:
    """Sends a packet and then a good one: the answer that comes is the good one's."""
    client.sendto(packet, ("127.0.0.1", reflector.address[1]))
    answer = read_reflected(await exchange(client, reflector, good), KEY)
    assert answer.sender_sequence == int.from_bytes(good[:4], "big")


@pytest.mark.parametrize("key", [b"", KEY], ids=["open", "authenticated"])
async def test_a_packet_comes_back_with_count_times_and_ttl(client: socket.socket, key: bytes) -> None:
    client.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 77)
    async with reflecting(everybody(key)) as reflector:
        now = ntp(1_700_000_000_123_456_789)
        answers = [
            read_reflected(await exchange(client, reflector, write_sent(Sent(n, now + n, 1, 9), key)), key)
            for n in (0, 4)
        ]

    assert [(a.sequence, a.sender_sequence, a.sender_timestamp) for a in answers] == [(0, 0, now), (1, 4, now + 4)]
    assert {(a.ssid, a.sender_error_estimate, a.sender_ttl) for a in answers} == {(9, 1, 77)}
    for answer in answers:
        received, sent = (unix_of(t, answer.error_estimate, 2 * 10**18) for t in (answer.received, answer.timestamp))
        assert 0 <= sent - received < 10**9
    assert reflector.counters == Counters(reflected=2)
    assert reflector.sessions == 1


async def test_a_stateless_reflector_repeats_the_sender_s_number_and_remembers_nothing(client: socket.socket) -> None:
    async with reflecting(everybody(b""), stateful=False) as reflector:
        for n in (7, 7, 3):
            assert read_reflected(await exchange(client, reflector, write_sent(Sent(n, 0, 1)))).sequence == n
        assert reflector.sessions == 0


async def test_an_answer_is_as_long_as_the_packet_and_brings_back_what_follows_the_base(client: socket.socket) -> None:
    async with reflecting(everybody(KEY)) as reflector:
        packet = write_sent(Sent(0, 0, 1), KEY) + b"extension" * 40

        answer = await exchange(client, reflector, packet)

    assert len(answer) == len(packet)
    assert answer[112:] == packet[112:]


async def test_forged_truncated_and_replayed_packets_are_counted_and_dropped(client: socket.socket) -> None:
    async with reflecting(everybody(KEY)) as reflector:
        good = [write_sent(Sent(n, 100 + n, 1, 5), KEY) for n in range(5)]
        await exchange(client, reflector, good[0])

        await sent_in_vain(client, reflector, write_sent(Sent(1, 101, 1, 5), b"no key"), good[1])
        await sent_in_vain(client, reflector, good[2][:-1], good[2])
        await sent_in_vain(client, reflector, good[0], good[3])
        await sent_in_vain(client, reflector, b"x" * 20_000, good[4])

    assert reflector.counters == Counters(reflected=5, forged=1, truncated=2, replayed=1)


async def test_a_source_without_a_key_is_unknown(client: socket.socket) -> None:
    async with reflecting(lambda host, _: {"127.0.0.3": KEY}.get(host)) as reflector:
        client.sendto(write_sent(Sent(0, 0, 1), KEY), ("127.0.0.1", reflector.address[1]))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.3", 0))
            other.setblocking(False)
            await exchange(other, reflector, write_sent(Sent(1, 1, 1), KEY))

    assert reflector.counters == Counters(reflected=1, unknown=1)


async def test_each_source_has_its_own_key(client: socket.socket) -> None:
    keys = {"127.0.0.1": KEY, "127.0.0.2": b"another"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.2", 0))
        other.setblocking(False)
        async with reflecting(lambda host, _: keys.get(host)) as reflector:
            read_reflected(await exchange(client, reflector, write_sent(Sent(0, 0, 1), KEY)), KEY)
            packet = write_sent(Sent(0, 0, 1), b"another")
            read_reflected(await exchange(other, reflector, packet), b"another")
            await sent_in_vain(client, reflector, packet, write_sent(Sent(1, 1, 1), KEY))

    assert reflector.counters == Counters(reflected=3, forged=1)


async def test_more_sessions_than_are_remembered_are_counted_and_dropped(client: socket.socket) -> None:
    async with reflecting(everybody(KEY), most=1) as reflector:
        first = [write_sent(Sent(n, n, 1, 1), KEY) for n in (0, 1)]
        await exchange(client, reflector, first[0])
        await sent_in_vain(client, reflector, write_sent(Sent(0, 0, 1, 2), KEY), first[1])

    assert reflector.counters == Counters(reflected=2, full=1)


async def test_two_reflectors_cannot_be_set_upon_each_other() -> None:
    async with reflecting(everybody(b"")) as reflector:
        source = ("198.51.100.1", reflector.address[1])

        assert reflector.answer(Datagram(write_sent(Sent(0, 0, 1)), source, None, 0, None, True)) is None

    assert reflector.counters == Counters(looped=1)


async def test_one_bound_to_every_address_answers_from_the_one_that_was_asked(client: socket.socket) -> None:
    async with reflecting(everybody(b""), "0.0.0.0") as reflector:
        for ssid, host in enumerate(("127.0.0.1", "127.0.0.9")):
            client.sendto(write_sent(Sent(0, 0, 1, ssid)), (host, reflector.address[1]))
            async with asyncio.timeout(5):
                _, source = await asyncio.get_running_loop().sock_recvfrom(client, 2048)
            assert source[0] == host


@pytest.mark.parametrize("host", ["::1", "::"])
async def test_ipv6_is_reflected_too(host: str) -> None:
    async with reflecting(everybody(KEY), host) as reflector:
        with connected(ipaddress.ip_address("::1"), reflector.address[1], None) as sock:
            run = await send(sock, Sending(3, 0.001, 5.0, KEY))

    assert summarise(run.sent, run.replies, stateful=True).loss.percent == 0
    assert {reply.ttl for reply in run.replies} == {255}


async def test_a_sender_drops_what_is_no_answer_of_its_reflector() -> None:
    """The far end first says everything wrong, then answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        far.bind(("127.0.0.1", 0))
        far.setblocking(False)
        async with reflecting(everybody(KEY)) as reflector:

            async def mislead() -> None:
                loop = asyncio.get_running_loop()
                packet, source = await loop.sock_recvfrom(far, 2048)
                right = reflector.answer(Datagram(packet, source, None, 255, None, True))
                other = reflector.answer(
                    Datagram(write_sent(Sent(0, 1, 1, 3), KEY), (source[0], 1), None, 255, None, True)
                )
                assert right
                assert other
                for wrong in (right[:50], right[:-1] + bytes([right[-1] ^ 1]), other, right):
                    far.sendto(wrong, source)

            task = asyncio.create_task(mislead())
            with connected(HERE, far.getsockname()[1], None) as sock:
                run = await send(sock, Sending(1, 0.1, 5.0, KEY))
            await task

    assert (run.truncated, run.forged, run.foreign, len(run.replies)) == (1, 1, 1, 1)


async def test_any_bytes_are_answered_or_counted() -> None:
    async with reflecting(everybody(b"")) as reflector:
        by_mode = [reflector, Reflector(socket.socket(type=socket.SOCK_DGRAM), everybody(KEY), most=3)]

        @given(st.binary(max_size=300), st.integers(0, 65_535), st.integers(0, 255), st.booleans())
        @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
        def anything(data: bytes, port: int, ttl: int, whole: bool) -> None:
            for one in by_mode:
                before = sum(vars(one.counters).values())
                answer = one.answer(Datagram(data, ("192.0.2.1", port), 5, ttl, None, whole))
                assert (answer is None) == (sum(vars(one.counters).values()) == before + 1)
                assert answer is None or len(answer) == len(data)

        anything()
        by_mode[1].close()


async def test_each_session_identifier_has_its_own_key(client: socket.socket) -> None:
    keys = {5: b"a's", 6: b"b's"}
    async with reflecting(lambda _, ssid: keys.get(ssid)) as reflector:
        port = reflector.address[1]
        for ssid, key in ((5, b"b's"), (6, b"a's"), (7, b"a's")):
            client.sendto(write_sent(Sent(0, 1, 1, ssid), key), ("127.0.0.1", port))
        for ssid, key in keys.items():
            answer = await exchange(client, reflector, write_sent(Sent(1, 1, 1, ssid), key))
            assert read_reflected(answer, key).ssid == ssid

    assert reflector.counters == Counters(reflected=2, forged=2, unknown=1)


async def test_what_was_recorded_begins_no_session_from_another_port_nor_at_a_reflector_started_anew(
    client: socket.socket,
) -> None:
    heard: list[int] = []
    before = Life(heard.append)
    async with reflecting(everybody(KEY), life=before) as reflector:
        recorded = [write_sent(Sent(n, 100 + n, 1, 5), KEY) for n in range(3)]
        for packet in recorded:
            await exchange(client, reflector, packet)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            for packet in recorded:
                other.sendto(packet, ("127.0.0.1", reflector.address[1]))
            await exchange(client, reflector, write_sent(Sent(3, 103, 1, 5), KEY))
    assert heard == [5] * 4
    assert reflector.counters == Counters(reflected=4, replayed=3)

    after = Life(heard.append, before.newest)
    async with reflecting(everybody(KEY), life=after) as reflector:
        for packet in recorded:
            client.sendto(packet, ("127.0.0.1", reflector.address[1]))
        await exchange(client, reflector, write_sent(Sent(4, 104, 1, 5), KEY))
    assert heard == [5] * 5
    assert reflector.counters == Counters(reflected=1, replayed=3)


async def test_what_the_kernel_had_no_room_for_is_counted_once(client: socket.socket) -> None:
    async with reflecting(everybody(KEY)) as reflector:
        reflector._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)  # the least that there is
        for n in range(100):
            client.sendto(write_sent(Sent(n, n, 1, 5), KEY), ("127.0.0.1", reflector.address[1]))

        reflector.answer_all()
        reflector.answer_all()

    assert 0 < reflector.counters.dropped < 100
    assert reflector.counters == Counters(
        reflected=100 - reflector.counters.dropped, dropped=reflector.counters.dropped
    )


async def test_whoever_is_about_to_judge_can_have_all_answered_that_waits(client: socket.socket) -> None:
    async with reflecting(everybody(KEY)) as reflector:
        for n in range(200):
            client.sendto(write_sent(Sent(n, n, 1, 5), KEY), ("127.0.0.1", reflector.address[1]))

        reflector.answer_all()

    assert reflector.counters == Counters(reflected=200)
