from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv4Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP

from checks.dhcp import format4

MAC = bytes.fromhex("020000000001")
FIXED = struct.pack("!BBBBI4x4s4s4s4s16s64s128s", 2, 1, 6, 0, 7, b"", b"", b"", b"", MAC, b"", b"")
COOKIE = b"\x63\x82\x53\x63"


def reply(options: bytes, **fields: bytes) -> format4.Message:
    fixed = bytearray(FIXED)
    for at, name in ((16, "yiaddr"), (44, "sname"), (108, "file")):
        fixed[at : at + len(fields.get(name, b""))] = fields.get(name, b"")
    message = format4.parse(bytes(fixed) + COOKIE + options)
    assert message is not None
    return message


def test_a_discover_is_what_scapy_reads_in_it() -> None:
    packet = format4.discover(0x12345678, MAC)
    assert len(packet) >= 300
    bootp = BOOTP(packet)
    assert (bootp.op, bootp.xid, bootp.chaddr[:6], int(bootp.flags)) == (1, 0x12345678, MAC, 0x8000)
    options = {option[0]: option[1] for option in bootp[DHCP].options if isinstance(option, tuple)}
    assert options["message-type"] == 1
    assert options["client_id"] == b"\x01" + MAC
    assert {1, 3, 6, 51, 54} <= set(options["param_req_list"])
    assert "requested_addr" not in options


def test_a_discover_parses_as_what_was_built() -> None:
    message = format4.parse(format4.discover(7, MAC))
    assert message is not None
    assert (message.is_reply, message.kind, message.xid, message.chaddr) == (False, format4.DISCOVER, 7, MAC)


def test_an_option_in_two_parts_is_one() -> None:
    assert reply(b"\x06\x02\x0a\x00\x06\x02\x00\x01\xff").dns == (IPv4Address("10.0.0.1"),)


def test_options_go_on_in_the_fields_that_an_overload_names() -> None:
    message = reply(b"\x34\x01\x03\xff", file=b"\x03\x04\x0a\x00\x00\x01\xff", sname=b"\x06\x04\x0a\x00\x00\x02\xff")
    assert (message.routers, message.dns) == ((IPv4Address("10.0.0.1"),), (IPv4Address("10.0.0.2"),))


def test_options_end_where_one_is_cut_short() -> None:
    message = reply(b"\x03\x04\x0a\x00\x00\x01\x06\x08\x0a\x00")
    assert (message.routers, message.dns) == ((IPv4Address("10.0.0.1"),), ())


@pytest.mark.parametrize(
    ("mask", "length"),
    [(b"\xff\xff\xff\x00", 24), (b"\xff\xff\xfc\x00", 22), (b"\xff\x00\xff\x00", 32), (b"\0\0\0\0", 0), (b"", 32)],
)
def test_the_offered_address_has_the_length_of_its_mask(mask: bytes, length: int) -> None:
    option = bytes((1, len(mask))) + mask
    assert reply(option, yiaddr=b"\x0a\x3d\x03\x32").offered == IPv4Interface(f"10.61.3.50/{length}")


def test_the_relay_s_information_is_told_by_suboption() -> None:
    message = reply(b"\x52\x0b\x01\x04eth1\x02\x03\x00\x01\xff\xff")
    assert message.relay_information == {1: b"eth1", 2: b"\x00\x01\xff"}


@pytest.mark.parametrize("payload", [b"", FIXED[:235], b"\x03" + FIXED[1:]], ids=["empty", "short", "op 3"])
def test_what_is_no_message_is_none(payload: bytes) -> None:
    assert format4.parse(payload) is None


def test_bootp_without_options_is_a_message_without_a_kind() -> None:
    message = format4.parse(FIXED)
    assert message is not None
    assert (message.kind, message.server, message.lease) == (None, None, None)


@given(st.one_of(st.binary(max_size=400), st.binary(max_size=300).map(lambda tail: FIXED + COOKIE + tail)))
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    message = format4.parse(payload)
    if message is not None:
        assert message.offered
        _ = (message.kind, message.server, message.routers, message.dns, message.lease, message.relay_information)
