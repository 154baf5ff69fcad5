from __future__ import annotations

from ipaddress import IPv6Address, IPv6Network

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_RelayForward,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptOptReq,
    DHCP6OptRapidCommit,
    DHCP6OptRelayMsg,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
)
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptMTU, ICMPv6NDOptPrefixInfo, ICMPv6NDOptRDNSS
from scapy.packet import Packet

from checks.dhcp import format6

MAC = bytes.fromhex("020000000001")


def message(packet: Packet) -> format6.Message:
    parsed = format6.parse(bytes(packet))
    assert isinstance(parsed, format6.Message)
    return parsed


def test_a_solicit_is_what_scapy_reads_in_it() -> None:
    packet = DHCP6_Solicit(format6.solicit(0xABCDEF, MAC))
    assert (packet.msgtype, packet.trid) == (1, 0xABCDEF)
    assert bytes(packet[DHCP6OptClientId].duid) == format6.duid(MAC) == bytes(DUID_LL(lladdr=MAC.hex(":")))
    assert packet[DHCP6OptIA_NA].iaid == 1
    assert packet[DHCP6OptOptReq].reqopts == [23, 24]
    assert DHCP6OptRapidCommit not in packet


def test_an_advertise_tells_its_addresses_prefixes_and_dns() -> None:
    parsed = message(
        DHCP6_Advertise(trid=7)
        / DHCP6OptServerId(duid=DUID_LL(lladdr="02:00:00:00:00:09"))
        / DHCP6OptIA_NA(ianaopts=[DHCP6OptIAAddress(addr="2001:db8::5", preflft=100, validlft=200)])
        / DHCP6OptIA_PD(iapdopt=[DHCP6OptIAPrefix(prefix="2001:db8:1::", plen=56)])
        / DHCP6OptDNSServers(dnsservers=["2001:db8::53", "2001:db8::54"])
    )
    assert (parsed.kind, parsed.xid, parsed.server.hex()) == (format6.ADVERTISE, 7, "00030001020000000009")
    assert (parsed.addresses, parsed.valid_lifetimes) == ((IPv6Address("2001:db8::5"),), (200,))
    assert parsed.prefixes == (IPv6Network("2001:db8:1::/56"),)
    assert parsed.dns == (IPv6Address("2001:db8::53"), IPv6Address("2001:db8::54"))
    assert parsed.refusal is None


def test_a_refusal_inside_an_association_is_told() -> None:
    none_left = DHCP6OptStatusCode(statuscode=2, statusmsg="none left")
    parsed = message(DHCP6_Advertise() / DHCP6OptIA_NA(ianaopts=[none_left]))
    assert parsed.refusal == format6.Status(2, "none left")


def test_a_relayed_message_is_looked_into() -> None:
    inner = DHCP6_Solicit(trid=9)
    parsed = format6.parse(
        bytes(
            DHCP6_RelayForward(hopcount=1, linkaddr="2001:db8::1", peeraddr="fe80::2") / DHCP6OptRelayMsg(message=inner)
        )
    )
    assert isinstance(parsed, format6.Relayed)
    assert (parsed.hops, parsed.link, parsed.peer) == (1, IPv6Address("2001:db8::1"), IPv6Address("fe80::2"))
    assert isinstance(parsed.message, format6.Message)
    assert (parsed.message.kind, parsed.message.xid) == (format6.SOLICIT, 9)


def test_relays_within_relays_come_to_an_end() -> None:
    payload = b""
    for _ in range(2000):
        payload = bytes((12, 0)) + bytes(32) + b"\x00\x09" + (len(payload) & 0xFFFF).to_bytes(2, "big") + payload
        if len(payload) > 60_000:
            break
    parsed, depth = format6.parse(payload), 0
    while isinstance(parsed, format6.Relayed):
        parsed, depth = parsed.message, depth + 1
    assert depth == 9


def test_a_router_advertisement_tells_its_prefixes_and_dns() -> None:
    advertisement = (
        ICMPv6ND_RA(routerlifetime=1800, M=1)
        / ICMPv6NDOptMTU()
        / ICMPv6NDOptPrefixInfo(prefix="2001:db8:61::", prefixlen=64)
        / ICMPv6NDOptRDNSS(dns=["2001:db8::53"])
    )
    parsed = format6.parse_advertisement(bytes(advertisement), 255)
    expected = format6.Advertisement(1800, True, (IPv6Network("2001:db8:61::/64"),), (IPv6Address("2001:db8::53"),))
    assert parsed == expected


def test_a_router_advertisement_from_beyond_the_link_is_none() -> None:
    assert format6.parse_advertisement(bytes(ICMPv6ND_RA()), 254) is None


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: b"\x02\x00\x00\x01\x00\x03" + tail)))
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    parsed = format6.parse(payload)
    if isinstance(parsed, format6.Message):
        _ = (parsed.server, parsed.addresses, parsed.prefixes, parsed.valid_lifetimes, parsed.dns, parsed.refusal)
    format6.parse_advertisement(b"\x86\x00" + payload, 255)
