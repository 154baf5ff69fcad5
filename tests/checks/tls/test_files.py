from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, pkcs12

from checks.errors import ObserverError, TargetError
from checks.model import State
from tests.checks.tls.looking import FAR, NAME, NOW, START, look
from tests.pki import DAY, Issued, issue

ROOT = issue("BK Root CA", authority=True, start=START, end=FAR)
MIDDLE = issue("BK Intermediate CA", authority=True, by=ROOT, start=START, end=FAR)
LEAF = issue(NAME, NAME, by=MIDDLE, start=START, end=FAR)
ENDING = issue("ending", "ending.bk.example", by=MIDDLE, start=START, end=NOW + 20 * DAY)


def file(folder: Path, *chain: Issued) -> str:
    path = folder / "some.pem"
    path.write_bytes(b"".join(one.pem for one in chain))
    return str(path)


async def test_every_certificate_of_a_file_is_judged_by_its_age(tmp_path: Path) -> None:
    path = file(tmp_path, LEAF, ENDING, ROOT)
    outcome = await look(path)
    assert (outcome.state, outcome.reason) == (State.WARN, "expires-soon")
    assert outcome.summary == (
        f"{path}: the certificate 'ending' expires on 2026-12-13 (20 days left): replace it in the file"
    )
    well = await look(file(tmp_path, LEAF, ROOT))
    assert well.summary == f"{path}: 2 certificates, the first to end on 2090-01-01"


async def test_with_a_name_a_file_is_judged_as_the_server_that_will_show_it(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(ROOT.pem)
    params: dict[str, Any] = {"server_name": NAME, "ca_file": str(ca_file)}
    outcome = await look(file(tmp_path, LEAF, MIDDLE), **params)
    assert outcome.state is State.OK
    assert [metric.instance.rpartition(" ")[0] for metric in outcome.metrics if metric.name.endswith("not_after")] == [
        NAME,
        "BK Intermediate CA",
        "BK Root CA",
    ]
    path = file(tmp_path, LEAF)
    assert (await look(path, **params)).summary == (
        f"{path}: the certificate of 'BK Intermediate CA', which signed 'portal.bk.example', is not in the file, "
        "and this agent does not know it: add the intermediate certificate in the file, or that authority to ca_file"
    )
    assert (await look(file(tmp_path, LEAF, MIDDLE), **params | {"server_name": "b.example"})).reason == "hostname"
    assert (await look(file(tmp_path, LEAF, MIDDLE), server_name=NAME)).reason == "untrusted"


@pytest.mark.parametrize("password", ["", "mật khẩu"])
async def test_der_and_pkcs12_are_read_too(tmp_path: Path, password: str) -> None:
    (tmp_path / "one.der").write_bytes(LEAF.der)
    assert (await look(str(tmp_path / "one.der"))).facts["fingerprint"] == LEAF.fingerprint
    encryption = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    held = pkcs12.serialize_key_and_certificates(b"x", LEAF.key, LEAF.certificate, [MIDDLE.certificate], encryption)
    (tmp_path / "two.p12").write_bytes(held)
    outcome = await look(str(tmp_path / "two.p12"), password=password)
    assert outcome.facts["fingerprint"] == LEAF.fingerprint
    assert outcome.summary.endswith("2 certificates, the first to end on 2090-01-01")
    if password:
        with pytest.raises(TargetError, match="nor PKCS#12 that the password opens"):
            await look(str(tmp_path / "two.p12"), password="another")


async def test_a_certificate_on_its_authority_s_list_is_revoked(tmp_path: Path) -> None:
    crl_file = tmp_path / "lists.pem"
    lists = b""
    for by, revoked in ((MIDDLE, LEAF), (ROOT, ENDING)):
        builder = x509.CertificateRevocationListBuilder(by.certificate.subject, NOW - DAY, NOW + DAY)
        entry = x509.RevokedCertificateBuilder(revoked.certificate.serial_number, NOW - DAY).build()
        builder = builder.add_extension(x509.CRLNumber(1), critical=False).add_revoked_certificate(entry)
        lists += builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.PEM)
    crl_file.write_bytes(lists)
    path = file(tmp_path, LEAF, MIDDLE, ROOT)
    outcome = await look(path, crl_file=str(crl_file))
    assert (outcome.state, outcome.reason) == (State.CRIT, "revoked")
    assert outcome.summary == f"{path}: 'portal.bk.example' is on its authority's revocation list: replace it at once"
    with pytest.raises(ObserverError, match="expected lists in PEM or one in DER"):
        await look(path, crl_file=path)


async def test_a_file_that_cannot_be_had_says_whose_fault_it_is(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="there is no such file") as caught:
        await look(str(tmp_path / "none.pem"))
    assert caught.value.reason == "no-file"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TargetError, match="expected a file of certificates, and it is none"):
        await look(str(tmp_path / "pipe"))
    (tmp_path / "text.pem").write_text("secret words")
    with pytest.raises(TargetError) as malformed:
        await look(str(tmp_path / "text.pem"))
    assert malformed.value.reason == "malformed"
    assert "secret" not in malformed.value.summary
    with pytest.raises(ObserverError, match=r"ca_file .*: No such file or directory"):
        await look(file(tmp_path, LEAF), server_name=NAME, ca_file=str(tmp_path / "no-ca.pem"))
