from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checks.errors import ObserverError
from checks.net import icmp, icmp_socket
from checks.net import icmp_format as wire
from tests.peers import need

COOKIE = b"12345678"
LOOPBACK = {socket.AF_INET: ipaddress.ip_address("127.0.0.1"), socket.AF_INET6: ipaddress.ip_address("::1")}
FORMS = st.sampled_from([wire.V4, wire.V6])


def ip_header(form: wire.Format) -> bytes:
    """The header that a router quotes."""
    if form is wire.V4:
        return struct.pack("!BBHHHBBHII", 0x45, 0, 48, 1, 0, 64, 1, 0, 0x0A000001, 0x0A010101)
    return struct.pack("!IHBB16s16s", 6 << 28, 24, 58, 64, bytes(16), bytes(16))


@given(form=FORMS, packet=st.binary(max_size=120), with_header=st.booleans())
@example(form=wire.V4, packet=b"\x4f" + bytes(30), with_header=True)
@example(form=wire.V4, packet=b"\x03\x01" + bytes(6) + b"\x45" + bytes(8) + b"\x01" + bytes(10), with_header=False)
def test_no_bytes_make_the_parser_raise(form: wire.Format, packet: bytes, with_header: bool) -> None:
    wire.parse(form, packet, with_header=with_header)


@given(form=FORMS, identifier=st.integers(0, 65535), sequence=st.integers(0, 65535), content=st.binary(max_size=64))
def test_a_reply_brings_back_what_was_sent(form: wire.Format, identifier: int, sequence: int, content: bytes) -> None:
    packet = bytearray(wire.echo_request(form, identifier, sequence, content))
    packet[0] = form.reply
    assert wire.parse(form, bytes(packet), with_header=False) == wire.Message(identifier, sequence, content)


@given(content=st.binary(max_size=65))
def test_a_packet_with_its_checksum_sums_to_zero(content: bytes) -> None:
    assert wire.checksum(wire.echo_request(wire.V4, 7, 9, content)) == 0


@pytest.mark.parametrize(
    ("form", "kind", "code", "rest", "error"),
    [
        (wire.V4, 3, 1, 0, wire.Error("host unreachable")),
        (wire.V4, 3, 13, 0, wire.Error("forbidden by a filter")),
        (wire.V4, 3, 15, 0, wire.Error("unreachable (ICMP type 3, code 15)")),
        (wire.V4, 3, 4, 1400, wire.Error("packet too big", mtu=1400)),
        (wire.V4, 3, 4, 0, wire.Error("packet too big", mtu=0)),
        (wire.V4, 11, 0, 0, wire.Error("routing loop: time to live exceeded", expired=True)),
        (wire.V4, 11, 1, 0, wire.Error("fragments lost on the way")),
        (wire.V6, 1, 3, 0, wire.Error("host unreachable")),
        (wire.V6, 2, 0, 1280, wire.Error("packet too big", mtu=1280)),
        (wire.V6, 3, 0, 0, wire.Error("routing loop: hop limit exceeded", expired=True)),
    ],
)
def test_an_error_is_put_into_words(form: wire.Format, kind: int, code: int, rest: int, error: wire.Error) -> None:
    request = wire.echo_request(form, 7, 9, wire.data(COOKIE, 1, 16))
    packet = struct.pack("!BBHI", kind, code, 0, rest) + ip_header(form) + request
    message = wire.parse(form, packet, with_header=False)
    assert message == wire.Message(7, 9, wire.data(COOKIE, 1, 16), error)


@given(count=st.integers(0, 2**48))
def test_one_request_has_the_checksum_of_the_next_so_that_routers_keep_them_on_one_path(count: int) -> None:
    def checksum(number: int) -> bytes:
        return wire.echo_request(wire.V4, 7, number & 0xFFFF, wire.data(COOKIE, number, 56))[2:4]

    assert checksum(count) == checksum(count & ~0xFFFF)


def test_an_error_about_another_protocol_is_none_of_ours() -> None:
    udp = bytearray(ip_header(wire.V4))
    udp[9] = 17
    packet = struct.pack("!BBHI", 3, 3, 0, 0) + bytes(udp) + bytes(16)
    assert wire.parse(wire.V4, packet, with_header=False) is None


def test_data_cut_short_by_a_router_is_still_ours_and_another_s_is_not() -> None:
    ours = wire.data(COOKIE, 5, 56)
    assert wire.is_data_of(ours, COOKIE, 5)
    assert wire.is_data_of(ours[:10], COOKIE, 5)
    assert not wire.is_data_of(ours, COOKIE, 6)
    assert not wire.is_data_of(ours, b"87654321", 5)
    assert not wire.is_data_of(b"1234", COOKIE, 5)


@pytest.mark.root
@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("size", [16, 56, 1400])
async def test_loopback_answers_a_raw_socket(family: socket.AddressFamily, size: int) -> None:
    need(root=True)
    async with icmp.pinger(family) as pinger:
        assert pinger.raw
        reply = await asyncio.wait_for(pinger.send(LOOPBACK[family], size), 5)
    assert isinstance(reply, icmp.Reply)
    assert reply.source == str(LOOPBACK[family])
    assert 0 < reply.rtt < 5


@pytest.mark.root
async def test_users_of_one_family_share_a_socket_that_closes_with_the_last() -> None:
    need(root=True)
    async with icmp.pinger(socket.AF_INET) as first:
        async with icmp.pinger(socket.AF_INET) as second:
            assert first is second
            pending = second.send(ipaddress.ip_address("127.0.0.1"), 56)
        assert isinstance(await asyncio.wait_for(pending, 5), icmp.Reply)
    async with icmp.pinger(socket.AF_INET) as third:
        assert third is not first


@pytest.mark.root
async def test_many_pings_at_once_find_their_own_answers() -> None:
    need(root=True)
    async with icmp.pinger(socket.AF_INET) as pinger:
        probes = [pinger.send(ipaddress.ip_address(f"127.0.1.{i}"), 56) for i in range(1, 101)]
        replies = await asyncio.wait_for(asyncio.gather(*probes), 5)
    assert [reply.source for reply in replies] == [f"127.0.1.{i}" for i in range(1, 101)]


async def test_without_permission_it_is_said_which_is_lacking() -> None:
    def forbidden(*_: int) -> socket.socket:
        raise PermissionError(1, "Operation not permitted")

    with pytest.raises(ObserverError) as caught:
        icmp_socket.open_socket(socket.AF_INET, forbidden)
    assert caught.value.reason == "no-permission"
    assert icmp_socket.lacking(["1", "0"]) == (
        "this agent may not send ICMP: give its service CAP_NET_RAW (AmbientCapabilities=CAP_NET_RAW), "
        "or put its group into the sysctl net.ipv4.ping_group_range (now 1 0)"
    )


async def test_a_host_without_ipv6_says_so() -> None:
    def missing(*_: int) -> socket.socket:
        raise OSError(97, "Address family not supported by protocol")

    with pytest.raises(ObserverError, match="this host gives no ICMP socket: Address family not supported"):
        icmp_socket.open_socket(socket.AF_INET6, missing)
