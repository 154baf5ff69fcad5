"""The two engines read the same of the same device: a device can be moved to the other by one word."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from checks.contract import SystemClock
from checks.errors import CheckError
from checks.model import State
from checks.snmp import mib
from checks.snmp.check import ENGINES
from checks.snmp.pysnmp_reader import PysnmpReader
from checks.snmp.reader import Access, SnmpReader, Value
from tests.acceptance import ber
from tests.acceptance.recording import Recording
from tests.acceptance.responder import Responder, View, response, serving
from tests.acceptance.test_misbehaving import Listing, oid
from tests.checks.snmp.devices import Device, poll, snmpd
from tests.checks.snmp.forging import FORGERIES, STALE, as_forger, make
from tests.checks.snmp.reading import access
from tests.peers import free_port, need

TABLE = "1.3.6.1.4.1.99999.1"
VALUES = {
    f"{TABLE}.1.1": ber.integer(-(2**31)),
    f"{TABLE}.1.2": ber.integer(2**31 - 1),
    f"{TABLE}.1.3": ber.integer(2**32 - 1, 0x41),  # Counter32
    f"{TABLE}.1.4": ber.integer(2**32 - 1, 0x42),  # Gauge32
    f"{TABLE}.1.5": ber.integer(2**32 - 1, 0x43),  # TimeTicks
    f"{TABLE}.1.6": ber.integer(2**64 - 1, 0x46),  # Counter64
    f"{TABLE}.1.7": ber.tlv(0x40, bytes((10, 0, 0, 255))),  # IpAddress
    f"{TABLE}.1.8": ber.tlv(0x44, b"\x9f\x78\x04" + struct.pack(">f", 36.5)),  # Opaque that holds a float
    f"{TABLE}.1.9": ber.tlv(0x44, b"\x9f\x79\x08" + struct.pack(">d", -0.125)),  # and a double
    f"{TABLE}.1.10": ber.tlv(4, b""),
    f"{TABLE}.1.11": ber.tlv(4, bytes(range(256))),
    f"{TABLE}.1.12": ber.oid((0, 0)),
    f"{TABLE}.1.13": ber.oid((1, 3, 6, 1, 4, 1, 2**32 - 1)),
    f"{TABLE}.1.300": ber.tlv(4, "Bắc Kạn".encode()),
    f"{TABLE}.2.1": ber.integer(7),
}


class Fussy(Responder):
    """A device that answers at most three variables in a request, and knows no GETBULK: to both it says ``status``."""

    def __init__(self, view: View, status: int) -> None:
        super().__init__(view)
        self._status = status

    def respond(self, kind: int, pdu: bytes) -> bytes:
        number, _, _, listed = (content for _, content in ber.children(pdu))
        asked = [ber.tlv(*one) for one in ber.children(listed)]
        if kind == ber.BULK or len(asked) > 3:
            return response(ber.number(number), asked, status=self._status)
        return super().respond(kind, pdu)


async def walked(reader: SnmpReader, column: str) -> dict[str, Value]:
    return {name: value async for name, value in reader.walk(column)}


@contextlib.asynccontextmanager
async def engines(access: Access) -> AsyncIterator[dict[str, SnmpReader]]:
    readers = {name: engine(access, SystemClock()) for name, engine in ENGINES.items()}
    try:
        yield readers
    finally:
        for reader in readers.values():
            await reader.end()


async def same(access: Access, ask: Callable[[SnmpReader], Any]) -> Any:
    """What both engines answer: the values, or the error's class, reason, words and whether something answered."""
    found: dict[str, Any] = {}
    async with engines(access) as readers:
        for name, reader in readers.items():
            reader.begin()
            try:
                found[name] = await ask(reader)
            except CheckError as error:
                found[name] = (type(error).__name__, error.reason, error.summary, error.answered)
    assert found["gufo"] == found["pysnmp"]
    return found["gufo"]


@pytest.mark.parametrize("version", ["2c", "3"])
async def test_values_of_every_type_are_the_same(version: str) -> None:
    async with serving(Listing(VALUES)) as (_, port):
        rows = await same(access(port, version=version, timeout=1.0), lambda reader: walked(reader, f"{TABLE}.1"))
        assert len(rows) == len(VALUES) - 1
        assert (rows[f"{TABLE}.1.6"], rows[f"{TABLE}.1.7"]) == (2**64 - 1, "10.0.0.255")
        there = [f"{TABLE}.1.{index}" for index in (1, 6, 14, 11)]
        assert (await same(access(port, version=version), lambda reader: reader.get([*there, "1.3.9"]))).keys() == {
            there[0], there[1], there[3],
        }  # fmt: skip
        assert await same(access(port, version=version), lambda reader: walked(reader, "1.3.9")) == {}


@pytest.mark.parametrize("status", [1, 2, 5], ids=["tooBig", "noSuchName", "genErr"])
async def test_a_device_that_takes_only_small_requests_is_read_alike(status: int) -> None:
    async with serving(Listing(VALUES), lambda view: Fussy(view, status)) as (_, port):
        rows = await same(access(port, version="2c"), lambda reader: walked(reader, f"{TABLE}.1"))
        assert len(rows) == len(VALUES) - 1
        assert await same(access(port, version="2c"), lambda reader: reader.get(list(rows))) == rows

        async def faults(reader: SnmpReader) -> frozenset[str]:
            await walked(reader, TABLE)
            return reader.faults

        assert await same(access(port, version="2c"), faults) == {"no-getbulk"}


def shuffled() -> Sequence[str]:
    return [f"{TABLE}.1.{index}" for index in (3, 1, 2, 13, 5)]


async def test_a_device_out_of_order_is_read_alike() -> None:
    async with serving(Listing({name: VALUES[name] for name in shuffled()})) as (_, port):
        rows = await same(access(port, version="2c", max_repetitions=2), lambda reader: walked(reader, f"{TABLE}.1"))
    assert set(rows) == set(shuffled())


@pytest.mark.slow
@pytest.mark.parametrize("version", ["2c", "3"])
async def test_recorded_devices_are_read_alike(shared: Path, version: str) -> None:
    for name in ("public", "linksup", "ip-ad-ent-addr", "cisco-bgp", "missing-info-bgp"):
        recording = Recording(shared / "zino" / f"{name}.snmprec")
        async with serving(recording) as (_, port):
            rows = await same(access(port, version=version, timeout=1.0), lambda reader: walked(reader, "1.3.6.1"))
        assert [oid(row) for row in rows] == recording.names


@pytest.mark.parametrize("forgery", [*FORGERIES, *STALE])
async def test_pysnmp_does_not_read_what_is_forged_either(forgery: str) -> None:
    async with serving(Listing({mib.SYS_NAME: ber.tlv(4, b"r1")}), make) as (device, port):
        reader = PysnmpReader(access(port, timeout=0.3, retries=0), SystemClock())
        try:
            assert await reader.get([mib.SYS_NAME]) == {mib.SYS_NAME: b"r1"}
            as_forger(device).forgery = (FORGERIES | STALE)[forgery]
            with contextlib.suppress(CheckError):
                assert await reader.get([mib.SYS_NAME]) == {}
        finally:
            await reader.end()


PAIRS = [
    *(("sha256", priv) for priv in ("", "des", "aes128", "aes192", "aes256", "aes192c", "aes256c")),
    *((auth, "aes128") for auth in ("md5", "sha1", "sha224", "sha384", "sha512")),
    ("sha512", "aes256"),
    ("md5", "aes256"),
    ("sha1", "aes256c"),
]
NET_SNMP = {
    "md5": "MD5", "sha1": "SHA", "sha224": "SHA-224", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512",
    "des": "DES", "aes128": "AES", "aes192": "AES192", "aes256": "AES256", "aes192c": "AES192C", "aes256c": "AES256C",
}  # fmt: skip


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Debian's snmpd with a user for each pair of algorithms."""
    need("snmpd")
    lines = []
    for auth, priv in PAIRS:
        level = f'{NET_SNMP[priv]} "privpass123"' if priv else ""
        lines += [f'createUser {auth}{priv} {NET_SNMP[auth]} "authpass123" {level}', f"rouser {auth}{priv} auth"]
    device = Device("127.0.0.1", free_port(socket.SOCK_DGRAM))
    with snmpd(tmp_path_factory.mktemp("users"), device, "\n".join(lines)):
        yield device


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize(("auth", "priv"), PAIRS)
async def test_snmpd_is_read_alike_with_each_pair_of_algorithms(users: Device, auth: str, priv: str) -> None:
    keys = {"auth": auth, "auth_key": "authpass123", "priv": priv, "priv_key": "privpass123" if priv else ""}
    rows = await same(
        access(users.port, user=f"{auth}{priv}", timeout=2.0, **keys),
        lambda reader: reader.get([mib.SYS_NAME, mib.SYS_OBJECT_ID, "1.3.6.1.2.1.1.99.0"]),
    )
    assert rows == {mib.SYS_NAME: b"r1", mib.SYS_OBJECT_ID: "1.3.6.1.4.1.8072.3.2.10"}


@pytest.mark.peer
@pytest.mark.parametrize("version", ["1", "2c", "3"])
async def test_snmpd_is_walked_alike_in_every_version(host: Device, version: str) -> None:
    rows = await same(
        access(host.port, version=version, timeout=2.0), lambda reader: walked(reader, "1.3.6.1.2.1.2.2.1.2")
    )
    assert b"lo" in rows.values()


@pytest.mark.peer
@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": "2c", "community": "wrong"}, "timeout"),
        ({"user": "nobody"}, "unknown-user"),
        ({"auth_key": "wrongpass1"}, "wrong-auth-key"),
        ({"priv_key": "wrongpass1"}, "wrong-priv-key"),
        ({"user": "reader", "auth": "sha1"}, "unsupported-level"),
        ({"priv": "", "priv_key": ""}, "access-denied"),
    ],
)
async def test_what_is_wrong_is_said_alike(host: Device, change: dict[str, str], reason: str) -> None:
    error = await same(access(host.port, timeout=0.3, **change), lambda reader: reader.get([mib.SYS_NAME]))
    assert error[1] == reason


@pytest.mark.peer
async def test_the_check_reads_a_device_by_pysnmp_and_leaves_no_process(host: Device) -> None:
    outcome = await poll(host.target, engine="pysnmp", profile="none")
    assert (outcome.state, outcome.facts["sysName"]) == (State.OK, "r1")
    assert children() == []


def children() -> list[str]:
    """The command lines of this process's children that run the engine."""
    return [" ".join(one.cmdline()) for one in psutil.Process().children() if "pysnmp_child" in " ".join(one.cmdline())]
