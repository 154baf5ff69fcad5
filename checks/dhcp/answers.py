"""Frames to answers: who offers what on the LAN. Pure; no frame makes it raise."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Network
from typing import Final, TypeVar

from checks.contract import Address
from checks.dhcp import format4, format6, frame

_NOBODY: Final = IPv4Address(0)
_CIRCUIT: Final = 1  # a suboption of relay agent information (RFC 3046, section 3.1)


@dataclasses.dataclass(frozen=True)
class Question:
    """What tells apart the answers to us from those to others: the MAC address that we ask with, and the transaction
    ids."""

    mac: bytes
    xid4: int
    xid6: int

    @classmethod
    def made(cls, random: Callable[[int], bytes], mac: bytes) -> Question:
        """With transaction ids from a source of random bytes."""
        return cls(mac, int.from_bytes(random(4), "big"), int.from_bytes(random(3), "big"))

    @property
    def discover(self) -> bytes:
        """The DHCPv4 question."""
        return format4.discover(self.xid4, self.mac)

    @property
    def solicit(self) -> bytes:
        """The DHCPv6 question."""
        return format6.solicit(self.xid6, self.mac)


def random_mac(random: Callable[[int], bytes]) -> bytes:
    """A locally administered unicast MAC address (IEEE 802, section 8.4)."""
    first, *rest = random(6)
    return bytes((first & 0xFC | 0x02, *rest))


@dataclasses.dataclass(frozen=True)
class Offer:
    """What a DHCPv4 server offers. ``server`` is its identifier. ``mac`` sent the frame (the relay's where there is
    one), ``relay`` is giaddr, ``circuit`` the relay's circuit id in hex, should it have left that in. ``lease`` in
    seconds. ``after`` is the seconds from the question; None when the answer was to somebody else, overheard."""

    server: IPv4Address
    mac: str
    relay: IPv4Address | None
    offered: IPv4Interface
    routers: tuple[IPv4Address, ...]
    dns: tuple[IPv4Address, ...]
    lease: int | None
    circuit: str
    after: float | None


@dataclasses.dataclass(frozen=True)
class Offer6:
    """What a DHCPv6 server offers; ``server`` is its DUID in hex, ``source`` where it answers from, ``lease`` the
    shortest valid lifetime in seconds."""

    server: str
    mac: str
    source: Address
    addresses: tuple[IPv6Address, ...]
    prefixes: tuple[IPv6Network, ...]
    dns: tuple[IPv6Address, ...]
    lease: int | None
    refusal: format6.Status | None
    after: float | None


@dataclasses.dataclass(frozen=True)
class Router:
    """Who advertises itself as a router. ``lifetime`` in seconds as the default router, 0 when it is none."""

    source: Address
    mac: str
    lifetime: int
    prefixes: tuple[IPv6Network, ...]
    dns: tuple[IPv6Address, ...]


@dataclasses.dataclass(frozen=True)
class Answers:
    """Everything heard in a window, each server and router once. ``dropped`` frames were not looked at."""

    offers: tuple[Offer, ...] = ()
    offers6: tuple[Offer6, ...] = ()
    routers: tuple[Router, ...] = ()
    dropped: int = 0

    @property
    def servers(self) -> tuple[Offer | Offer6, ...]:
        """Of both families."""
        return (*self.offers, *self.offers6)


def collect(frames: Iterable[tuple[float, bytes]], question: Question, dropped: int = 0) -> Answers:
    """The answers among frames, given with the seconds since the question. Of several answers of one server from one
    MAC address through one relay, the first to us counts, else the first to others. Frames of other VLANs are not
    looked at."""
    offers: list[Offer] = []
    offers6: list[Offer6] = []
    routers: list[Router] = []
    for after, data in frames:
        packet = frame.unwrap(data)
        if packet is None or packet.vlan:
            continue
        if packet.protocol == frame.ICMP6:
            advertisement = format6.parse_advertisement(packet.payload, packet.hops)
            if advertisement is not None:
                routers.append(_router(packet, advertisement))
            continue
        datagram = frame.datagram(packet)
        if datagram is None:
            continue
        if packet.source.version == 4 and datagram.destination_port == format4.CLIENT_PORT:
            offers += _offer(packet, format4.parse(datagram.payload), question, after)
        elif packet.source.version == 6 and datagram.destination_port == format6.CLIENT_PORT:
            offers6 += _offer6(packet, format6.parse(datagram.payload), question, after)
    return Answers(
        _once(offers, lambda offer: (offer.server, offer.mac, offer.relay), lambda offer: offer.after is None),
        _once(offers6, lambda offer: (offer.server, offer.mac), lambda offer: offer.after is None),
        _once(routers, lambda router: (router.source, router.mac), lambda _: False),
        dropped,
    )


def _offer(packet: frame.Packet, message: format4.Message | None, question: Question, after: float) -> list[Offer]:
    """A message without a type is plain BOOTP's, which a client may take for an offer (RFC 1534)."""
    if message is None or not message.is_reply or message.kind not in (None, format4.OFFER, format4.ACK, format4.NAK):
        return []
    source = packet.source if isinstance(packet.source, IPv4Address) else _NOBODY
    to_us = (message.xid, message.chaddr) == (question.xid4, question.mac) and message.kind in (None, format4.OFFER)
    return [
        Offer(
            message.server or (message.siaddr if message.siaddr != _NOBODY else source),
            frame.mac_text(packet.mac),
            message.giaddr if message.giaddr != _NOBODY else None,
            message.offered,
            message.routers,
            message.dns,
            message.lease,
            message.relay_information.get(_CIRCUIT, b"").hex(),
            after if to_us else None,
        )
    ]


def _offer6(
    packet: frame.Packet, message: format6.Message | format6.Relayed | None, question: Question, after: float
) -> list[Offer6]:
    if not isinstance(message, format6.Message) or message.kind not in (format6.ADVERTISE, format6.REPLY):
        return []
    to_us = (message.xid, message.client) == (question.xid6, format6.duid(question.mac))
    return [
        Offer6(
            message.server.hex(),
            frame.mac_text(packet.mac),
            packet.source,
            message.addresses,
            message.prefixes,
            message.dns,
            min(message.valid_lifetimes, default=None),
            message.refusal,
            after if to_us else None,
        )
    ]


def _router(packet: frame.Packet, said: format6.Advertisement) -> Router:
    return Router(packet.source, frame.mac_text(packet.mac), said.lifetime, said.prefixes, said.dns)


T = TypeVar("T")


def _once(found: list[T], key: Callable[[T], object], later: Callable[[T], bool]) -> tuple[T, ...]:
    """One of each key, in the order of coming; of those that are not to come later, if any."""
    first: dict[object, T] = {}
    for one in sorted(found, key=later):
        first.setdefault(key(one), one)
    return tuple(first.values())
