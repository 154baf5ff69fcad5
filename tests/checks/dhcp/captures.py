"""Recorded frames, and what others read in them."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from scapy.layers.inet import IP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.utils import PcapReader

KINDS4 = ("DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM")


def manifest(folder: Path) -> list[dict[str, str]]:
    """The rows of a folder's manifest.csv; without one, its files, of which nothing is said."""
    if not (folder / "manifest.csv").is_file():
        return [{"file": file.name, "kind": "", "expected_out": ""} for file in sorted(folder.glob("*.pcap*"))]
    with (folder / "manifest.csv").open(newline="") as rows:
        return list(csv.DictReader(rows))


def frames_of(file: Path) -> Iterator[bytes]:
    """The Ethernet frames of a pcap or pcapng file; packets that were captured without one get a header."""
    with PcapReader(str(file)) as packets:
        for packet in packets:
            if isinstance(packet, Ether):
                yield packet.original
                continue
            for layer, kind in ((IP, 0x0800), (IPv6, 0x86DD)):
                if layer in packet:
                    yield bytes(12) + kind.to_bytes(2, "big") + packet[layer].original
                    break
