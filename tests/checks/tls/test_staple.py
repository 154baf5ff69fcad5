"""OCSP responses that real nginx and OpenSSL staple."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from checks.model import Outcome, State
from checks.tls.ocsp import read
from checks.tls.staple import client_hello, stapled, with_status_request
from tests.checks.tls.looking import FAR, NAME, NOW, START, look
from tests.nginx import nginx
from tests.peers import accepts, free_port, need, running
from tests.pki import DAY, Issued, issue

ROOT = issue("BK Root CA", authority=True, start=START, end=FAR)
LEAF = issue(NAME, NAME, by=ROOT, start=START, end=FAR)
STRANGER = issue("Other Root CA", authority=True, start=START, end=FAR)


def response(
    *, of: Issued = LEAF, by: Issued = ROOT, status: str = "GOOD", ends: datetime.datetime = NOW + 5 * DAY
) -> bytes:
    """An OCSP response of a responder."""
    found = ocsp.OCSPCertStatus[status]
    revoked = found is ocsp.OCSPCertStatus.REVOKED
    begins = min(NOW, ends) - DAY
    builder = ocsp.OCSPResponseBuilder().add_response(
        of.certificate, ROOT.certificate, hashes.SHA1(), found, begins, ends, begins if revoked else None, None
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.NAME, by.certificate)
    return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)


BUSY = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER).public_bytes(Encoding.DER)
STAPLES = {
    "good": response(),
    "revoked": response(status="REVOKED"),
    "unknown": response(status="UNKNOWN"),
    "old": response(ends=NOW - DAY),
    "forged": response(by=STRANGER),
    "another": response(of=issue("other", "other.example", by=ROOT)),
    "busy": BUSY,
}


@dataclasses.dataclass(frozen=True)
class Stapling:
    """An nginx that staples, by the port; and the file of the authority."""

    ports: dict[str, int]
    ca_file: str

    async def check(self, kind: str, **params: Any) -> Outcome:
        target = f"127.0.0.1:{self.ports[kind]}"
        return await look(target, server_name=NAME, ca_file=self.ca_file, staple=True, **params)


@pytest.fixture(scope="module")
def stapling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stapling]:
    folder = tmp_path_factory.mktemp("staple")
    certificate, key = LEAF.write(folder, "leaf")
    (folder / "ca.pem").write_bytes(ROOT.pem)
    ports = {kind: free_port() for kind in (*STAPLES, "none", "new")}
    servers = []
    for kind, port in ports.items():
        how = ""
        if kind in STAPLES:
            (folder / f"{kind}.der").write_bytes(STAPLES[kind])
            how = f"ssl_stapling on; ssl_stapling_file {folder}/{kind}.der;"
        versions = "TLSv1.3" if kind == "new" else "TLSv1.2 TLSv1.3"
        files = f"ssl_certificate {certificate}; ssl_certificate_key {key}; ssl_protocols {versions};"
        servers.append(f"server {{ listen 127.0.0.1:{port} ssl; {files} {how} }}")
    with nginx(folder, servers, list(ports.values())):
        yield Stapling(ports, str(folder / "ca.pem"))


@pytest.mark.peer
@pytest.mark.parametrize(
    ("kind", "state", "reason", "words"),
    [
        ("good", State.OK, "", "the certificate is good until 2090-01-01"),
        ("none", State.OK, "", "the certificate is good until 2090-01-01"),
        ("new", State.OK, "", "the certificate is good until 2090-01-01"),
        ("revoked", State.CRIT, "revoked", "its authority says that it is revoked: replace it at once"),
        ("unknown", State.WARN, "staple", "staples says that its authority does not know the certificate: look at"),
        ("old", State.WARN, "staple", "staples is out of date since 2026-11-22: look at its stapling"),
        ("forged", State.WARN, "staple", "staples is not signed by the certificate's authority: look at"),
        ("another", State.WARN, "staple", "staples is about another certificate: look at its stapling"),
        ("busy", State.WARN, "staple", "staples says try later: look at its stapling"),
    ],
)
async def test_what_a_server_staples_is_judged(
    stapling: Stapling, kind: str, state: State, reason: str, words: str
) -> None:
    outcome = await stapling.check(kind)
    assert (outcome.state, outcome.reason) == (state, reason), outcome.summary
    assert words in outcome.summary
    left = [metric.value for metric in outcome.metrics if metric.name == "tls.staple.days_left"]
    assert left == ([] if kind in ("none", "new", "busy") else [pytest.approx(-1 if kind == "old" else 5)])


@pytest.mark.peer
async def test_openssl_s_own_server_is_understood_too(tmp_path: Path) -> None:
    need("openssl")
    certificate, key = LEAF.write(tmp_path, "leaf")
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    (tmp_path / "staple.der").write_bytes(STAPLES["revoked"])
    port = free_port()
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", str(certificate), "-key", str(key)]
    argv += ["-status_file", str(tmp_path / "staple.der"), "-quiet"]
    with running(argv, ready=lambda: accepts(port), log=tmp_path / "log"):
        seen = Stapling({"own": port}, str(tmp_path / "ca.pem"))
        assert (await seen.check("own")).reason == "revoked"


def charged(*usages: x509.ObjectIdentifier) -> Issued:
    """A responder that the authority signed, for these uses."""
    made = issue("responder", by=ROOT, start=START, end=FAR)
    one = made.certificate
    builder = x509.CertificateBuilder(one.issuer, one.subject, made.key.public_key(), one.serial_number, START, FAR)
    if usages:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return Issued(builder.sign(ROOT.key, hashes.SHA256()), made.key)


def test_a_responder_must_be_charged_with_it_by_the_authority() -> None:
    signing = ExtendedKeyUsageOID.OCSP_SIGNING
    for responder, known in ((charged(signing), True), (charged(), False)):
        builder = ocsp.OCSPResponseBuilder().add_response(
            LEAF.certificate,
            ROOT.certificate,
            hashes.SHA1(),
            ocsp.OCSPCertStatus.GOOD,
            NOW - DAY,
            NOW + DAY,
            None,
            None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
        der = builder.certificates([responder.certificate]).sign(responder.key, hashes.SHA256())
        found = read(der.public_bytes(Encoding.DER), LEAF.certificate, ROOT.certificate, NOW)
        assert (found.status == "good") is known


def test_a_certificate_that_demands_a_staple_misses_it() -> None:
    key = LEAF.key
    demand = x509.TLSFeature([x509.TLSFeatureType.status_request])
    one = LEAF.certificate
    builder = x509.CertificateBuilder(one.issuer, one.subject, key.public_key(), one.serial_number, START, FAR)
    demanding = builder.add_extension(demand, critical=False).sign(ROOT.key, hashes.SHA256())
    assert read(b"", demanding, ROOT.certificate, NOW).problem == "is missing, though the certificate demands one"
    assert read(b"", one, ROOT.certificate, NOW).problem == ""
    assert read(b"nothing", one, ROOT.certificate, NOW).problem.startswith("cannot be read: ")


@given(st.binary(max_size=300))
def test_whatever_a_server_says_is_no_staple_but_a_staple(said: bytes) -> None:
    assert stapled(said) in (None, b"") or said[:1] == b"\x16"


@given(st.integers(1, 400))
def test_a_staple_is_found_however_it_is_cut_into_records(size: int) -> None:
    status = b"\x01" + (200).to_bytes(3) + b"s" * 200
    messages = b"\x02\x00\x00\x02hi" + b"\x16" + len(status).to_bytes(3) + status + b"\x0e\x00\x00\x00"
    pieces = [messages[at : at + size] for at in range(0, len(messages), size)]
    heard = b"".join(b"\x16\x03\x03" + len(piece).to_bytes(2) + piece for piece in pieces)
    assert stapled(heard) == b"s" * 200
    assert stapled(heard[: len(heard) // 4]) is None


def test_the_client_s_hello_stays_well_formed() -> None:
    hello = with_status_request(client_hello(NAME))
    assert int.from_bytes(hello[3:5]) == len(hello) - 5
    assert int.from_bytes(hello[6:9]) == len(hello) - 9
    assert NAME.encode() in hello
