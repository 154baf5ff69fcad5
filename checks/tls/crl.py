"""Revocation lists: whether one may be relied on for a certificate, and whether it is on it (RFC 5280, sections 5 and
6.3; CA/Browser Forum Baseline Requirements 7.2.2 for partitioned lists). Pure."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import re
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm

from checks.tls.parsing import called, extension, is_authority

_PEM: Final = re.compile(b"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Revocation:
    """What lists say of a chain: the certificates that are ``revoked``, and why nothing is known of another."""

    revoked: tuple[x509.Certificate, ...] = ()
    unknown: str = ""


def load(data: bytes) -> tuple[x509.CertificateRevocationList, ...]:
    """The lists in a file: one in DER, or any number in PEM. Raises ValueError when there is none."""
    blocks = _PEM.findall(data)
    found = tuple(map(x509.load_pem_x509_crl, blocks)) if blocks else (x509.load_der_x509_crl(data),)
    return tuple(crl for crl in found if crl.next_update_utc is not None)  # which a list must have (5.1.2.5)


def revocation(
    chain: Sequence[x509.Certificate], lists: Sequence[x509.CertificateRevocationList], at: datetime.datetime
) -> Revocation:
    """What lists say at a time of a chain, leaf first, its anchor aside. Each needs a list of its issuer."""
    revoked = []
    for one, issuer in itertools.pairwise(chain):
        flaws = []
        for crl in lists:
            if crl.issuer != one.issuer:
                continue
            flaw = _flaw(crl, issuer, one, at)
            if flaw:
                flaws.append(flaw)
            elif crl.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
                revoked.append(one)
                break
            else:
                break
        else:
            why = flaws[0] if flaws else "is missing"
            return Revocation(tuple(revoked), f"the revocation list of {called(one.issuer)!r} {why}")
    return Revocation(tuple(revoked))


def _flaw(
    crl: x509.CertificateRevocationList, issuer: x509.Certificate, one: x509.Certificate, at: datetime.datetime
) -> str:
    """Why a list cannot be relied on for a certificate; empty when it can."""
    assert crl.next_update_utc is not None
    if at < crl.last_update_utc:
        return f"is of the future ({crl.last_update_utc:%Y-%m-%d})"
    if at > crl.next_update_utc:
        return f"is out of date since {crl.next_update_utc:%Y-%m-%d}"
    try:
        return _unsigned(crl, issuer) or _malformed(crl) or _beside(crl, one)
    except ValueError as error:
        return f"cannot be read: {error}"


def _unsigned(crl: x509.CertificateRevocationList, issuer: x509.Certificate) -> str:
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return "is signed by a key that may not sign lists"
    try:
        genuine = crl.is_signature_valid(issuer.public_key())  # type: ignore[arg-type]  # refused by TypeError
    except (TypeError, InvalidSignature, UnsupportedAlgorithm):
        genuine = False
    return "" if genuine else "is not signed by it"


def _malformed(crl: x509.CertificateRevocationList) -> str:
    for found in crl.extensions:
        if found.critical and not isinstance(found.value, x509.IssuingDistributionPoint):
            return f"holds a critical extension that is not known ({found.oid.dotted_string})"
    if not any(isinstance(found.value, x509.CRLNumber) for found in crl.extensions):
        return "has no number"
    serials = [entry.serial_number for entry in crl]
    return "names a certificate twice" if len(set(serials)) < len(serials) else ""


def _beside(crl: x509.CertificateRevocationList, one: x509.Certificate) -> str:
    """Why a list does not cover a certificate (section 6.3.3 b 2)."""
    try:
        scope = crl.extensions.get_extension_for_class(x509.IssuingDistributionPoint).value
    except x509.ExtensionNotFound:
        return ""
    if scope.indirect_crl or scope.only_some_reasons or scope.relative_name or scope.only_contains_attribute_certs:
        return "is only a part of one"
    if scope.only_contains_user_certs and is_authority(one):
        return "does not cover authorities"
    if scope.only_contains_ca_certs and not is_authority(one):
        return "covers authorities alone"
    if not scope.full_name:
        return ""
    points = extension(one, x509.CRLDistributionPoints) or ()
    wanted = [name for point in points for name in point.full_name or ()]
    plain = all(isinstance(name, x509.UniformResourceIdentifier) for name in (*scope.full_name, *wanted))
    return "" if plain and set(wanted) & set(scope.full_name) else "is of another distribution point"
