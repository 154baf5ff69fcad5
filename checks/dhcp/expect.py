"""What an operator says must be so on a LAN, and whether an answer is so."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

import msgspec

from checks.dhcp.answers import Offer, Offer6, Router
from checks.findings import Finding
from checks.model import State

_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}", re.IGNORECASE)
_DUID: Final = re.compile(r"([0-9a-f]{2}:?){4,130}", re.IGNORECASE)


class Expect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What DHCPv4 must be like. ``servers`` are the identifiers of those that may answer: without them anyone may, and
    with an empty list none. ``macs`` are the MAC addresses that they may answer from (the relay's where there is one).
    ``relay``, ``router`` and ``dns`` are addresses, ``prefix`` a network; what is left out is not looked at."""

    servers: tuple[str, ...] | None = None
    macs: tuple[str, ...] = ()
    relay: str = ""
    router: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    prefix: str = ""

    def __post_init__(self) -> None:
        _all("servers", self.servers or (), 4)
        _all("relay", [self.relay] if self.relay else [], 4)
        _all("router", self.router, 4)
        _all("dns", self.dns, 4)
        _macs(self.macs)
        _network(self.prefix, 4)

    def permits(self, offer: Offer) -> bool:
        """Whether this server may answer here."""
        known = self.servers is None or offer.server in _parsed(self.servers)
        return known and (not self.macs or offer.mac in _lower(self.macs))


class Expect6(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What IPv6 must be like: ``servers`` are DUIDs in hex or link-local addresses, ``routers`` link-local addresses:
    without them anyone may answer, and with an empty list none. Servers that are named must answer. ``macs`` are the
    MAC addresses that either may have; offers and advertised prefixes must lie in ``prefix``."""

    servers: tuple[str, ...] | None = None
    routers: tuple[str, ...] | None = None
    macs: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    prefix: str = ""

    def __post_init__(self) -> None:
        for server in self.servers or ():
            if not _DUID.fullmatch(server):
                _all("servers", [server], 6, "a DUID in hex or an IPv6 address")
        _all("routers", self.routers or (), 6)
        _all("dns", self.dns, 6)
        _macs(self.macs)
        _network(self.prefix, 6)

    def permits(self, offer: Offer6) -> bool:
        """Whether this server may answer here."""
        known = self.servers is None or bool({offer.server, str(offer.source)} & _names(self.servers))
        return known and self._has_mac(offer.mac)

    def permits_router(self, router: Router) -> bool:
        """Whether this router may advertise itself here."""
        known = self.routers is None or str(router.source) in _names(self.routers)
        return known and self._has_mac(router.mac)

    def _has_mac(self, mac: str) -> bool:
        return not self.macs or mac in _lower(self.macs)


def check_mac(key: str, mac: str) -> None:
    """Raises ValueError unless a text is a MAC address."""
    if not _MAC.fullmatch(mac):
        raise ValueError(f"{key} {mac!r}: expected a MAC address such as 02:00:5e:10:00:01")


def _macs(macs: Iterable[str]) -> None:
    for mac in macs:
        check_mac("macs", mac)


def _all(key: str, values: Iterable[str], version: int, wanted: str = "") -> None:
    for value in values:
        try:
            right = ipaddress.ip_address(value).version == version
        except ValueError:
            right = False
        if not right:
            raise ValueError(f"{key} {value!r}: expected {wanted or f'an IPv{version} address'}")


def _network(value: str, version: int) -> None:
    try:
        right = not value or ipaddress.ip_network(value).version == version
    except ValueError:
        right = False
    if not right:
        example = "10.61.3.0/24" if version == 4 else "2001:db8:61::/48"
        raise ValueError(f"prefix {value!r}: expected an IPv{version} network such as {example}")


def _parsed(values: Iterable[str]) -> set[IPv4Address | IPv6Address]:
    return {ipaddress.ip_address(value) for value in values}


def _lower(values: Iterable[str]) -> set[str]:
    return {value.lower() for value in values}


def _names(values: Iterable[str]) -> set[str]:
    """DUIDs as plain hex, addresses as they are written."""
    return {
        value.replace(":", "").lower() if _DUID.fullmatch(value) else str(ipaddress.ip_address(value))
        for value in values
    }


def compare(offer: Offer, expect: Expect) -> list[Finding]:
    """What is wrong with the offer of a server that may answer."""
    who = f"DHCP server {offer.server}"
    found = [_listed(who, "router", offer.routers, expect.router), _listed(who, "dns", offer.dns, expect.dns)]
    if expect.relay and str(offer.relay) != expect.relay:
        how = f"through relay {offer.relay}" if offer.relay else "without a relay"
        text = f"{who} answers {how}: expected through {expect.relay}"
        found.append(Finding(State.WARN, "wrong-relay", text))
    if expect.prefix and offer.offered.network != ipaddress.ip_network(expect.prefix):
        text = f"{who} offers {offer.offered}: expected an address of {expect.prefix}"
        found.append(Finding(State.CRIT, "wrong-prefix", text))
    return [finding for finding in found if finding is not None]


def compare6(offer: Offer6, expect: Expect6) -> list[Finding]:
    """What is wrong with the offer of a DHCPv6 server that may answer."""
    who = f"DHCPv6 server {offer.source}"
    found = [_listed(who, "dns", offer.dns, expect.dns)]
    offered: Sequence[IPv6Address | IPv6Network] = (*offer.addresses, *offer.prefixes)
    found.append(_inside(who, "offers", [ipaddress.IPv6Network(one) for one in offered], expect.prefix))
    if offer.refusal is not None and not offered:
        said = f": {offer.refusal.words}" if offer.refusal.words else ""
        text = f"{who} has nothing to offer (status {offer.refusal.code}{said})"
        found.append(Finding(State.CRIT, "no-offer", text))
    return [finding for finding in found if finding is not None]


def compare_router(router: Router, expect: Expect6) -> list[Finding]:
    """What is wrong with the advertisement of a router that may advertise itself."""
    who = f"router {router.source}"
    found = [_inside(who, "advertises", router.prefixes, expect.prefix)]
    if router.dns:
        found.append(_listed(who, "dns", router.dns, expect.dns))
    return [finding for finding in found if finding is not None]


_WORDS: Final = {"router": "router", "dns": "DNS server"}


def _listed(who: str, what: str, said: Sequence[IPv4Address | IPv6Address], wanted: Sequence[str]) -> Finding | None:
    """One that is not wanted is CRIT, for it may lead traffic astray; that some, but not all, are missing is WARN."""
    if not wanted:
        return None
    strange = set(said) - _parsed(wanted)
    missing = _parsed(wanted) - set(said)
    if not strange and not missing:
        return None
    state = State.CRIT if strange or not said else State.WARN
    offers = f"{_WORDS[what]} {', '.join(map(str, said))}" if said else f"no {_WORDS[what]}"
    return Finding(state, f"wrong-{what}", f"{who} offers {offers}: expected {', '.join(wanted)}")


def _inside(who: str, verb: str, said: Iterable[IPv6Network], prefix: str) -> Finding | None:
    if not prefix:
        return None
    outside = [one for one in said if not one.subnet_of(ipaddress.IPv6Network(prefix))]
    if not outside:
        return None
    listed = ", ".join(str(one).removesuffix("/128") for one in outside)
    return Finding(State.CRIT, "wrong-prefix", f"{who} {verb} {listed}: expected within {prefix}")
