"""The parameters of the check ``tls``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from checks.contract import Params, Secret
from checks.levels import Levels
from checks.tls.names import ascii_name
from checks.tls.starttls import Protocol

Version = Literal["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"]


class TlsParams(Params, frozen=True):
    """``server_name`` is the name asked for and verified (default: the target's host). ``levels`` are in days left, for
    each certificate; ``steps`` are days left too, and reaching each is an event. With ``verify`` off, name and trust
    are not judged: for devices that sign for themselves.

    ``ca_file`` (PEM) holds the authorities to trust in place of the host's, ``crl_file`` their revocation lists.
    ``strict`` also holds the chain to RFC 5280 and to what browsers ask of authorities; by default only where the
    host's authorities are trusted, since private ones seldom keep to it. ``starttls`` is the protocol that begins in
    clear. ``min_version`` and ``min_bits`` are the least that may be agreed on; with ``refuse_older``, the server is
    asked whether it still takes less; with ``staple``, for a stapled OCSP response, which takes TLS 1.2. ``password``
    opens a PKCS#12 file."""

    server_name: str = ""
    ca_file: str = ""
    crl_file: str = ""
    verify: bool = True
    strict: bool | None = None
    starttls: Protocol = ""
    min_version: Version = "TLSv1.2"
    min_bits: Annotated[int, msgspec.Meta(ge=0, le=256)] = 128
    refuse_older: bool = False
    staple: bool = False
    levels: Levels = Levels(warn=30, crit=7)
    steps: tuple[float, ...] = (30, 14, 7, 1)
    password: Secret = ""

    @property
    def strictly(self) -> bool:
        """``strict``, or its default."""
        return not self.ca_file if self.strict is None else self.strict

    def __post_init__(self) -> None:
        if self.server_name:
            ascii_name(self.server_name)
