"""The vectors are written field by field after the figures of RFC 8762, sections 4.2 and 4.3; their HMACs are
`openssl dgst -sha256 -hmac "a key of the province"` over the first 96 bytes, of which the first 16 bytes stand."""

from __future__ import annotations

import hmac
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.stamp.packet import (
    ForgedError,
    PacketError,
    Reflected,
    Sent,
    TruncatedError,
    read_reflected,
    read_sent,
    write_reflected,
    write_sent,
)
from tests.peers import need, which

KEY = b"a key of the province"
SENT = Sent(sequence=7, timestamp=0xE8B2F180_80000000, error_estimate=0x0001, ssid=0x1234)
REFLECTED = Reflected(
    sequence=9,
    timestamp=0xE8B2F182_00000000,
    error_estimate=0x8A03,
    ssid=0x1234,
    received=0xE8B2F181_C0000000,
    sender_sequence=7,
    sender_timestamp=0xE8B2F180_80000000,
    sender_error_estimate=0x0001,
    sender_ttl=255,
)


def octets(*fields: str) -> bytes:
    return bytes.fromhex("".join(fields))


SENT_OPEN = octets(
    "00000007",  # sequence number
    "e8b2f18080000000",  # timestamp
    "0001",  # error estimate
    "1234",  # SSID
    "00" * 28,
)
SENT_CLOSED = octets(
    "00000007",
    "00" * 12,
    "e8b2f18080000000",
    "0001",
    "1234",
    "00" * 68,
    "68181147355f04a360cc494357d97637",  # HMAC
)
REFLECTED_OPEN = octets(
    "00000009",  # sequence number
    "e8b2f18200000000",  # timestamp
    "8a03",  # error estimate
    "1234",  # SSID
    "e8b2f181c0000000",  # receive timestamp
    "00000007",  # sender's sequence number
    "e8b2f18080000000",  # sender's timestamp
    "0001",  # sender's error estimate
    "0000",
    "ff",  # sender's TTL
    "000000",
)
REFLECTED_CLOSED = octets(
    "00000009",
    "00" * 12,
    "e8b2f18200000000",
    "8a03",
    "1234",
    "00" * 4,
    "e8b2f181c0000000",
    "00" * 8,
    "00000007",
    "00" * 12,
    "e8b2f18080000000",
    "0001",
    "00" * 6,
    "ff",
    "00" * 15,
    "4b7cab4548946fa8ae3da8f16c9fc7c1",
)


@pytest.mark.parametrize(("key", "octets"), [(b"", SENT_OPEN), (KEY, SENT_CLOSED)], ids=["open", "authenticated"])
def test_a_sender_s_packet_is_as_the_rfc_draws_it(key: bytes, octets: bytes) -> None:
    assert write_sent(SENT, key) == octets
    assert read_sent(octets, key) == SENT


@pytest.mark.parametrize(
    ("key", "octets"), [(b"", REFLECTED_OPEN), (KEY, REFLECTED_CLOSED)], ids=["open", "authenticated"]
)
def test_a_reflector_s_packet_is_as_the_rfc_draws_it(key: bytes, octets: bytes) -> None:
    assert write_reflected(REFLECTED, key) == octets
    assert read_reflected(octets, key) == REFLECTED


def test_what_follows_the_base_packet_is_given_back_and_not_read() -> None:
    assert write_reflected(REFLECTED, KEY, b"beyond") == REFLECTED_CLOSED + b"beyond"
    assert read_sent(SENT_CLOSED + b"beyond", KEY) == SENT


@pytest.mark.parametrize("place", [0, 27, 95, 96, 111])
def test_a_bit_that_was_turned_is_seen(place: int) -> None:
    turned = bytearray(SENT_CLOSED)
    turned[place] ^= 1

    with pytest.raises(ForgedError, match="HMAC is not that of the key"):
        read_sent(bytes(turned), KEY)


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_a_key_of_any_length_makes_the_hmac_of_the_standard(size: int) -> None:
    key = bytes(range(size))
    packet = write_sent(SENT, key)

    assert packet[96:] == hmac.digest(key, packet[:96], "sha256")[:16]
    assert read_sent(packet, key) == SENT


def test_another_key_is_seen() -> None:
    with pytest.raises(ForgedError):
        read_reflected(REFLECTED_CLOSED, b"another key")


def test_a_short_packet_is_told_by_its_length() -> None:
    with pytest.raises(TruncatedError, match="a test packet of 43 bytes: expected at least 44"):
        read_sent(SENT_OPEN[:-1])
    with pytest.raises(TruncatedError, match="a test packet of 44 bytes: expected at least 112"):
        read_sent(SENT_OPEN, KEY)


@given(st.binary(max_size=200), st.sampled_from([b"", KEY]))
def test_any_bytes_are_a_packet_or_a_packet_error(data: bytes, key: bytes) -> None:
    for read in (read_sent, read_reflected):
        try:
            read(data, key)
        except PacketError:
            continue
        assert len(data) >= (112 if key else 44)


def in_pcap(*packets: bytes) -> bytes:
    """A capture file of UDP packets from port 50000 to 862 and back in turn; link type 101 is IP itself."""
    capture = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65_535, 101)
    for number, payload in enumerate(packets):
        ports = (862, 50_000) if number % 2 else (50_000, 862)
        udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBHII", 0x45, 0, 20 + len(udp), 0, 0, 255, 17, 0, 0x0A000001, 0x0A000002)
        capture += struct.pack("<IIII", 1, number, len(ip + udp), len(ip + udp)) + ip + udp
    return capture


def dissected(file: Path, *fields: str) -> list[list[str]]:
    """What tshark reads as TWAMP-Test, of which STAMP keeps the layout."""
    argv = [which("tshark") or "tshark", "-r", str(file), "-d", "udp.port==862,twamp.test", "-T", "fields"]
    argv += [word for field in (*fields, "_ws.malformed") for word in ("-e", field)]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, env={"TZ": "UTC"}).stdout
    return [line.split("\t") for line in said.splitlines()]


@pytest.mark.peer
@pytest.mark.slow
def test_tshark_reads_our_unauthenticated_packets(tmp_path: Path) -> None:
    need("tshark")
    file = tmp_path / "open.pcap"
    file.write_bytes(in_pcap(write_sent(SENT), write_reflected(REFLECTED)))

    sent, reflected = dissected(
        file,
        "twamp.test.seq_number",
        "twamp.test.timestamp",
        "twamp.test.error_estimate",
        "twamp.test.mbz1",
        "twamp.test.receive_timestamp",
        "twamp.test.sender_seq_number",
        "twamp.test.sender_timestamp",
        "twamp.test.sender_error_estimate",
        "twamp.test.sender_ttl",
    )

    half_past = "Sep 18, 2023 15:55:44.500000000 UTC"
    assert (sent[:4], sent[-1]) == (["7", half_past, "1", "4660"], "")
    assert reflected == [
        "9",
        "Sep 18, 2023 15:55:46.000000000 UTC",
        "35331",
        "4660",
        "Sep 18, 2023 15:55:45.750000000 UTC",
        "7",
        half_past,
        "1",
        "255",
        "",
    ]


@pytest.mark.peer
@pytest.mark.slow
def test_tshark_takes_our_authenticated_packets_for_twamp_s_too(tmp_path: Path) -> None:
    """Its dissector (4.0) knows the unauthenticated layout alone. An authenticated packet begins with the same
    sequence number; the blocks of the others are put where it looks for them, to be read by somebody else's code."""
    need("tshark")
    sent, reflected = write_sent(SENT, KEY), write_reflected(REFLECTED, KEY)
    regrouped = reflected[:4] + reflected[16:28] + reflected[32:40] + reflected[48:52] + reflected[64:74]
    regrouped += bytes(2) + reflected[80:84]
    file = tmp_path / "authenticated.pcap"
    file.write_bytes(in_pcap(sent, reflected, sent[:4] + sent[16:] + bytes(12), regrouped))

    rows = dissected(
        file,
        "twamp.test.seq_number",
        "twamp.test.timestamp",
        "twamp.test.receive_timestamp",
        "twamp.test.sender_seq_number",
        "twamp.test.sender_ttl",
    )

    assert [(row[0], row[-1]) for row in rows] == [("7", ""), ("9", ""), ("7", ""), ("9", "")]
    assert rows[2][1] == "Sep 18, 2023 15:55:44.500000000 UTC"
    assert rows[3][1:5] == [
        "Sep 18, 2023 15:55:46.000000000 UTC",
        "Sep 18, 2023 15:55:45.750000000 UTC",
        "7",
        "255",
    ]
