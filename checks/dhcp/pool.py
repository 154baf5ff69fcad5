"""Pools of addresses, and how full they are, whoever says so. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from checks.findings import Finding


@dataclasses.dataclass(frozen=True)
class Pool:
    """What a server may give in a subnet, and what it has given. ``subnet`` is the name that the server has for it: an
    id, an address, a range. ``gives`` is "addresses" or "prefixes"."""

    subnet: str
    total: int
    used: int
    gives: str = "addresses"

    @property
    def percent(self) -> float:
        """The part in use; 0 of a pool with nothing in it."""
        return 100 * self.used / self.total if self.total else 0.0

    @property
    def full(self) -> bool:
        """Whether there is nothing left; a pool with nothing in it is not meant to give."""
        return 0 < self.total <= self.used


@dataclasses.dataclass(frozen=True)
class Pools:
    """The pools that are known, and why others are not: findings of the observer's faults."""

    known: Sequence[Pool] = ()
    troubles: Sequence[Finding] = ()
