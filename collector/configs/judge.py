"""A measurement of a configuration to its record and its outcome. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from checks.config.check import DOCUMENT
from checks.model import JobId, Outcome, State
from collector.configs.difference import in_words
from collector.configs.model import Approval, Record, Version
from collector.configs.windows import ChangeWindow, covering

FIRST = "first version seen"
UNAPPROVED = "unapproved-change"


def version_of(outcome: Outcome, at: int, agent: str) -> Version | None:
    """The version that a measurement tells of; None when it could not look."""
    found = outcome.facts.get("config")
    if not found:
        return None
    return Version(found, at, outcome.facts.get("config.by", ""), agent, outcome.documents.get(DOCUMENT, b""))


def take(record: Record | None, seen: Version, node: str, windows: Sequence[ChangeWindow]) -> Record:
    """The record after a version was seen. One that is known already changes nothing but the time; one from before the
    newest goes into the history alone."""
    if record is None:
        return Record(seen, seen, "", FIRST, seen.at, seen.at, _kept(seen))
    record = _completed(record, seen)
    if seen.at <= record.seen_at:
        return _late(record, seen)
    last, record = record.seen_at, msgspec.structs.replace(record, seen_at=seen.at)
    if seen.hash == record.newest.hash:
        return record
    record = msgspec.structs.replace(record, newest=seen, pending=record.pending + _kept(seen))
    window = covering(windows, node, last, seen.at)
    if window is None or record.well:
        return record
    return _approved(record, window.approver, window.document, seen.at)


def approve(record: Record, approval: Approval) -> Record:
    """The record after a person approved a version. Nothing changes when that is not the newest (any more), or the
    approval was taken before."""
    if approval.at <= record.decided_at or approval.hash != record.newest.hash:
        return record
    return _approved(record, approval.approver, approval.why, approval.at)


def judged(record: Record, job: JobId, outcome: Outcome, significant: Callable[[str], str]) -> Outcome:
    """The outcome, or what stands in its place: the configuration is not the approved one. ``significant`` leaves out
    of a text what does not count."""
    if record.well or outcome.facts.get("config") != record.newest.hash:
        return outcome
    old, new = record.approved.text, record.newest.text
    if old is None or new is None:
        change = "its text is not known here"
    elif (old := significant(old)) == (new := significant(new)):
        return outcome  # the agent counts otherwise than before
    else:
        change = in_words(old, new)
    who = f" by {record.newest.by}" if record.newest.by else ""
    summary = f"{job.label}: the configuration was changed{who} without approval: {change}"
    return msgspec.structs.replace(outcome, state=State.CRIT, reason=UNAPPROVED, summary=summary)


def _approved(record: Record, approver: str, why: str, at: int) -> Record:
    return msgspec.structs.replace(record, approved=record.newest, approver=approver, why=why, decided_at=at)


def _completed(record: Record, seen: Version) -> Record:
    """With a text that comes after its hash."""
    if not seen.body:
        return record
    changes: dict[str, object] = {}
    for name in ("approved", "newest"):
        known: Version = getattr(record, name)
        if known.hash == seen.hash and not known.body:
            changes[name] = whole = msgspec.structs.replace(known, body=seen.body)
            changes["pending"] = record.pending + (() if whole in record.pending else (whole,))
    return msgspec.structs.replace(record, **changes)


def _late(record: Record, seen: Version) -> Record:
    """From an agent's backlog: into the history, and the newest once more behind it."""
    if not seen.body or seen.hash in (record.newest.hash, record.approved.hash):
        return record
    newest = record.newest
    behind = _kept(msgspec.structs.replace(newest, again=seen.at)) if newest.body else ()
    return msgspec.structs.replace(record, pending=(*record.pending, seen, *behind))


def _kept(version: Version) -> tuple[Version, ...]:
    return (version,) if version.body else ()
