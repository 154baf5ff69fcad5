from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6
from scapy.layers.l2 import Dot1Q, Ether

from checks.dhcp import format4
from checks.dhcp.answers import Question, collect, random_mac

QUESTION = Question(bytes.fromhex("02000000000a"), 7, 9)
SERVER = "02:00:5e:10:00:01"


def offer(kind: Any = "offer", source: str = "10.61.3.1", mac: str = SERVER, vlan: int = 0, **fields: Any) -> bytes:
    options: list[Any] = [("message-type", kind)] if kind else []
    if "server" in fields:
        options.append(("server_id", fields.pop("server")))
    bootp: dict[str, Any] = {"op": 2, "xid": 7, "chaddr": QUESTION.mac, "yiaddr": "10.61.3.50"} | fields
    tags = Dot1Q(vlan=vlan) / IP(src=source) if vlan else IP(src=source)
    ethernet = Ether(src=mac, dst="ff:ff:ff:ff:ff:ff")
    return bytes(ethernet / tags / UDP(sport=67, dport=68) / BOOTP(**bootp) / DHCP(options=[*options, "end"]))


def test_each_server_counts_once_with_its_first_answer_to_us() -> None:
    frames = [
        (0.1, offer(xid=1, server="10.61.3.1")),
        (0.2, offer(server="10.61.3.1")),
        (0.3, offer(server="10.61.3.1")),
        (0.4, offer(server="10.66.0.1", mac="02:66:00:00:00:01")),
    ]
    found = collect(frames, QUESTION).offers
    assert [(str(one.server), one.after) for one in found] == [("10.61.3.1", 0.2), ("10.66.0.1", 0.4)]


def test_an_answer_to_somebody_else_has_no_time() -> None:
    for frame in (offer(xid=1), offer(chaddr=b"\2" + bytes(5)), offer("ack"), offer("nak")):
        assert [one.after for one in collect([(0.1, frame)], QUESTION).offers] == [None]


def test_a_server_without_an_identifier_is_known_by_where_it_answers_from() -> None:
    (by_next_server,) = collect([(0.1, offer(siaddr="10.61.3.9"))], QUESTION).offers
    (by_source,) = collect([(0.1, offer())], QUESTION).offers
    assert (by_next_server.server, by_source.server) == (IPv4Address("10.61.3.9"), IPv4Address("10.61.3.1"))


def test_plain_bootp_is_an_offer() -> None:
    (found,) = collect([(0.1, offer(kind=None))], QUESTION).offers
    assert found.after == 0.1


def test_one_server_through_two_relays_is_two_answers() -> None:
    frames = [(0.1, offer(server="10.9.0.1", giaddr=relay)) for relay in ("10.61.3.2", "10.61.3.3")]
    assert [str(one.relay) for one in collect(frames, QUESTION).offers] == ["10.61.3.2", "10.61.3.3"]


def test_questions_and_other_vlans_are_no_answers() -> None:
    assert collect([(0.1, offer("discover", op=1)), (0.1, offer(vlan=20))], QUESTION).offers == ()


def test_a_router_counts_once() -> None:
    frame = bytes(
        Ether(src=SERVER, dst="33:33:00:00:00:01") / IPv6(src="fe80::1", dst="ff02::1", hlim=255) / ICMPv6ND_RA()
    )
    (found,) = collect([(0.1, frame), (0.2, frame)], QUESTION).routers
    assert (str(found.source), found.mac) == ("fe80::1", SERVER)


@given(st.binary(min_size=6, max_size=6))
def test_a_random_address_is_of_one_station_and_locally_administered(octets: bytes) -> None:
    assert random_mac(lambda count: octets[:count])[0] & 0b11 == 0b10


@given(st.binary(max_size=120), st.integers(0, 340))
def test_no_frame_makes_it_raise(noise: bytes, at: int) -> None:
    frame = offer(server="10.61.3.1")
    collect([(0.0, frame[:at] + noise + frame[at + len(noise) :]), (0.0, noise)], QUESTION)


def test_the_question_can_be_answered() -> None:
    message = format4.parse(QUESTION.discover)
    assert message is not None
    assert (message.xid, message.chaddr) == (7, QUESTION.mac)
    made = Question.made(lambda count: bytes(range(1, count + 1)), QUESTION.mac)
    assert (made.xid4, made.xid6) == (0x01020304, 0x010203)
