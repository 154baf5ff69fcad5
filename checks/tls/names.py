"""Whether a certificate is for a name. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable


def ascii_name(name: str) -> str:
    """A name as certificates write it: an address in its shortest form, a DNS name in lower case and in ASCII (IDNA).
    Raises ValueError when it is neither."""
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        pass
    try:
        found = name.rstrip(".").encode("idna").decode().lower()
    except UnicodeError as error:
        raise ValueError(f"{name!r} is no DNS name: {error}") from error
    if not found:
        raise ValueError(f"{name!r} is no DNS name: it is empty")
    return found


def matches(name: str, names: Iterable[str]) -> bool:
    """Whether one of a certificate's names is this one (RFC 9525, section 6.3): an address as it is; a DNS name without
    regard to case, where ``*`` stands for one whole left-most label. The common name does not count.
    Raises ValueError when it is no name."""
    wanted = ascii_name(name)
    if _is_address(wanted):
        return wanted in names
    _, dot, rest = wanted.partition(".")
    return any(known in (wanted, f"*.{rest}" if dot else wanted) for known in names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
