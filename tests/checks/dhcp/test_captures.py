"""Our parsers beside tcpdump's text, the manifest's figures and scapy's dissectors, over recorded frames."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import (
    DHCP6OptClientId,
    DHCP6OptDNSServers,
    DHCP6OptIAAddress,
    DHCP6OptIAPrefix,
    DHCP6OptServerId,
)
from scapy.layers.inet import UDP
from scapy.layers.l2 import Ether

from checks.dhcp import format4, format6
from checks.dhcp.answers import Question, collect
from checks.dhcp.frame import datagram, unwrap
from tests.checks.dhcp.captures import KINDS4, frames_of, manifest

TCPDUMP6 = {
    "solicit": format6.SOLICIT,
    "advertise": format6.ADVERTISE,
    "request": format6.REQUEST,
    "confirm": format6.CONFIRM,
    "renew": format6.RENEW,
    "rebind": format6.REBIND,
    "reply": format6.REPLY,
    "release": format6.RELEASE,
    "decline": format6.DECLINE,
    "reconfigure": format6.RECONFIGURE,
    "inf-req": format6.INFORMATION_REQUEST,
    "relay-fwd": format6.RELAY_FORW,
    "relay-reply": format6.RELAY_REPL,
}


def messages4(file: Path) -> list[format4.Message]:
    return [message for frame in frames_of(file) if (message := message4(frame)) is not None]


def message4(frame: bytes) -> format4.Message | None:
    packet = unwrap(frame)
    found = datagram(packet) if packet else None
    ports = {found.source_port, found.destination_port} if found else set()
    return format4.parse(found.payload) if found and ports & {67, 68} else None


def message6(frame: bytes) -> format6.Message | format6.Relayed | None:
    packet = unwrap(frame)
    found = datagram(packet) if packet else None
    ports = {found.source_port, found.destination_port} if found else set()
    return format6.parse(found.payload) if found and ports & {546, 547} else None


def layers(message: format6.Message | format6.Relayed | None) -> Iterator[format6.Message | format6.Relayed]:
    """A message and what it carries, as tcpdump tells of them."""
    while message is not None:
        yield message
        message = message.message if isinstance(message, format6.Relayed) else None


def test_the_manifest_s_messages_are_found(captures: Path) -> None:
    for row in manifest(captures):
        if row["kind"] != "valid":
            continue
        found = messages4(captures / row["file"])
        expected = json.loads(row["messages"])
        kinds = Counter(KINDS4[message.kind - 1] for message in found if message.kind)
        assert Counter({"bootp": len(found)} if found else {}) + kinds == Counter(expected), row["file"]


def test_the_manifest_s_offers_are_read(captures: Path) -> None:
    for row in manifest(captures):
        offers = [
            f"{KINDS4[message.kind - 1]} yiaddr={message.yiaddr} server={message.server or ''} "
            f"router={','.join(map(str, message.routers))} lease={message.lease if message.lease is not None else ''}"
            for message in messages4(captures / row["file"])
            if message.kind in (format4.OFFER, format4.ACK)
        ]
        if row["kind"] == "valid":
            assert " ; ".join(offers) == row["offers_acks"], row["file"]


def test_tcpdump_names_the_same_dhcpv6_messages(captures: Path) -> None:
    compared = 0
    for row in manifest(captures):
        for text in filter(None, row["expected_out"].split("|")):
            if row["kind"] != "valid" or not (captures / text).is_file():
                continue
            said = re.findall(r"dhcp6 ([a-z-]+) \((?:xid=([0-9a-f]+))?", (captures / text).read_text(errors="replace"))
            ours = [message for frame in frames_of(captures / row["file"]) for message in layers(message6(frame))]
            assert [(m.kind, f"{m.xid:x}" if isinstance(m, format6.Message) else "") for m in ours] == [
                (TCPDUMP6[kind], xid) for kind, xid in said
            ], row["file"]
            compared += len(ours)
    assert compared or not any("dhcp6 " in f.read_text(errors="replace") for f in captures.glob("*.out"))


def test_scapy_reads_the_same_in_dhcpv4(captures: Path) -> None:
    for file in sorted(captures.glob("*.pcap*")):
        for frame in frames_of(file):
            ours, theirs = message4(frame), Ether(frame)
            if ours is None or BOOTP not in theirs:
                continue
            bootp = theirs[BOOTP]
            fixed = (bootp.xid, bootp.chaddr[:6], bootp.yiaddr, bootp.siaddr, bootp.giaddr)
            assert (
                ours.xid,
                ours.chaddr,
                *map(str, (ours.yiaddr, ours.siaddr, ours.giaddr)),
            ) == fixed, file.name
            if DHCP in theirs:
                options = {option[0]: option[1:] for option in theirs[DHCP].options if isinstance(option, tuple)}
                assert (ours.kind,) == options.get("message-type", (None,)), file.name
                assert tuple(map(str, ours.routers)) == options.get("router", ()), file.name
                assert tuple(map(str, ours.dns)) == options.get("name_server", ()), file.name
                assert (ours.lease,) == options.get("lease_time", (None,)), file.name


def test_scapy_reads_the_same_in_dhcpv6(captures: Path) -> None:
    for row in manifest(captures):
        for frame in frames_of(captures / row["file"]):
            ours, theirs = message6(frame), Ether(frame)
            if not isinstance(ours, format6.Message) or row["kind"] == "malformed":
                continue
            for option, mine in ((DHCP6OptServerId, ours.server), (DHCP6OptClientId, ours.client)):
                assert mine == (bytes(theirs[option].duid) if option in theirs else b""), row["file"]
            addresses = [str(address) for address in ours.addresses]
            assert addresses == ([theirs[DHCP6OptIAAddress].addr] if DHCP6OptIAAddress in theirs else []), row["file"]
            servers = theirs[DHCP6OptDNSServers].dnsservers if DHCP6OptDNSServers in theirs else []
            assert list(map(str, ours.dns)) == servers, row["file"]
            if DHCP6OptIAPrefix in theirs:
                prefix = theirs[DHCP6OptIAPrefix]
                assert f"{prefix.prefix}/{prefix.plen}" in map(str, ours.prefixes), row["file"]


def test_no_recording_makes_the_parsers_raise_wherever_it_is_cut(captures: Path) -> None:
    for file in sorted(captures.glob("*.pcap*")):
        for frame in frames_of(file):
            for end in range(len(frame)):
                collect([(0.0, frame[:end])], Question(bytes(6), 0, 0))
            found = UDP in Ether(frame) and bytes(Ether(frame)[UDP].payload)
            for end in range(len(found or b"")):
                format4.parse((found or b"")[:end])
                format6.parse((found or b"")[:end])


@pytest.mark.parametrize(("kind", "name"), [(format4.OFFER, "OFFER"), (format4.INFORM, "INFORM")])
def test_the_numbers_of_message_types_are_the_rfc_s(kind: int, name: str) -> None:
    assert KINDS4[kind - 1] == name
