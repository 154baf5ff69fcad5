from __future__ import annotations

import dataclasses
import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from checks.tls import crl
from checks.tls.validation import Rules, validate

DAY = datetime.timedelta(days=1)
AT = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
NAME = "portal.bk.example"
URL = "http://ca.bk.example/some.crl"


@dataclasses.dataclass(frozen=True)
class Signer:
    """An authority: what it is called, its key, and its certificate."""

    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def usage(**bits: bool) -> x509.KeyUsage:
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    return x509.KeyUsage(**{name: bits.get(name, False) for name in names.split()})


def built(
    subject: x509.Name, by: Signer | None, *, serial: int = 0, ski: bool = True, aki: bool = True, **kinds: Any
) -> Signer:
    """A certificate as RFC 5280 wants it, but for what a test leaves out. ``kinds``: ``crl_sign`` of an authority;
    ``points``, the URLs of a leaf's revocation lists; ``leaf``."""
    key = ec.generate_private_key(ec.SECP256R1())
    signer = by.key if by else key
    authority = not kinds.get("leaf")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.name if by else subject)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(AT - 30 * DAY)
        .not_valid_after(AT + 300 * DAY)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=authority)
    )
    if authority:
        signs = usage(key_cert_sign=True, crl_sign=kinds.get("crl_sign", True))
        builder = builder.add_extension(signs, critical=True)
    else:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
    if ski:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    if aki:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(above, critical=False)
    if points := kinds.get("points"):
        found = [x509.DistributionPoint([x509.UniformResourceIdentifier(one)], None, None, None) for one in points]
        builder = builder.add_extension(x509.CRLDistributionPoints(found), critical=False)
    return Signer(subject, key, builder.sign(signer, hashes.SHA256()))


def called(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])


ROOT = built(called("Root"), None)
MIDDLE = built(called("Middle"), ROOT)
LEAF = built(called("leaf"), MIDDLE, leaf=True)


def problem(*chain: Signer, root: Signer = ROOT, **rules: Any) -> str:
    leaf, *others = (one.certificate for one in chain)
    return validate(leaf, others, NAME, Rules([root.certificate], AT, **rules)).problem


def test_a_path_as_it_should_be_is_found() -> None:
    verdict = validate(LEAF.certificate, [MIDDLE.certificate], NAME, Rules([ROOT.certificate], AT))
    assert verdict.problem == ""
    assert verdict.chain == (LEAF.certificate, MIDDLE.certificate, ROOT.certificate)


def test_what_rfc_5280_asks_for_is_missed_where_the_library_does_not() -> None:
    bare = built(called("Middle"), ROOT, ski=False)
    assert problem(built(called("leaf"), bare, leaf=True), bare) == (
        "authority 'Middle' has no subject key identifier (RFC 5280, 4.2.1.2)"
    )
    bare = built(called("Middle"), ROOT, aki=False)
    assert problem(built(called("leaf"), bare, leaf=True), bare) == (
        "authority 'Middle' has no authority key identifier (RFC 5280, 4.2.1.1)"
    )


def test_the_library_s_reason_is_told_without_its_frame() -> None:
    assert problem(LEAF) == "all candidates exhausted with no interior errors"
    assert problem(LEAF, MIDDLE, depth=0) == "chain construction exceeds max depth"
    bare = built(called("leaf"), MIDDLE, leaf=True, aki=False)
    assert (
        problem(bare, MIDDLE) == "invalid extension: authorityKeyIdentifier: Certificate is missing required extension"
    )


def a_list(
    by: Signer, *revoked: Signer, start: datetime.timedelta = -DAY, end: datetime.timedelta = 7 * DAY, **also: Any
) -> x509.CertificateRevocationList:
    """A revocation list of an authority. ``also``: ``key`` to sign with another, ``number`` None for none, ``more``
    for extensions that are critical."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(by.name)
    builder = builder.last_update(AT + start).next_update(AT + end)
    if also.get("number", 1) is not None:
        builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    for extension in also.get("more", ()):
        builder = builder.add_extension(extension, critical=True)
    for one in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(one.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(AT - DAY).build())
    return builder.sign(also.get("key", by.key), hashes.SHA256())


def scope(**given: Any) -> x509.IssuingDistributionPoint:
    flags = ("only_contains_user_certs", "only_contains_ca_certs", "indirect_crl", "only_contains_attribute_certs")
    url = given.get("url")
    return x509.IssuingDistributionPoint(
        full_name=[x509.UniformResourceIdentifier(url)] if url else None,
        relative_name=None,
        only_some_reasons=given.get("reasons"),
        **{flag: given.get(flag, False) for flag in flags},
    )


def test_every_authority_s_list_is_asked() -> None:
    lists = [a_list(ROOT), a_list(MIDDLE)]
    assert problem(LEAF, MIDDLE, lists=lists) == ""
    assert problem(LEAF, MIDDLE, lists=[a_list(ROOT), a_list(MIDDLE, LEAF)]) == "'leaf' is revoked"
    assert problem(LEAF, MIDDLE, lists=[a_list(ROOT, MIDDLE), a_list(MIDDLE)]) == "'Middle' is revoked"
    assert problem(LEAF, MIDDLE, lists=lists[1:]) == "the revocation list of 'Root' is missing"
    other = built(called("Other"), None)
    assert problem(LEAF, MIDDLE, lists=[*lists, a_list(other, LEAF)]) == ""


@pytest.mark.parametrize(
    ("flawed", "why"),
    [
        ({"start": DAY}, "is of the future (2026-11-24)"),
        ({"start": -9 * DAY, "end": -2 * DAY}, "is out of date since 2026-11-21"),
        ({"key": ROOT.key}, "is not signed by it"),
        ({"number": None}, "has no number"),
        ({"more": [x509.DeltaCRLIndicator(1)]}, "holds a critical extension that is not known (2.5.29.27)"),
        ({"more": [scope(indirect_crl=True)]}, "is only a part of one"),
        ({"more": [scope(only_contains_attribute_certs=True)]}, "is only a part of one"),
        ({"more": [scope(reasons=frozenset([x509.ReasonFlags.key_compromise]))]}, "is only a part of one"),
        ({"more": [scope(only_contains_ca_certs=True)]}, "covers authorities alone"),
        ({"more": [scope(url=URL)]}, "is of another distribution point"),
    ],
)
def test_a_list_that_cannot_be_relied_on_is_none(flawed: dict[str, Any], why: str) -> None:
    lists = [a_list(ROOT), a_list(MIDDLE, **flawed)]
    assert problem(LEAF, MIDDLE, lists=lists) == f"the revocation list of 'Middle' {why}"
    assert problem(LEAF, MIDDLE, lists=[*lists, a_list(MIDDLE)]) == ""  # another one can be


def test_a_list_of_the_same_distribution_point_covers_the_certificate() -> None:
    leaf = built(called("leaf"), MIDDLE, leaf=True, points=[URL])
    for url, expected in ((URL, ""), (URL.upper(), "the revocation list of 'Middle' is of another distribution point")):
        assert problem(leaf, MIDDLE, lists=[a_list(ROOT), a_list(MIDDLE, more=[scope(url=url)])]) == expected
    users = [a_list(ROOT, more=[scope(only_contains_user_certs=True)]), a_list(MIDDLE)]
    assert problem(leaf, MIDDLE, lists=users) == "the revocation list of 'Root' does not cover authorities"


def test_a_list_that_names_one_twice_or_is_signed_by_who_may_not_is_none() -> None:
    lists = [a_list(ROOT), a_list(MIDDLE, ROOT, ROOT)]
    assert problem(LEAF, MIDDLE, lists=lists) == "the revocation list of 'Middle' names a certificate twice"
    mute = built(called("Mute"), ROOT, crl_sign=False)
    leaf = built(called("leaf"), mute, leaf=True)
    assert problem(leaf, mute, lists=[a_list(ROOT), a_list(mute)]) == (
        "the revocation list of 'Mute' is signed by a key that may not sign lists"
    )


def test_lists_are_read_from_der_and_from_several_in_pem() -> None:
    from cryptography.hazmat.primitives.serialization import Encoding

    lists = [a_list(ROOT), a_list(MIDDLE)]
    assert crl.load(lists[0].public_bytes(Encoding.DER)) == (lists[0],)
    assert crl.load(b"".join(one.public_bytes(Encoding.PEM) for one in lists)) == tuple(lists)
    with pytest.raises(ValueError, match="parsing"):
        crl.load(b"nothing")
