"""X.509 certificates as values (RFC 5280): who, for which names, from when until when, signed by whom. Pure."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Iterable, Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID


@dataclasses.dataclass(frozen=True)
class Certificate:
    """One certificate. Times are Unix seconds; ``fingerprint`` is SHA-256 and ``serial`` a number, both in hex;
    ``names`` are the DNS names in lower case and the addresses that it is for."""

    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_before: float
    not_after: float
    names: tuple[str, ...]
    x509: x509.Certificate = dataclasses.field(repr=False, compare=False)

    @property
    def instance(self) -> str:
        """Tells apart the certificates of a chain, and a renewed one from its predecessor."""
        return f"{self.subject} {self.fingerprint[:8]}"

    def signed(self, other: Certificate) -> bool:
        """Whether this certificate's key signed the other, or itself."""
        try:
            other.x509.verify_directly_issued_by(self.x509)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return True


def parse(chain: Iterable[bytes]) -> tuple[Certificate, ...]:
    """Certificates from DER. Raises ValueError."""
    return tuple(_parse(der) for der in chain)


def _parse(der: bytes) -> Certificate:
    certificate = x509.load_der_x509_certificate(der)
    return Certificate(
        subject=_called(certificate.subject),
        issuer=_called(certificate.issuer),
        serial=f"{certificate.serial_number:x}",
        fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
        not_before=certificate.not_valid_before_utc.timestamp(),
        not_after=certificate.not_valid_after_utc.timestamp(),
        names=_names(certificate),
        x509=certificate,
    )


def _called(name: x509.Name) -> str:
    """What an operator calls it: the common name, else the whole name (RFC 4514)."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[0].value) if common else name.rfc4514_string()


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*(name.lower() for name in names.get_values_for_type(x509.DNSName)), *map(str, addresses))


def matches(name: str, names: Iterable[str]) -> bool:
    """Whether one of a certificate's names is this one (RFC 9525, section 6.3): an address as it is; a DNS name without
    regard to case, where ``*`` stands for one whole left-most label. The common name does not count."""
    try:
        wanted = str(ipaddress.ip_address(name))
    except ValueError:
        wanted = name.rstrip(".").encode("idna").decode().lower()
        _, dot, rest = wanted.partition(".")
        return any(known in (wanted, f"*.{rest}" if dot else wanted) for known in names)
    return wanted in names


def path(sent: Sequence[Certificate]) -> tuple[Certificate, ...]:
    """The leaf and, as far as the server sent them, those who signed it, each the next. A chain in any order, and with
    certificates that do not belong to it, is what servers send."""
    found = [*sent[:1]]
    while found and not found[-1].signed(found[-1]):
        above = next((one for one in sent if one not in found and one.signed(found[-1])), None)
        if above is None:
            break
        found.append(above)
    return tuple(found)
