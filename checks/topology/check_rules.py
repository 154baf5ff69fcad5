"""What must hold of the checks that topology.yaml lists: they exist, know their parameters, and can be told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from checks import strict
from checks.contract import AnyCheck
from checks.located import Document, InvalidValueError, Place
from checks.topology.model import (
    FROM_PARENT,
    WITH_CENTRE,
    WITH_PARENT,
    CheckEntry,
    Device,
    Link,
    Probe,
    Service,
    checks_of,
)
from checks.topology.written import NodeEntry, Template, Written, node_of


def examine(document: Document, written: Written, checks: Mapping[str, AnyCheck]) -> None:
    """Notes every broken rule in the document."""
    owners: list[tuple[Place, Template | NodeEntry]] = [
        *((("templates", name), template) for name, template in written.templates.items()),
        *((("nodes", i), entry) for i, entry in enumerate(written.nodes)),
    ]
    for at, owner in owners:
        for place, entry in _entries(at, owner):
            _entry(document, place, entry, checks)
        if owner.probe is not None:
            _times(document, (*at, "probe"), owner.probe)
    for i, node in enumerate(written.nodes):
        _labels(document, ("nodes", i), node, written)


def _entries(at: Place, owner: Template | NodeEntry) -> Iterable[tuple[Place, CheckEntry]]:
    for i, entry in enumerate(owner.checks):
        yield (*at, "checks", i), entry
    kinds: Mapping[str, tuple[Device | Link | Service, ...]] = {
        "devices": owner.devices,
        "links": owner.links,
        "services": owner.services,
    }
    for part, things in kinds.items():
        for n, thing in enumerate(things):
            for i, entry in enumerate(thing.checks):
                yield (*at, part, n, "checks", i), entry


def _entry(document: Document, at: Place, entry: CheckEntry, checks: Mapping[str, AnyCheck]) -> None:
    _times(document, at, entry)
    check = checks.get(entry.check)
    if check is None:
        document.unknown((*at, "check"), "check", entry.check, checks)
    else:
        _params(document, at, entry, check)


def _params(document: Document, at: Place, entry: CheckEntry, check: AnyCheck) -> None:
    try:
        if entry.params:
            strict.convert(document, check.params, (*at, "params"), noun="parameter")
        else:
            check.params()  # what it cannot do without may be missing
    except InvalidValueError:
        return  # noted
    except (TypeError, ValueError) as error:
        document.problem(at, str(error))


def _times(document: Document, at: Place, entry: CheckEntry | Probe) -> None:
    if entry.deadline is not None and entry.deadline >= entry.interval:
        document.problem(
            (*at, "deadline"), f"deadline {entry.deadline:g} s: expected less than the interval, {entry.interval:g} s"
        )
    if entry.retry is not None and entry.retry > entry.interval:
        document.problem(
            (*at, "retry"), f"retry {entry.retry:g} s: expected at most the interval, {entry.interval:g} s"
        )


def _labels(document: Document, at: Place, entry: NodeEntry, written: Written) -> None:
    """A job's id is node/check/label, so a node's checks need a target and labels that differ."""
    template = written.templates.get(entry.template)
    if template is None:
        return  # noted
    try:
        node = node_of(entry, template)
    except ValueError:
        return  # noted
    taken = {
        ("ping", FROM_PARENT): "the probe by its parent",
        ("stamp", WITH_CENTRE): "its session with the centre",
        ("stamp", WITH_PARENT): "its session with its parent",
    }
    for bound in checks_of(node):
        check, owner = bound.entry.check, bound.owner or "its own agent"
        key = (check, bound.label)
        if key in taken:
            both = f"both of {owner}" if taken[key] == owner else f"of {taken[key]} and of {owner}"
            document.problem(at, f"two jobs {node.id}/{check}/{bound.label}, {both}: give one a label")
        taken[key] = owner
        if bound.owner and not bound.target:
            document.problem(at, f"{owner}, check {check}: no target: give the {owner.split()[0]} an address")
