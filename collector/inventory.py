"""Every certificate that the jobs of check ``tls`` have seen: what each job saw last, kept while the job is planned,
also while its server is away."""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator
from typing import Final, get_args

import msgspec

from checks.model import Metric
from collector.pipeline import Seen
from collector.state import Changes, StateFile
from collector.view import CertificateRole, CertificateView

CHECK: Final = "tls"
"""The check whose measurements are to be taken in."""
_KIND: Final = "certificates"
_ENDS: Final[dict[str, CertificateRole]] = {
    "tls.certificate.not_after": "chain",
    "tls.certificate.unused.not_after": "unused",
}
_ROLES: Final[tuple[CertificateRole, ...]] = get_args(CertificateRole)


class Held(msgspec.Struct, frozen=True):
    """A certificate in a job's sight. ``id`` is its name with the begin of its fingerprint; ``not_after`` Unix ms."""

    id: str
    role: CertificateRole
    not_after: int


class Sight(msgspec.Struct, frozen=True):
    """What a job saw at a time, Unix ms: the certificates, the server's own first, and facts of that one."""

    at: int
    held: tuple[Held, ...]
    issuer: str = ""
    key: str = ""


class Inventory:
    """The certificates by the job that saw them, with what is kept in the state."""

    def __init__(self, state: StateFile) -> None:
        self._sights = {job: _decode(body) for job, body in state.things(_KIND).items()}
        self._changed: set[str] = set()

    def take(self, seen: Seen, metrics: Iterable[Metric]) -> None:
        """Takes in a measurement and its numbers. One without certificates, of a server away, changes nothing."""
        held = tuple(_held(metrics))
        if not held:
            return
        facts = seen.outcome.facts
        new = Sight(seen.at, held, facts.get("issuer", ""), facts.get("key", ""))
        old = self._sights.get(seen.job)
        self._sights[seen.job] = new
        if old is None or msgspec.structs.replace(old, at=new.at) != new:
            self._changed.add(seen.job)

    def keep(self, changes: Changes) -> None:
        """Adds what is to be kept. The time of the newest sight alone is not worth a write."""
        for job in self._changed:
            changes.things[_KIND, job] = msgspec.msgpack.encode(self._sights[job])
        self._changed.clear()

    def forget(self, planned: Container[str], changes: Changes) -> None:
        """Forgets what jobs saw that are not planned any more."""
        for job in [job for job in self._sights if job not in planned]:
            del self._sights[job]
            self._changed.discard(job)
            changes.forget(_KIND, job)

    def certificates(self) -> list[CertificateView]:
        """Each certificate once, with the jobs that see it; those that end first come first."""
        found: dict[str, CertificateView] = {}
        for job, sight in sorted(self._sights.items()):
            for one in sight.held:
                view = _view(job, sight, one)
                found[one.id] = _merged(found[one.id], view) if one.id in found else view
        return sorted(found.values(), key=lambda one: (one.not_after, one.id))


def _held(metrics: Iterable[Metric]) -> Iterator[Held]:
    first = True
    for metric in metrics:
        role = _ENDS.get(metric.name)
        if role is not None:
            yield Held(metric.instance, "server" if first else role, round(metric.value * 1000))
            first = False


def _view(job: str, sight: Sight, one: Held) -> CertificateView:
    name, _, fingerprint = one.id.rpartition(" ")
    own = one.role == "server"
    return CertificateView(
        id=one.id,
        subject=name,
        fingerprint=fingerprint,
        role=one.role,
        not_after=one.not_after,
        issuer=sight.issuer if own else "",
        key=sight.key if own else "",
        seen_at=sight.at,
        jobs=[job],
    )


def _merged(old: CertificateView, new: CertificateView) -> CertificateView:
    """Of two views of one certificate, the more important role, the newer sight, and both their jobs."""
    first = min(old, new, key=lambda view: _ROLES.index(view.role))
    return dataclasses.replace(first, seen_at=max(old.seen_at, new.seen_at), jobs=[*old.jobs, *new.jobs])


_decode = msgspec.msgpack.Decoder(Sight).decode
