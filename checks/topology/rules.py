"""What must hold of each entry of topology.yaml by itself: known words, unique ids, sound dates and prefixes."""

from __future__ import annotations

import ipaddress
import zoneinfo
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from checks.contract import host_port
from checks.errors import ObserverError
from checks.located import Document, Place
from checks.topology.model import Period
from checks.topology.written import NodeEntry, Template, Written, node_of


def examine(document: Document, written: Written) -> None:
    """Notes every broken rule in the document."""
    if written.province.timezone not in zoneinfo.available_timezones():
        known = zoneinfo.available_timezones()
        document.unknown(("province", "timezone"), "time zone", written.province.timezone, sorted(known))
    _unique(document, ("tiers",), written.tiers)
    _unique(document, ("categories",), written.categories)
    tiers = [tier.id for tier in written.tiers]
    categories = [category.id for category in written.categories]
    for name, template in written.templates.items():
        at: Place = ("templates", name)
        if template.tier not in tiers:
            document.unknown((*at, "tier"), "tier", template.tier, tiers)
        _parts(document, at, template, categories)
    known_ids = {entry.id for entry in written.nodes}
    for i, entry in enumerate(written.nodes):
        _node(document, ("nodes", i), entry, written, known_ids)
        _parts(document, ("nodes", i), entry, categories)


def _unique(document: Document, at: Place, items: Sequence[Any]) -> None:
    seen: set[str] = set()
    for i, item in enumerate(items):
        if item.id in seen:
            document.problem((*at, i, "id"), f"id {item.id!r} stands twice: rename one")
        seen.add(item.id)


def _parts(document: Document, at: Place, owner: Template | NodeEntry, categories: Sequence[str]) -> None:
    for part in ("offices", "links", "devices", "services"):
        _unique(document, (*at, part), getattr(owner, part))
    for i, office in enumerate(owner.offices):
        if office.category not in categories:
            document.unknown((*at, "offices", i, "category"), "category", office.category, categories)
        _dates(document, (*at, "offices", i), office.period)


def _dates(document: Document, at: Place, period: Period) -> None:
    if period.first >= period.end:
        document.problem((*at, "until"), f"until {period.until} is not after since {period.since}")


def _node(document: Document, at: Place, entry: NodeEntry, written: Written, known_ids: Collection[str]) -> None:
    _dates(document, at, Period(entry.since, entry.until))
    _references(document, at, entry, known_ids)
    _position(document, at, entry)
    _listeners(document, at, entry)
    sound = _prefix(document, at, entry)
    template = written.templates.get(entry.template)
    if template is None:
        document.unknown((*at, "template"), "template", entry.template, written.templates)
        return
    if sound:
        try:
            node_of(entry, template)
        except ValueError as error:
            document.problem(at, str(error))


def _references(document: Document, at: Place, entry: NodeEntry, known_ids: Collection[str]) -> None:
    for name, wanted in _wanted(entry):
        if wanted not in known_ids:
            document.unknown((*at, *name), "node", wanted, known_ids)
    if entry.became and entry.until is None:
        document.problem((*at, "became"), "what became of a node is known when it ends: write until beside it")
    if entry.measured_by == "parent" and entry.parent is None:
        document.problem((*at, "measured_by"), "measured by its parent, and has none: write self, or a node's id")


def _wanted(entry: NodeEntry) -> Iterable[tuple[Place, str]]:
    if entry.parent is not None:
        yield ("parent",), entry.parent
    if entry.measured_by not in (None, "self", "parent"):
        yield ("measured_by",), str(entry.measured_by)
    for i, successor in enumerate(entry.became):
        yield ("became", i), successor


def _position(document: Document, at: Place, entry: NodeEntry) -> None:
    if entry.at is None:
        return
    latitude, longitude = entry.at
    if not -90 <= latitude <= 90:
        document.problem((*at, "at"), f"latitude {latitude:g} is not in -90 to 90: expected [latitude, longitude]")
    if not -180 <= longitude <= 180:
        document.problem((*at, "at"), f"longitude {longitude:g} is not in -180 to 180: expected [latitude, longitude]")


def _listeners(document: Document, at: Place, entry: NodeEntry) -> None:
    for key, address in (("reflector", entry.reflector), ("traps", entry.traps)):
        try:
            if address:
                host_port(address)
        except ObserverError as error:
            document.problem((*at, key), error.summary.removeprefix("target "))


def _prefix(document: Document, at: Place, entry: NodeEntry) -> bool:
    """Whether the prefix is sound, or there is none."""
    if not entry.prefix:
        return True
    try:
        ipaddress.ip_network(entry.prefix)
    except ValueError:
        try:
            meant = f"did you mean {str(ipaddress.ip_network(entry.prefix, strict=False))!r}?"
        except ValueError:
            meant = "expected such as 10.58.1.0/24"
        document.problem((*at, "prefix"), f"{entry.prefix!r} is no prefix: {meant}")
        return False
    return True
