"""How interfaces and sessions stand, as facts: what happens to one changes its fact, and that is an event. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from checks.snmp import mib
from checks.snmp.points import Reading, Relation
from checks.snmp.tables import Interface

_JITTER: Final = 60.0
"""Seconds by which a session may seem to have come up later than before and was not reset: devices have caches."""


class Standing(msgspec.Struct, frozen=True):
    """A session that is up. ``uptime`` is seconds as the device told them at ``at`` (monotonic s); ``since`` is when it
    came up, as it was first told, so that it stays the same while clocks drift."""

    uptime: float
    at: float
    since: str


Standings = Mapping[str, Standing]
"""By the OID of a session's state."""


def interface_facts(interfaces: Iterable[Interface]) -> dict[str, str]:
    """``interface NAME`` → up, down, disabled or another ifOperStatus, where the device can tell."""
    return {f"interface {one.name}": word for one in interfaces if (word := _word(one))}


def _word(interface: Interface) -> str:
    if interface.admin == mib.DOWN:
        return "disabled"
    word = mib.OPER_STATUS.get(interface.oper, "unknown")
    return "" if word == "unknown" else word


def standings(readings: Iterable[Reading], before: Standings, at: float, now: int) -> dict[str, Standing]:
    """The sessions that are up and tell since when. ``at`` is the moment of the reading by the monotonic clock, in s,
    ``now`` the same in Unix ms."""
    return {one.oid: _standing(since, before.get(one.oid), at, now) for one, since in _up(readings)}


def _up(readings: Iterable[Reading]) -> Iterator[tuple[Relation, float]]:
    for one in readings:
        if isinstance(one, Relation) and one.severity == "ok" and one.since is not None:
            yield one, one.since


def _standing(uptime: float, before: Standing | None, at: float, now: int) -> Standing:
    if before is not None and uptime >= max(before.uptime, before.uptime + at - before.at - _JITTER):
        return Standing(uptime, at, before.since)
    came_up = datetime.datetime.fromtimestamp(round(now / 1000 - uptime), datetime.UTC)
    return Standing(uptime, at, came_up.strftime("%Y-%m-%dT%H:%MZ"))


def session_facts(readings: Iterable[Reading], up: Standings) -> dict[str, str]:
    """``bgp 10.0.0.1`` → its state and, while it is up, since when: a session that was reset between two runs is up in
    both, but since another time."""
    facts: dict[str, str] = {}
    for one in readings:
        if isinstance(one, Relation):
            word = one.word if one.wanted else f"{one.word}, disabled"
            facts[f"{one.kind} {one.name}"] = f"{word} since {up[one.oid].since}" if one.oid in up else word
    return facts
