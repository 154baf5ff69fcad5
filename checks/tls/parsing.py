"""Certificates from bytes, by the library that reads them. Only the child process imports this."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, pkcs7, pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from checks.net.certificates import Certificate

ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.InvalidVersion)
"""What the library raises about certificates that it cannot read."""

_PEM: Final = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KINDS: Final = {
    "RSA": rsa.RSAPublicKey,
    "EC": ec.EllipticCurvePublicKey,
    "DSA": dsa.DSAPublicKey,
}


def parsed(one: x509.Certificate, *, sent: bool = True) -> Certificate:
    """A certificate's values. Raises one of UNREADABLE when it is malformed."""
    key, bits = _key(one)
    return Certificate(
        subject=called(one.subject) or next(iter(_names(one)), "no name"),
        issuer=called(one.issuer),
        serial=f"{one.serial_number:x}",
        fingerprint=one.fingerprint(hashes.SHA256()).hex(),
        not_before=one.not_valid_before_utc.timestamp(),
        not_after=one.not_valid_after_utc.timestamp(),
        names=_names(one),
        key=key,
        bits=bits,
        key_id=_key_id(one),
        signature=_signature(one),
        self_signed=issued(one, one),
        issuer_url=_issuer_url(one),
        sent=sent,
    )


def called(name: x509.Name) -> str:
    """What an operator calls it: the common name, else the whole name (RFC 4514)."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def extension(one: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """A certificate's extension of a kind; None without one. Raises ValueError when extensions are malformed."""
    try:
        return one.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_authority(one: x509.Certificate) -> bool:
    """Whether it says that it may sign others."""
    constraints = extension(one, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def issued(one: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate names another as its issuer, and is signed by its key."""
    try:
        one.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _names(one: x509.Certificate) -> tuple[str, ...]:
    names = extension(one, x509.SubjectAlternativeName)
    if names is None:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *map(str, addresses))


def _key(one: x509.Certificate) -> tuple[str, int]:
    try:
        key = one.public_key()
    except (UnsupportedAlgorithm, ValueError):  # a curve or parameters that the library does not take
        return one.public_key_algorithm_oid._name, 0  # public in no other way
    kind = next((name for name, known in _KINDS.items() if isinstance(key, known)), None)
    if kind is None:
        return type(key).__name__.removesuffix("PublicKey"), 0
    return kind, int(key.key_size)  # type: ignore[union-attr]  # each of _KINDS has it


def _key_id(one: x509.Certificate) -> str:
    try:
        public = one.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (UnsupportedAlgorithm, ValueError):
        return ""
    return hashlib.sha256(public).hexdigest()


def _signature(one: x509.Certificate) -> str:
    try:
        algorithm = one.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return one.signature_algorithm_oid.dotted_string
    return algorithm.name if algorithm else one.signature_algorithm_oid._name


def _issuer_url(one: x509.Certificate) -> str:
    access = extension(one, x509.AuthorityInformationAccess) or ()
    return next(
        (
            str(description.access_location.value)
            for description in access
            if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        ),
        "",
    )


def in_file(data: bytes, password: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a file in PEM (any number), DER, PKCS#12 or PKCS#7. Raises one of UNREADABLE when there is
    none."""
    if b"-----BEGIN CERTIFICATE-----" in data:
        return tuple(x509.load_pem_x509_certificates(data))
    readers: Sequence[Callable[[bytes], Sequence[x509.Certificate]]] = (
        lambda der: [x509.load_der_x509_certificate(der)],
        lambda der: _of_pkcs12(der, password),
        pkcs7.load_der_pkcs7_certificates,
        pkcs7.load_pem_pkcs7_certificates,
    )
    for read in readers:
        try:
            if found := tuple(read(data)):
                return found
        except UNREADABLE:
            continue
    raise ValueError("neither PEM, DER, PKCS#7 nor PKCS#12 that the password opens, or no certificate in it")


def _of_pkcs12(data: bytes, password: str) -> list[x509.Certificate]:
    held = pkcs12.load_pkcs12(data, password.encode() if password else None)
    return [found.certificate for found in (held.cert, *held.additional_certs) if found is not None]


def authorities(pem: bytes) -> tuple[x509.Certificate, ...]:
    """The certificates of a bundle that can be read: one that cannot must not make all others unknown."""
    found = []
    for block in _PEM.findall(pem):
        with contextlib.suppress(*UNREADABLE):
            found.append(x509.load_pem_x509_certificate(block))
    return tuple(found)


def path(sent: Sequence[x509.Certificate], anchors: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The first of the certificates and those who signed it, each the next, as far as they are at hand. A chain in any
    order, and with certificates that do not belong to it, is what servers send. It ends at an anchor where it can."""
    found = [*sent[:1]]
    while found and found[-1] not in anchors and not issued(found[-1], found[-1]):
        above = next((one for one in (*anchors, *sent) if one not in found and issued(found[-1], one)), None)
        if above is None:
            break
        found.append(above)
    return tuple(found)
