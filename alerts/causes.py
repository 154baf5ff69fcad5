"""Which nodes are cut off, and behind whom. Pure: alerts, evidence and topology to a cause for each alert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from alerts.model import Alert


@dataclass(frozen=True)
class Province:
    """What alerting needs of the topology, by node id: the parent (None at the top, and for a node that is not known
    any more), the name for people, and how many offices the node has."""

    parent_of: Callable[[str], str | None]
    name_of: Callable[[str], str]
    offices_of: Callable[[str], int]


@dataclass(frozen=True)
class Evidence:
    """What was last proven. ``answered_at``: when anything of a node last answered, None if it never did.
    ``measured_at``: when the condition of a hard alert was last seen to hold."""

    answered_at: Callable[[str], int | None]
    measured_at: Callable[[Alert], int]


def unreachable(alerts: Iterable[Alert], evidence: Evidence) -> dict[str, int]:
    """The nodes that are cut off, and since when: those with an alert without any answer, unless something of the
    node answered after that began."""
    since: dict[str, int] = {}
    for alert in alerts:
        if counts(alert, evidence):
            began = alert.unreachable_since or 0
            since[alert.node] = min(began, since.get(alert.node, began))
    return since


def counts(alert: Alert, evidence: Evidence) -> bool:
    """Whether an alert says that its node is cut off, and nothing contradicts it."""
    if alert.unreachable_since is None:
        return False
    answered = evidence.answered_at(alert.node)
    return answered is None or answered <= alert.unreachable_since


def causes(since: Mapping[str, int], province: Province, evidence: Evidence, window: int) -> dict[str, str]:
    """The cause of each cut-off node: itself, or the ancestor that it is behind.

    An ancestor is the cause when it is cut off too, and began to be so before the node did, or at most ``window`` ms
    after (they are not probed in the same moment). One that answered after the node's failure began proves that the
    failure is below it. A cause may have a cause.
    """
    found: dict[str, str] = {}

    def cause(node: str) -> str:
        if node not in found:
            found[node] = node
            above = _above(node, since, province, evidence, window)
            found[node] = node if above is None else cause(above)
        return found[node]

    return {node: cause(node) for node in since}


def _above(node: str, since: Mapping[str, int], province: Province, evidence: Evidence, window: int) -> str | None:
    above = province.parent_of(node)
    while above is not None:
        if above in since:
            if since[above] <= since[node] + window:
                return above
        elif (evidence.answered_at(above) or 0) > since[node]:
            return None
        above = province.parent_of(above)
    return None


def parent_unproven(node: str, since: int, province: Province, evidence: Evidence) -> bool:
    """Whether the nearest ancestor of which anything is known has not answered since the node's failure began.
    False when nothing was ever known of any: there is nothing to wait for."""
    above = province.parent_of(node)
    while above is not None:
        answered = evidence.answered_at(above)
        if answered is not None:
            return answered <= since
        above = province.parent_of(above)
    return False
