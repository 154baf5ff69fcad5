"""An Ethernet frame down to what DHCP and router advertisements ride in. Pure; no bytes make it raise.

Ethernet II with 802.1Q tags, IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), UDP (RFC 768). Checksums are
not looked at: of frames between two guests of one machine the sender leaves them to hardware that is not there.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import struct
from typing import Final

from checks.contract import Address

UDP: Final = 17
ICMP6: Final = 58

_TAG: Final = 0x8100
_IPV4, _IPV6 = 0x0800, 0x86DD
_EXTENSIONS: Final = (0, 43, 60)  # hop-by-hop options, routing, destination options
_FRAGMENT: Final = 44
_MOST_EXTENSIONS: Final = 8


@dataclasses.dataclass(frozen=True)
class Packet:
    """An IP packet and the MAC address that sent its frame. ``vlan`` is the id in the frame's tag: 0 in the LAN of the
    interface itself. ``hops`` is its time to live or hop limit, ``protocol`` and ``payload`` what it carries."""

    mac: bytes
    vlan: int
    source: Address
    destination: Address
    hops: int
    protocol: int
    payload: bytes


@dataclasses.dataclass(frozen=True)
class Datagram:
    """A UDP datagram."""

    source_port: int
    destination_port: int
    payload: bytes


def mac_text(mac: bytes) -> str:
    """``02:00:5e:10:00:01``."""
    return mac.hex(":")


def unwrap(frame: bytes) -> Packet | None:
    """The IP packet in an Ethernet frame; None when it carries none, a fragment, or less than it says."""
    vlan, at = 0, 12
    if len(frame) >= 18 and int.from_bytes(frame[12:14], "big") == _TAG:
        vlan, at = int.from_bytes(frame[14:16], "big") & 0xFFF, 16
    kind = int.from_bytes(frame[at : at + 2], "big")
    if kind == _IPV4:
        return _unwrap4(frame[6:12], vlan, frame[at + 2 :])
    if kind == _IPV6:
        return _unwrap6(frame[6:12], vlan, frame[at + 2 :])
    return None


def _unwrap4(mac: bytes, vlan: int, packet: bytes) -> Packet | None:
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return None
    header = (packet[0] & 0xF) * 4
    total, fragment = struct.unpack_from("!H2xH", packet, 2)
    if not 20 <= header <= total <= len(packet) or fragment & 0x3FFF:
        return None
    source, destination = ipaddress.IPv4Address(packet[12:16]), ipaddress.IPv4Address(packet[16:20])
    return Packet(mac, vlan, source, destination, packet[8], packet[9], packet[header:total])


def _unwrap6(mac: bytes, vlan: int, packet: bytes) -> Packet | None:
    if len(packet) < 40 or packet[0] >> 4 != 6:
        return None
    length, protocol, hops = struct.unpack_from("!HBB", packet, 4)
    if len(packet) < 40 + length:
        return None
    payload = packet[40 : 40 + length]
    for _ in range(_MOST_EXTENSIONS):
        if protocol in _EXTENSIONS:
            size = (payload[1] + 1) * 8 if len(payload) > 1 else 8
        elif protocol == _FRAGMENT and payload[2:4] and not int.from_bytes(payload[2:4], "big") & 0xFFF9:
            size = 8  # an atomic fragment: whole, with a header that says so (RFC 6946)
        else:
            break
        if len(payload) < size:
            return None
        protocol, payload = payload[0], payload[size:]
    if protocol in (*_EXTENSIONS, _FRAGMENT):
        return None
    source, destination = ipaddress.IPv6Address(packet[8:24]), ipaddress.IPv6Address(packet[24:40])
    return Packet(mac, vlan, source, destination, hops, protocol, payload)


def datagram(packet: Packet) -> Datagram | None:
    """The UDP datagram in a packet; None when there is none, or less of it than it says."""
    if packet.protocol != UDP or len(packet.payload) < 8:
        return None
    source, destination, length = struct.unpack_from("!HHH", packet.payload)
    if not 8 <= length <= len(packet.payload):
        return None
    return Datagram(source, destination, packet.payload[8:length])
