"""The parameters of the check ``dns``."""

from __future__ import annotations

from typing import Literal

from checks.contract import Params
from checks.dns.name import to_wire
from checks.dns.record import Type, normal
from checks.levels import Levels
from checks.net.reach import Family


class DnsParams(Params, frozen=True):
    """``name`` is what is asked for; ``type`` by default A, and NS for the root. ``expect`` are the records that must
    come, in any order; with ``only``, no others may. ``rcode`` is the expected response code: NXDOMAIN for a name that
    must not be. ``authoritative`` asks for an answer from the server's own zone, ``dnssec`` for one that the server has
    validated. Without ``recursion`` the server is asked for what it has itself. Over ``udp``, TCP is used when an
    answer is too long. ``levels`` are for the time in seconds."""

    name: str = "."
    type: Type | Literal[""] = ""
    expect: tuple[str, ...] = ()
    only: bool = True
    rcode: Literal["NOERROR", "NXDOMAIN", "REFUSED", "SERVFAIL"] = "NOERROR"
    authoritative: bool = False
    dnssec: bool = False
    recursion: bool = True
    transport: Literal["udp", "tcp"] = "udp"
    family: Family = "any"
    levels: Levels = Levels()

    def __post_init__(self) -> None:
        try:
            to_wire(self.name)
        except ValueError as error:
            raise ValueError(f"name {error}") from None
        try:
            self.expected()
        except ValueError as error:
            raise ValueError(f"expect: {error}") from None

    @property
    def asked(self) -> Type:
        """The type that is asked for."""
        return self.type or ("NS" if self.name == "." else "A")

    def expected(self) -> frozenset[str]:
        """``expect`` in the form in which answers come."""
        return frozenset(normal(self.asked, text) for text in self.expect)
