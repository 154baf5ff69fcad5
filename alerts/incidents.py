"""From alerts to incidents: one open incident a cause. Pure: ``(rule, board, transitions, …) → (board', changes)``.

Where an alert belongs is worked out anew each time from what holds now (:mod:`alerts.causes`), so the order in which
parent and child were noticed does not matter, and a restart cannot lose a suppression. What history decides is kept on
the incident: its id, and whether it *waits*, which is when nobody may be told of it yet:

- a cut-off node waits up to ``parent_grace`` until its parent has answered after the failure began (then the failure
  is its own), or is found cut off too (then its alerts move there);
- when a cause ends while nodes behind it are still bad, their alerts get incidents of their own that wait until they
  have been measured again after that end. A measurement from before says nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from alerts.causes import Evidence, Province, causes, counts, parent_unproven, unreachable
from alerts.messages import title
from alerts.model import (
    Alert,
    Incident,
    Rule,
    Severity,
    TimelineEvent,
    TimelineKind,
    Transition,
    TransitionKind,
    Verdict,
)

WAITS_FOR_PARENT = "the node above has not been probed since the failure began"
WAITS_FOR_PROBE = "not measured again since the cause above ended"
RECOVERY = "recovery"
MERGE = "merge"


class IncidentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``parent_grace``: for how many seconds a cut-off node waits for its parent's verdict, and how much later than
    its child a parent may be seen to fail and still be the cause."""

    parent_grace: float = 30.0


class Board(msgspec.Struct, frozen=True):
    """The open incidents by their node, and the hard alerts by key. Each alert is in exactly one incident."""

    alerts: Mapping[str, Alert] = {}
    incidents: Mapping[str, Incident] = {}


@dataclass(frozen=True)
class Settled:
    """``changed`` are the incidents that are not as they were, the closed ones among them."""

    board: Board
    changed: tuple[Incident, ...]
    timeline: tuple[TimelineEvent, ...]


@dataclass(frozen=True)
class _World:
    """What every incident is worked out from. ``since`` are the cut-off nodes, ``was`` the node of the incident that
    held an alert until now."""

    rule: IncidentRule
    province: Province
    evidence: Evidence
    since: Mapping[str, int]
    was: Mapping[str, str]
    now: int


def settle(
    rule: IncidentRule,
    board: Board,
    transitions: Sequence[Transition],
    *,
    province: Province,
    evidence: Evidence,
    next_id: Callable[[], str],
    now: int,
) -> Settled:
    """Puts every hard alert into the incident of its cause, opening and closing incidents as needed. ``next_id`` is
    called once for each that opens, in a fixed order. Call it after new transitions, and with none as time passes."""
    alerts = _applied(board.alerts, transitions)
    since = unreachable(alerts.values(), evidence)
    was = {alert.key: node for node, incident in board.incidents.items() for alert in incident.alerts}
    world = _World(rule, province, evidence, since, was, now)
    members = _members(alerts, world)
    opening = sorted(members.keys() - board.incidents.keys(), key=lambda node: (_began(members[node]), node))
    incidents = {
        **board.incidents,
        **{node: _opened(next_id(), node, members[node], now) for node in opening},
    }
    incidents = {node: _as_now(incident, members.get(node, ()), world) for node, incident in incidents.items()}
    owner = {alert.key: incident.id for incident in incidents.values() for alert in incident.alerts}
    incidents = {node: _closed(incident, board.incidents.get(node), owner, now) for node, incident in incidents.items()}
    changed = tuple(i for node, i in incidents.items() if i != board.incidents.get(node))
    timeline = _timeline(board, incidents, transitions, owner, now)
    still_open = {node: i for node, i in incidents.items() if i.closed_at is None}
    return Settled(Board(alerts, still_open), changed, timeline)


def _applied(alerts: Mapping[str, Alert], transitions: Sequence[Transition]) -> dict[str, Alert]:
    now = dict(alerts)
    for transition in transitions:
        if transition.kind in (TransitionKind.HARD, TransitionKind.CHANGED):
            now[transition.alert.key] = transition.alert
        elif transition.kind is TransitionKind.RECOVERED:
            now.pop(transition.alert.key, None)
    return now


def _members(alerts: Mapping[str, Alert], world: _World) -> dict[str, list[Alert]]:
    """The alerts of each cause, in order of key."""
    cause = causes(world.since, world.province, world.evidence, round(world.rule.parent_grace * 1000))
    members: dict[str, list[Alert]] = {}
    for _, alert in sorted(alerts.items()):
        home = cause[alert.node] if counts(alert, world.evidence) else alert.node
        members.setdefault(home, []).append(alert)
    return members


def _began(alerts: Sequence[Alert]) -> int:
    return min(alert.since for alert in alerts)


def _opened(incident_id: str, node: str, alerts: Sequence[Alert], now: int) -> Incident:
    """An incident with its identity alone; what it says is worked out next."""
    return Incident(incident_id, node, Verdict.FAULT, Severity.INFO, "", "", _began(alerts), now, now)


def _as_now(incident: Incident, alerts: Sequence[Alert], world: _World) -> Incident:
    """What an incident says, given the alerts that it holds now."""
    if not alerts:
        return msgspec.structs.replace(incident, alerts=(), waits="")
    verdict = _verdict(incident.node, alerts, world)
    cut_off = {alert.node for alert in alerts} & world.since.keys()
    title_vi, title_en = title(verdict, incident.node, world.province.name_of(incident.node), alerts)
    shown = msgspec.structs.replace(
        incident,
        verdict=verdict,
        verdict_at=incident.verdict_at if verdict is incident.verdict else world.now,
        severity=_severity(verdict, alerts),
        title=title_vi,
        title_en=title_en,
        since=min(incident.since, _began(alerts)),
        alerts=tuple(alerts),
        offices=sum(world.province.offices_of(node) for node in cut_off),
        not_before=max(incident.not_before, _released_at(incident.node, alerts, world)),
    )
    return msgspec.structs.replace(shown, waits=_waits(shown, world))


def _verdict(node: str, alerts: Sequence[Alert], world: _World) -> Verdict:
    if node not in world.since:
        return Verdict.FAULT
    probed = any(a.node == node and a.rule is Rule.JOB and counts(a, world.evidence) for a in alerts)
    return Verdict.DOWN if probed else Verdict.SILENT


def _severity(verdict: Verdict, alerts: Sequence[Alert]) -> Severity:
    """The worst of the alerts; a node that is down is critical whatever they say."""
    if verdict is Verdict.DOWN:
        return Severity.CRITICAL
    return max((alert.severity for alert in alerts), key=lambda severity: severity.rank)


def _released_at(node: str, alerts: Sequence[Alert], world: _World) -> int:
    """When the causes ended that these alerts of the node were behind until now; 0 when there were none."""
    former = {world.was.get(alert.key, node) for alert in alerts if alert.node == node} - {node}
    return max((world.evidence.answered_at(cause) or world.now for cause in former), default=0)


def _waits(incident: Incident, world: _World) -> str:
    fresh = any(world.evidence.measured_at(alert) >= incident.not_before for alert in incident.alerts)
    if incident.not_before and not fresh:
        return WAITS_FOR_PROBE
    began = world.since.get(incident.node)
    if began is None or world.now >= incident.verdict_at + world.rule.parent_grace * 1000:
        return ""
    return WAITS_FOR_PARENT if parent_unproven(incident.node, began, world.province, world.evidence) else ""


def _closed(incident: Incident, before: Incident | None, owner: Mapping[str, str], now: int) -> Incident:
    """Ends an incident that holds nothing any more: by recovery, or because another took what it held of its node."""
    if incident.alerts or before is None:
        return incident
    taken = sorted({owner[a.key] for a in before.alerts if a.node == incident.node and a.key in owner})
    by, reason = (MERGE, taken[0]) if taken else (RECOVERY, "")
    return msgspec.structs.replace(incident, closed_at=now, closed_by=by, closed_reason=reason)


def _timeline(
    board: Board,
    incidents: Mapping[str, Incident],
    transitions: Sequence[Transition],
    owner: Mapping[str, str],
    now: int,
) -> tuple[TimelineEvent, ...]:
    events: list[TimelineEvent] = []
    was = {alert.key: incident.id for incident in board.incidents.values() for alert in incident.alerts}
    for node, incident in incidents.items():
        before = board.incidents.get(node)
        events += _turns(before, incident, now)
        events += [
            TimelineEvent(incident.id, now, TimelineKind.MOVED, f"{alert.key} belongs to {owner[alert.key]}")
            for alert in (before.alerts if before else ())
            if owner.get(alert.key, incident.id) != incident.id
        ]
        if incident.closed_at is not None:
            text = f"{incident.closed_by} {incident.closed_reason}".rstrip()
            events.append(TimelineEvent(incident.id, now, TimelineKind.CLOSED, text))
    for step in transitions:
        kind = _KINDS.get(step.kind)
        held = owner.get(step.alert.key) or was.get(step.alert.key)
        if kind is not None and held is not None:
            events.append(TimelineEvent(held, step.at, kind, f"{step.alert.key}: {step.alert.summary}"))
    # An incident's first line is its opening and its last its closing, whatever happened in the same moment.
    return tuple(sorted(events, key=lambda e: (e.incident, _ORDER.get(e.kind, 1))))


_ORDER = {TimelineKind.OPENED: 0, TimelineKind.CLOSED: 2}
_KINDS = {
    TransitionKind.HARD: TimelineKind.ALERT,
    TransitionKind.CHANGED: TimelineKind.CHANGED,
    TransitionKind.RECOVERED: TimelineKind.RECOVERED,
}


def _turns(before: Incident | None, incident: Incident, now: int) -> list[TimelineEvent]:
    """The opening of an incident, or the turns that its verdict and severity took."""
    if before is None:
        return [TimelineEvent(incident.id, now, TimelineKind.OPENED, incident.title_en)]
    turns = []
    if before.verdict is not incident.verdict:
        turns.append(TimelineEvent(incident.id, now, TimelineKind.VERDICT, incident.title_en))
    if before.severity is not incident.severity:
        text = f"{before.severity.value} → {incident.severity.value}"
        turns.append(TimelineEvent(incident.id, now, TimelineKind.SEVERITY, text))
    return turns
