"""What the API and the page show: frozen values, made anew for each answer. Times are Unix ms, 0 for never."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

StateWord = Literal["OK", "WARN", "UNKNOWN", "CRIT"]
ReachWord = Literal["connected", "down", "unobserved"]
CertificateRole = Literal["server", "chain", "unused"]
"""A server's own, one that signed it, or one that is sent and not needed."""


@dataclass(frozen=True)
class ShareView:
    """Offices of a part of the province: how many are required, and how they are. ``percent`` is strict and rounded
    down (connected ÷ required), None where none is required."""

    id: str
    vi: str
    en: str
    required: int
    connected: int
    down: int
    unobserved: int
    percent: float | None


@dataclass(frozen=True)
class CoverageView:
    """Coverage at one moment."""

    at: int
    total: ShareView
    by_tier: list[ShareView]
    by_branch: list[ShareView]
    by_category: list[ShareView]


@dataclass(frozen=True)
class NodeView:
    """A node in a list. ``state`` is the worst of its jobs, ``reach`` whether traffic passes. ``branch`` is the node
    right under the root that it stands behind. ``simulated`` marks a node whose far end is not real."""

    id: str
    name: str
    tier: str
    parent: str | None
    branch: str | None
    code: str
    lat: float | None
    lon: float | None
    offices: int
    reach: ReachWord
    state: StateWord
    proven_at: int
    measured_by: str
    simulated: bool = False


@dataclass(frozen=True)
class MetricView:
    """A number as last measured."""

    name: str
    instance: str
    value: float
    unit: str


@dataclass(frozen=True)
class JobView:
    """The newest measurement of a job; ``at`` 0 when it has not run yet. ``stale`` when it should have run since."""

    id: str
    check: str
    label: str
    target: str
    measured_by: str
    interval: float
    state: StateWord
    reason: str
    summary: str
    answered: bool
    at: int
    since: int
    stale: bool
    facts: dict[str, str] = field(default_factory=dict)
    metrics: list[MetricView] = field(default_factory=list)


@dataclass(frozen=True)
class OfficeView:
    """An office that must be connected."""

    id: str
    name: str
    category: str


@dataclass(frozen=True)
class LinkView:
    """A link of a node."""

    id: str
    kind: str
    role: str
    to: str
    provider: str


@dataclass(frozen=True)
class EventView:
    """A line of an incident's timeline."""

    at: int
    kind: str
    text: str


@dataclass(frozen=True)
class AlertView:
    """A condition that holds within an incident."""

    node: str
    job: str
    severity: str
    summary: str
    since: int


@dataclass(frozen=True)
class IncidentView:
    """Alerts that share a cause. ``behind`` are the other nodes cut off by it."""

    id: int
    node: str
    node_name: str
    title: str
    severity: str
    opened_at: int
    closed_at: int | None
    closed_by: str
    offices: int
    behind: list[str] = field(default_factory=list)
    alerts: list[AlertView] = field(default_factory=list)
    timeline: list[EventView] = field(default_factory=list)
    title_en: str = ""


@dataclass(frozen=True)
class FactChangeView:
    """A string that identifies a target, seen by ``job`` to be another than before: a certificate, a DHCP server, a
    path, a configuration."""

    at: int
    node: str
    node_name: str
    job: str
    fact: str
    before: str
    after: str


@dataclass(frozen=True)
class CertificateView:
    """A certificate that ``jobs`` see, last at ``seen_at``; it ends at ``not_after``. ``id`` is its name with the begin
    of its ``fingerprint``. ``issuer`` and ``key`` are known of a server's own."""

    id: str
    subject: str
    fingerprint: str
    role: CertificateRole
    not_after: int
    issuer: str
    key: str
    seen_at: int
    jobs: list[str]


@dataclass(frozen=True)
class GapView:
    """Measurements that an agent had and lost, of the time from ``start`` to ``end``. ``count`` 0: nobody knows how
    many."""

    agent: str
    start: int
    end: int
    count: int
    why: str


@dataclass(frozen=True)
class ConfigView:
    """The configuration of a device: the newest ``version`` (a hash), when it was first seen, and who made it, where
    the device tells; which version was approved, when, by whom and why; and how they differ, as lines of a diff."""

    job: str
    version: str
    at: int
    by: str
    approved: str
    decided_at: int
    approver: str
    why: str
    difference: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class VersionView:
    """A version in a configuration's history, as in :class:`ConfigView`."""

    version: str
    at: int
    by: str


@dataclass(frozen=True)
class NodePage:
    """All of a node. ``gaps`` are those of its own agent."""

    node: NodeView
    offices: list[OfficeView]
    links: list[LinkView]
    jobs: list[JobView]
    children: list[NodeView]
    incidents: list[IncidentView]
    gaps: list[GapView] = field(default_factory=list)
    changes: list[FactChangeView] = field(default_factory=list)
    configs: list[ConfigView] = field(default_factory=list)


@dataclass(frozen=True)
class Overview:
    """The front page. ``day`` is the register's, YYYY-MM-DD. ``simulated`` says in words what is not real; empty when
    all is."""

    at: int
    province: str
    province_en: str
    day: str
    root: str
    simulated: str
    coverage: CoverageView
    nodes: list[NodeView]
    incidents: list[IncidentView]
    agents_reporting: int
    agents_expected: int


@dataclass(frozen=True)
class SeriesView:
    """One series over time: ``at`` in Unix ms and ``values``, of one length."""

    check: str
    label: str
    metric: str
    instance: str
    unit: str
    at: list[int]
    values: list[float]
