"""Which addresses a person allowed to be asked."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from checks.contract import Address, Network

MAX_ADDRESSES: Final = 1 << 16
"""Of one run: an IPv4 /16, an IPv6 /112."""


class ScopeError(ValueError):
    """Prefixes that are not swept. The message says which, and what to name instead."""


class Scope(msgspec.Struct, frozen=True):
    """Prefixes, none inside another."""

    prefixes: tuple[Network, ...]

    def __contains__(self, address: Address) -> bool:
        return any(address.version == prefix.version and address in prefix for prefix in self.prefixes)

    @property
    def size(self) -> int:
        """How many addresses there are to ask, at most."""
        return sum(prefix.num_addresses for prefix in self.prefixes)

    def addresses(self) -> Iterator[Address]:
        """Those that a host may have: without each prefix's network and broadcast address."""
        for prefix in self.prefixes:
            yield from prefix.hosts()


def scope_of(prefixes: Sequence[str]) -> Scope:
    """The scope of prefixes or single addresses. Raises ScopeError."""
    found = list(dict.fromkeys(_prefix(text) for text in prefixes))
    scope = Scope(tuple(one for one in found if not any(_inside(one, other) for other in found)))
    if scope.size > MAX_ADDRESSES:
        raise ScopeError(
            f"{', '.join(map(str, scope.prefixes))}: {scope.size:,} addresses, more than the {MAX_ADDRESSES:,} "
            "(a /16, of IPv6 a /112) of one run: name the prefixes that are in use; "
            "what lies behind them, --follow finds by LLDP and CDP"
        )
    return scope


def _prefix(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        try:
            meant = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ScopeError(f"{text!r} is no prefix: expected one such as 10.58.1.0/24, or an address") from error
    raise ScopeError(
        f"{text!r} is an address within a prefix: did you mean {meant}, or {text.partition('/')[0]} alone?"
    )


def _inside(one: Network, other: Network) -> bool:
    """Whether a prefix is a part of another one."""
    if one == other or one.version != other.version:
        return False
    return one.network_address in other and one.prefixlen > other.prefixlen
