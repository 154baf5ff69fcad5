"""Path validation by RFC 5280 and the Baseline Requirements that browsers hold public authorities to. Pure.

The library builds and validates the path; what it lets pass is looked at here: revocation lists, and a few musts that
it leaves to others."""

from __future__ import annotations

import dataclasses
import datetime
import ipaddress
import re
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.verification import PolicyBuilder, Store, Subject, VerificationError

from checks.tls import crl
from checks.tls.names import ascii_name
from checks.tls.parsing import called, extension


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The path, leaf first and anchor last, or the ``problem`` for which there is none."""

    chain: tuple[x509.Certificate, ...] = ()
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Rules:
    """What a path is validated by: the ``anchors``, a time, how many intermediates at most (None: the library's 8), and
    revocation lists, of which there must then be one for each authority."""

    anchors: Sequence[x509.Certificate]
    at: datetime.datetime
    depth: int | None = None
    lists: Sequence[x509.CertificateRevocationList] = ()


def validate(leaf: x509.Certificate, others: Sequence[x509.Certificate], name: str, rules: Rules) -> Verdict:
    """The verdict on a server's certificate for a name, with the other certificates that it sent."""
    builder = PolicyBuilder().time(rules.at)
    if rules.depth is not None:
        builder = builder.max_chain_depth(rules.depth)
    try:
        verifier = builder.store(Store(list(rules.anchors))).build_server_verifier(_subject(name))
        chain = tuple(verifier.verify(leaf, list(others)))
    except (VerificationError, ValueError, UnsupportedAlgorithm) as error:
        return Verdict(problem=_plain(str(error)))
    problem = _lacking(chain)
    if rules.lists and not problem:
        found = crl.revocation(chain, rules.lists, rules.at)
        problem = f"{called(found.revoked[0].subject)!r} is revoked" if found.revoked else found.unknown
    return Verdict(chain, problem)


def _subject(name: str) -> Subject:
    known = ascii_name(name)
    try:
        return x509.IPAddress(ipaddress.ip_address(known))
    except ValueError:
        return x509.DNSName(known)


def _plain(text: str) -> str:
    """The library's reason without its frame."""
    text = re.sub(r" \(encountered processing .*", "", text, flags=re.DOTALL)
    text = re.sub(r"^(validation failed: |candidates exhausted: )+", "", text)
    return re.sub(r"\b\d+(?:\.\d+){2,}\b", lambda oid: x509.ObjectIdentifier(oid[0])._name, text)  # "keyUsage"


def _lacking(chain: Sequence[x509.Certificate]) -> str:
    """What RFC 5280 or the Baseline Requirements ask for that the library does not."""
    if zero := next((one for one in chain[:-1] if one.serial_number <= 0), None):
        return f"the serial number of {called(zero.subject)!r} is not positive (RFC 5280, 4.1.2.2)"
    for one in chain:
        key = one.public_key()
        if isinstance(key, rsa.RSAPublicKey) and key.key_size % 8:
            return f"the key of {called(one.subject)!r} has {key.key_size} bits, which 8 does not divide (BR 6.1.5)"
    for authority in chain[1:]:
        own = extension(authority, x509.SubjectKeyIdentifier)
        above = extension(authority, x509.AuthorityKeyIdentifier)
        whose = called(authority.subject)
        if own is None:
            return f"authority {whose!r} has no subject key identifier (RFC 5280, 4.2.1.2)"
        if authority.subject != authority.issuer and above is None:
            return f"authority {whose!r} has no authority key identifier (RFC 5280, 4.2.1.1)"
        if authority.subject == authority.issuer and above and above.key_identifier not in (None, own.digest):
            return f"the key identifiers of authority {whose!r} differ, though it signed itself (BR 7.1.2.1.3)"
    return ""
