"""Whom to tell, and whom not, and why: notification as a list of stages, each with one reason to mute. Then delivery.

What ought to be told is worked out from how an incident *is* and what was told of it before, at every tick, never from
an event that could be missed. Every decision is kept as a :class:`Notification`. Its id (incident, kind, severity) is
its identity: whoever stores it inserts it before it is delivered, and delivers those left PENDING after a restart. So
people are told at least once, and twice only when the process dies between a delivery and its record.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from alerts.incidents import MERGE
from alerts.messages import Message, NoticeKind
from alerts.model import Incident, Severity


class Told(msgspec.Struct, frozen=True):
    """What people know of an incident: the worst severity told, None when nothing was. ``last`` is the newest
    decision, so that the same one is not recorded every second."""

    severity: Severity | None = None
    last: str = ""


class Notice(msgspec.Struct, frozen=True):
    """What ought to be told now of an incident."""

    kind: NoticeKind
    incident: Incident


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``floor`` is the least severity that people are told of."""

    floor: Severity = Severity.WARNING


class Status(enum.Enum):
    """Where a notification is. MUTED never leaves; PENDING is to be delivered; PARTIAL reached some, FAILED none."""

    MUTED = "muted"
    PENDING = "pending"
    SENT = "sent"
    PARTIAL = "partial"
    FAILED = "failed"


class Delivery(msgspec.Struct, frozen=True):
    """What became of a notification at one destination: ``errors`` of the attempts that failed, oldest first, and
    when one succeeded."""

    channel: str
    errors: tuple[str, ...] = ()
    sent_at: int | None = None


class Notification(msgspec.Struct, frozen=True):
    """A decision about one notice. ``stage`` and ``reason`` say who muted it and why; empty when nobody did."""

    id: str
    incident: str
    kind: NoticeKind
    severity: Severity
    at: int
    status: Status
    stage: str = ""
    reason: str = ""
    deliveries: tuple[Delivery, ...] = ()


Stage = Callable[[Policy, Notice, Told], str]
"""The reason to mute a notice, or "" to let it pass."""


def _live(_policy: Policy, notice: Notice, _told: Told) -> str:
    return "found in backfilled data, which never pages" if notice.incident.retroactive else ""


def _cause(_policy: Policy, notice: Notice, _told: Told) -> str:
    incident = notice.incident
    if incident.closed_by == MERGE:
        return f"behind the cause of {incident.closed_reason}"
    return incident.waits


def _dedup(_policy: Policy, notice: Notice, told: Told) -> str:
    if notice.kind is NoticeKind.CLOSED:
        return "nobody was told that it opened" if told.severity is None else ""
    return "told before" if told.severity is not None and told.severity.rank >= notice.incident.severity.rank else ""


def _severity(policy: Policy, notice: Notice, _told: Told) -> str:
    if notice.kind is NoticeKind.CLOSED or notice.incident.severity.rank >= policy.floor.rank:
        return ""
    return f"{notice.incident.severity.value} is below the floor of {policy.floor.value}"


STAGES: tuple[tuple[str, Stage], ...] = (
    ("live", _live),
    ("cause", _cause),
    ("dedup", _dedup),
    ("severity", _severity),
)


def decide(
    policy: Policy, told: Mapping[str, Told], incidents: Iterable[Incident], now: int
) -> tuple[dict[str, Told], tuple[Notification, ...]]:
    """What to tell of these incidents (all open ones, and those closed since the last call), given what was told.
    Returns the new memory and the new decisions; a muted notice is asked again at the next call."""
    memory, decisions = dict(told), []
    for incident in incidents:
        known = memory.get(incident.id, Told())
        notice = _wanted(incident, known)
        if notice is not None:
            decision = _decision(policy, notice, known, now)
            summary = f"{decision.id} {decision.stage} {decision.reason}"
            if decision.status is Status.PENDING:
                known = Told(incident.severity, summary)
            if summary != memory.get(incident.id, Told()).last:
                decisions.append(decision)
            memory[incident.id] = msgspec.structs.replace(known, last=summary)
        if incident.closed_at is not None:
            memory.pop(incident.id, None)
    return memory, tuple(decisions)


def _wanted(incident: Incident, told: Told) -> Notice | None:
    if incident.closed_at is not None:
        return Notice(NoticeKind.CLOSED, incident)
    if told.severity is None:
        return Notice(NoticeKind.OPENED, incident)
    if incident.severity.rank > told.severity.rank:
        return Notice(NoticeKind.RISEN, incident)
    return None


def _decision(policy: Policy, notice: Notice, told: Told, now: int) -> Notification:
    incident = notice.incident
    muted = ((name, stage(policy, notice, told)) for name, stage in STAGES)
    stage, reason = next(((name, why) for name, why in muted if why), ("", ""))
    return Notification(
        id=f"{incident.id}/{notice.kind.value}/{incident.severity.value}",
        incident=incident.id,
        kind=notice.kind,
        severity=incident.severity,
        at=now,
        status=Status.MUTED if reason else Status.PENDING,
        stage=stage,
        reason=reason,
    )


class NotifyError(Exception):
    """A destination did not take a message. The text names the destination without its secrets, and says why."""


class Notifier(Protocol):
    """One destination. ``name`` is fit for a log."""

    @property
    def name(self) -> str: ...

    async def send(self, message: Message, kind: NoticeKind, severity: Severity, /) -> None:
        """Hands a message over. Raises NotifyError."""
        ...


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``attempts`` in all; the first wait is ``first`` seconds, each next ``factor`` times longer, at most ``most``."""

    attempts: int = 6
    first: float = 1.0
    factor: float = 3.0
    most: float = 300.0

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures (1 or more)."""
        return min(self.most, self.first * self.factor ** (failures - 1))


async def deliver(
    notification: Notification,
    message: Message,
    notifiers: Sequence[Notifier],
    retry: Retry,
    *,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Notification:
    """Sends a PENDING notification to every destination, each with its own retries, and returns it with what became
    of it. Raises nothing of theirs. ``now`` gives Unix ms."""
    deliveries = await asyncio.gather(
        *(_deliver(notification, message, n, retry, now=now, sleep=sleep) for n in notifiers)
    )
    reached = sum(delivery.sent_at is not None for delivery in deliveries)
    if not deliveries:
        return msgspec.structs.replace(
            notification, status=Status.MUTED, stage="send", reason="no destination is configured"
        )
    status = Status.SENT if reached == len(deliveries) else Status.PARTIAL if reached else Status.FAILED
    return msgspec.structs.replace(notification, status=status, deliveries=tuple(deliveries))


async def _deliver(
    notification: Notification,
    message: Message,
    notifier: Notifier,
    retry: Retry,
    *,
    now: Callable[[], int],
    sleep: Callable[[float], Awaitable[None]],
) -> Delivery:
    errors: list[str] = []
    while True:
        try:
            await notifier.send(message, notification.kind, notification.severity)
        except NotifyError as error:
            errors.append(str(error))
        else:
            return Delivery(notifier.name, tuple(errors), now())
        if len(errors) >= retry.attempts:
            return Delivery(notifier.name, tuple(errors))
        await sleep(retry.wait(len(errors)))
