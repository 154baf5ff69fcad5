"""What the child process is asked of certificates, and what it answers. Values alone."""

from __future__ import annotations

import msgspec

from checks.net.certificates import Certificate


class Asked(msgspec.Struct, frozen=True):
    """Certificates as a server ``sent`` them (DER, leaf first), or a ``file`` with its ``password``; those that a
    handshake's verification ``used``; the name they should be for; and the time, in Unix seconds.

    With ``trust`` and nothing used, a path is sought to the authorities of ``ca_file`` (empty: the host's). With
    ``strict`` the path is validated by RFC 5280 too. ``staple`` is what the server stapled (empty: nothing), None when
    it was not asked."""

    at: float
    name: str = ""
    sent: tuple[bytes, ...] = ()
    used: tuple[bytes, ...] = ()
    file: bytes = b""
    password: str = ""
    trust: bool = False
    ca_file: str = ""
    crl_file: str = ""
    strict: bool = False
    staple: bytes | None = None


class Staple(msgspec.Struct, frozen=True):
    """A stapled OCSP response: its ``status`` ("good", "revoked", "unknown"; empty when there is none to rely on), the
    ``problem`` with it, and when it ends, Unix seconds."""

    status: str = ""
    problem: str = ""
    until: float | None = None


class Examined(msgspec.Struct, frozen=True, tag=True):
    """The ``chain``, leaf first, as verification used it or as far as it is at hand; the other certificates, ``spare``;
    whether the chain ends at one that is trusted. ``objection`` is why strict clients would refuse it, ``revoked`` are
    the names of those that are, ``unknown`` why that is not known of all. Good until ``until``, Unix seconds."""

    chain: tuple[Certificate, ...]
    spare: tuple[Certificate, ...] = ()
    anchored: bool = False
    objection: str = ""
    revoked: tuple[str, ...] = ()
    unknown: str = ""
    staple: Staple | None = None
    until: float = float("inf")


class Failed(msgspec.Struct, frozen=True, tag=True):
    """Why they cannot be examined: "malformed", "ca-file" or "crl-file", and in words."""

    reason: str
    text: str
