from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import DHCP6_Advertise
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet as ScapyPacket
from scapy.packet import Raw

from checks.dhcp import probe
from checks.dhcp.frame import ICMP6, Datagram, datagram, unwrap

OFFICE = Ether(src="02:00:5e:10:00:01", dst="ff:ff:ff:ff:ff:ff")
V4 = IP(src="10.61.3.1", dst="255.255.255.255")
V6 = IPv6(src="fe80::1", dst="ff02::1", hlim=255)


def test_a_datagram_is_taken_out_of_its_frame() -> None:
    packet = unwrap(bytes(OFFICE / V4 / UDP(sport=67, dport=68) / Raw(b"offer")))
    assert packet is not None
    assert (packet.mac.hex(":"), packet.vlan) == ("02:00:5e:10:00:01", 0)
    assert (packet.source, packet.destination) == tuple(map(ipaddress.ip_address, ("10.61.3.1", "255.255.255.255")))
    assert datagram(packet) == Datagram(67, 68, b"offer")


def test_padding_of_a_short_frame_is_left_off() -> None:
    packet = unwrap(bytes(OFFICE / V4 / UDP(sport=67, dport=68) / Raw(b"x")) + bytes(20))
    assert packet is not None
    assert datagram(packet) == Datagram(67, 68, b"x")


def test_the_vlan_of_a_tag_is_told() -> None:
    packet = unwrap(bytes(OFFICE / Dot1Q(vlan=20) / V4 / UDP(sport=67, dport=68)))
    assert packet is not None
    assert packet.vlan == 20


def test_extension_headers_do_not_hide_a_router_advertisement() -> None:
    packet = unwrap(bytes(OFFICE / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrFragment(offset=0, m=0) / ICMPv6ND_RA()))
    assert packet is not None
    assert (packet.protocol, packet.hops, packet.payload[0]) == (ICMP6, 255, 134)


@pytest.mark.parametrize(
    "frame",
    [
        OFFICE / ARP(),
        OFFICE / IP(src="10.0.0.1", flags="MF") / UDP() / Raw(b"first fragment"),
        OFFICE / IP(src="10.0.0.1", frag=3) / Raw(b"later fragment"),
        OFFICE / V6 / IPv6ExtHdrFragment(offset=0, m=1) / UDP(),
        OFFICE / IP(src="10.0.0.1", len=900) / UDP(),
        OFFICE / IPv6(src="fe80::1", plen=900) / UDP(),
    ],
    ids=["arp", "first fragment", "later fragment", "v6 fragment", "v4 cut short", "v6 cut short"],
)
def test_what_carries_no_whole_packet_is_none(frame: ScapyPacket) -> None:
    assert unwrap(bytes(frame)) is None


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x08\x00E", b"\x86\xdd`", b"\x81\x00\x00\x00\x08\x00E"]))
def test_no_bytes_make_it_raise(tail: bytes, kind: bytes) -> None:
    packet = unwrap(bytes(12) + kind + tail)
    if packet is not None:
        datagram(packet)


@pytest.mark.parametrize(
    ("frame", "passes"),
    [
        (OFFICE / V4 / UDP(sport=67, dport=68), True),
        (OFFICE / IP(src="10.61.3.1", options=b"\x94\x04\x00\x00") / UDP(sport=67, dport=68), True),
        (OFFICE / V4 / UDP(sport=68, dport=67), False),
        (OFFICE / IP(src="10.61.3.1", frag=3, proto=17) / Raw(bytes((0, 67, 0, 68))), False),
        (OFFICE / V4 / Raw(bytes(40)), False),
        (OFFICE / V6 / UDP(sport=547, dport=546) / DHCP6_Advertise(), True),
        (OFFICE / V6 / UDP(sport=546, dport=547), False),
        (OFFICE / V6 / ICMPv6ND_RA(), True),
        (OFFICE / V6 / IPv6ExtHdrHopByHop() / ICMPv6ND_RA(), True),
        (OFFICE / IPv6(src="fe80::1", nh=58) / Raw(b"\x88" + bytes(23)), False),
        (OFFICE / ARP(), False),
    ],
    ids=str,
)
def test_the_kernel_passes_on_what_answers_us_alone(frame: ScapyPacket, *, passes: bool) -> None:
    sender, receiver = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with sender, receiver:
        probe.attach(receiver)
        receiver.setblocking(False)
        sender.send(bytes(frame))
        try:
            assert receiver.recv(4096) == bytes(frame)
        except BlockingIOError:
            assert not passes
        else:
            assert passes
