"""The words of alerting: alert, transition, incident, timeline. Frozen values that msgspec can store; no I/O.

Times are Unix ms. An *alert* is a condition that holds on one subject; an *incident* is the alerts that share a cause.
"""

from __future__ import annotations

import enum

import msgspec


class Severity(enum.Enum):
    """How bad, in order: INFO < WARNING < MAJOR < CRITICAL (the words of ITU-T X.733, and INFO)."""

    INFO = "info"
    WARNING = "warning"
    MAJOR = "major"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for INFO to 3 for CRITICAL."""
        return _SEVERITY_RANK[self]


_SEVERITY_RANK = {severity: rank for rank, severity in enumerate(Severity)}


class Rule(enum.Enum):
    """Which rule raised an alert."""

    JOB = "job"
    """A job's results say that its target is not well."""
    OBSERVER = "observer"
    """A job cannot be run: nothing is known of its target."""
    SILENCE = "silence"
    """No live report comes from an agent."""


class Phase(enum.Enum):
    """SOFT: seen, waits to be confirmed, tells nobody. HARD: confirmed."""

    SOFT = "soft"
    HARD = "hard"


class Alert(msgspec.Struct, frozen=True):
    """A condition that holds on one subject.

    ``key`` names the condition and never changes while it holds. ``node`` is the node it is held against: the measured
    one, or for OBSERVER that of the agent which could not measure. ``since`` is when the condition was first seen.
    ``unreachable_since`` is the begin of the unbroken run of results without any answer; None where the target answers.
    """

    key: str
    rule: Rule
    node: str
    job: str | None
    severity: Severity
    phase: Phase
    since: int
    summary: str
    reason: str = ""
    unreachable_since: int | None = None


class TransitionKind(enum.Enum):
    """What became of an alert."""

    SOFT = "soft"
    """A condition was seen, or an unconfirmed one became worse or better."""
    CLEARED = "cleared"
    """It went away before it was confirmed."""
    HARD = "hard"
    """It was confirmed."""
    CHANGED = "changed"
    """A confirmed alert is now worse or better than it was."""
    RECOVERED = "recovered"
    """A confirmed alert ended."""


class Transition(msgspec.Struct, frozen=True):
    """A step of an alert: the alert as it is now (as it was last, when it ended), and when by the measurement."""

    kind: TransitionKind
    alert: Alert
    at: int


class FactChanged(msgspec.Struct, frozen=True):
    """A string that identifies a target is another than before: an event, not an alert."""

    node: str
    job: str
    at: int
    fact: str
    before: str
    after: str


class Verdict(enum.Enum):
    """What an incident says of its node."""

    DOWN = "down"
    """Probes of the node go unanswered, and nothing of it has answered since they began to."""
    SILENT = "silent"
    """Its agent sends nothing, and nothing of it has answered since; no probe has failed either."""
    FAULT = "fault"
    """Something at the node is not well; the node itself is there."""


class Incident(msgspec.Struct, frozen=True):
    """The alerts that share a cause. ``node`` is the cause's.

    ``alerts`` are the hard ones that it holds now, those of nodes behind the cause among them; empty once closed.
    ``offices`` is how many offices its unreachable nodes have. ``since`` is when the first condition was seen,
    ``opened_at`` when it was confirmed, ``verdict_at`` when the present verdict was reached. ``closed_by`` is
    ``recovery``, ``merge`` (``closed_reason`` is the incident that took its alerts), or a person, with a reason.
    While ``waits`` is not empty nobody is told yet, and it says what for. ``not_before``: the cause that this was
    behind ended then, and only a later measurement may tell people. ``retroactive``: found in backfilled data.
    """

    id: str
    node: str
    verdict: Verdict
    severity: Severity
    title: str
    title_en: str
    since: int
    opened_at: int
    verdict_at: int
    alerts: tuple[Alert, ...] = ()
    offices: int = 0
    waits: str = ""
    not_before: int = 0
    closed_at: int | None = None
    closed_by: str = ""
    closed_reason: str = ""
    retroactive: bool = False

    @property
    def behind(self) -> tuple[str, ...]:
        """The nodes that are cut off behind the cause, in order of name."""
        return tuple(sorted({alert.node for alert in self.alerts} - {self.node}))


class TimelineKind(enum.Enum):
    """What happened in an incident."""

    OPENED = "opened"
    ALERT = "alert"
    CHANGED = "changed"
    RECOVERED = "recovered"
    MOVED = "moved"
    VERDICT = "verdict"
    SEVERITY = "severity"
    FACT = "fact"
    CLOSED = "closed"


class TimelineEvent(msgspec.Struct, frozen=True):
    """One line of an incident's timeline. Kept apart from the incident, which would grow with every flap."""

    incident: str
    at: int
    kind: TimelineKind
    text: str
