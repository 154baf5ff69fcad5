"""What a stapled OCSP response says of a certificate, and whether it may be relied on (RFC 6960). Pure."""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from checks.tls.examined import Staple
from checks.tls.parsing import extension, issued

_WORDS = {
    ocsp.OCSPCertStatus.GOOD: "good",
    ocsp.OCSPCertStatus.REVOKED: "revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}


def read(der: bytes, leaf: x509.Certificate, issuer: x509.Certificate | None, at: datetime.datetime) -> Staple:
    """The staple of a certificate at a time. Without one (empty) there is a problem only when the certificate demands
    it (RFC 7633)."""
    if not der:
        demanded = extension(leaf, x509.TLSFeature) is not None
        return Staple(problem="is missing, though the certificate demands one" if demanded else "")
    try:
        response = ocsp.load_der_ocsp_response(der)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            return Staple(problem=f"says {response.response_status.name.lower().replace('_', ' ')}")
        return _judged(response, leaf, issuer, at)
    except (ValueError, UnsupportedAlgorithm) as error:
        return Staple(problem=f"cannot be read: {error}")


def _judged(
    response: ocsp.OCSPResponse, leaf: x509.Certificate, issuer: x509.Certificate | None, at: datetime.datetime
) -> Staple:
    until = response.next_update_utc
    ends = until.timestamp() if until is not None else None
    if response.serial_number != leaf.serial_number:
        return Staple(problem="is about another certificate", until=ends)
    if issuer is None or not _genuine(response, issuer):
        return Staple(problem="is not signed by the certificate's authority", until=ends)
    if at < response.this_update_utc:
        return Staple(problem=f"is of the future ({response.this_update_utc:%Y-%m-%d})", until=ends)
    if until is not None and at > until:
        return Staple(problem=f"is out of date since {until:%Y-%m-%d}", until=ends)
    return Staple(status=_WORDS[response.certificate_status], until=ends)


def _genuine(response: ocsp.OCSPResponse, issuer: x509.Certificate) -> bool:
    """Whether the issuer signed it, or one whom it has charged with that (section 4.2.2.2)."""
    charged = [one for one in response.certificates if issued(one, issuer) and _may_sign(one)]
    return any(_signed(response, one) for one in (issuer, *charged))


def _may_sign(one: x509.Certificate) -> bool:
    usage = extension(one, x509.ExtendedKeyUsage)
    return usage is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usage


def _signed(response: ocsp.OCSPResponse, one: x509.Certificate) -> bool:
    key, algorithm = one.public_key(), response.signature_hash_algorithm
    try:
        if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm is not None:
            key.verify(response.signature, response.tbs_response_bytes, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
