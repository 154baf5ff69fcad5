"""X.509 certificates as values (RFC 5280): who, for which names, from when until when, by which key. Pure, and without
the library that reads them: :mod:`checks.tls.examine` does, in a process of its own."""

from __future__ import annotations

import msgspec

_WEAK_HASHES = ("md2", "md4", "md5", "sha1")
_WEAK_BELOW = {"RSA": 2048, "EC": 224, "DSA": 1 << 20}  # bits; no client of today takes DSA


class Certificate(msgspec.Struct, frozen=True):
    """One certificate. Times are Unix seconds; ``fingerprint`` is SHA-256 and ``serial`` a number, both in hex.

    ``names`` are the DNS names in lower case and the addresses that it is for. ``key`` is the kind of key (RSA, EC,
    Ed25519, …) of ``bits`` bits, ``key_id`` the SHA-256 of its SubjectPublicKeyInfo; ``signature`` is the hash that was
    signed, or the kind of signature where that has none of its own. ``self_signed`` says that its own key signed it.
    ``issuer_url`` is where it says that its issuer's certificate can be had (authorityInfoAccess). ``sent`` says that
    the server, or the file, showed it: an anchor need not be."""

    subject: str
    issuer: str
    serial: str
    fingerprint: str
    not_before: float
    not_after: float
    names: tuple[str, ...]
    key: str
    bits: int
    key_id: str
    signature: str
    self_signed: bool
    issuer_url: str = ""
    sent: bool = True

    @property
    def instance(self) -> str:
        """Tells apart the certificates of a chain, and a renewed one from its predecessor."""
        return f"{self.subject} {self.fingerprint[:8]}"

    @property
    def weak_key(self) -> str:
        """The key in words when it can be broken, or is refused by clients of today; else empty (NIST SP 800-131A)."""
        return f"{self.key} of {self.bits} bits" if self.bits < _WEAK_BELOW.get(self.key, 0) else ""

    @property
    def weak_signature(self) -> str:
        """The hash by its name when signatures of it can be forged, else empty. Nobody relies on what a certificate
        says of itself."""
        return self.signature if self.signature in _WEAK_HASHES and not self.self_signed else ""
