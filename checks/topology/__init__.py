"""topology.yaml → the province: typed, dated, and checked whole before anybody uses it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from checks import located, strict
from checks.contract import AnyCheck
from checks.located import Document, InvalidValueError, Problem, StrictError
from checks.topology import check_rules, rules, tree_rules
from checks.topology.model import (
    CheckEntry,
    Device,
    Link,
    Node,
    Office,
    Period,
    Probe,
    Province,
    Service,
    Word,
    checks_of,
)
from checks.topology.register import Register, RegisteredOffice, Topology
from checks.topology.written import Written, node_of

__all__ = [
    "CheckEntry",
    "Device",
    "Link",
    "Node",
    "Office",
    "Period",
    "Probe",
    "Province",
    "Register",
    "RegisteredOffice",
    "Service",
    "Topology",
    "TopologyError",
    "Word",
    "checks_of",
    "load",
    "loads",
]


class TopologyError(StrictError):
    """The topology cannot be used. ``problems`` holds every mistake; ``str`` is a line for each."""


def load(path: Path, checks: Mapping[str, AnyCheck]) -> Topology:
    """The topology in a file; ``checks`` are those that it may name. Raises TopologyError."""
    try:
        return _build(located.read(path), checks)
    except OSError as error:
        raise TopologyError([Problem(str(path), 1, 1, "", f"cannot be read: {error.strerror}")]) from error
    except StrictError as error:
        raise TopologyError(error.problems) from error


def loads(text: str, file: str, checks: Mapping[str, AnyCheck]) -> Topology:
    """The topology in a text; ``file`` names it in messages. Raises TopologyError."""
    try:
        return _build(located.compose(text, file), checks)
    except StrictError as error:
        raise TopologyError(error.problems) from error


def _build(document: Document, checks: Mapping[str, AnyCheck]) -> Topology:
    """First all mistakes of form, which hide others; then all of meaning."""
    try:
        written = strict.convert(document, Written)
    except InvalidValueError:
        document.finish()
        raise AssertionError("an invalid value without a problem") from None
    rules.examine(document, written)
    check_rules.examine(document, written, checks)
    document.finish()
    nodes = tuple(node_of(entry, written.templates[entry.template]) for entry in written.nodes)
    tree_rules.examine(document, nodes)
    document.finish()
    return Topology(written.province, written.tiers, written.categories, nodes)
