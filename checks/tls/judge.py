"""What was shown, and thresholds, to an outcome. Pure."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Sequence
from typing import Any

from checks.findings import Finding, conclude, level
from checks.model import Metric, Outcome, State
from checks.net.certificates import Certificate
from checks.tls.examined import Examined, Staple
from checks.tls.handshake import NO_ANCHOR, WEAK, Handshake
from checks.tls.names import matches
from checks.tls.params import TlsParams

_DAY = 86_400
_NAMED = 5
"""Names of a certificate that a sentence tells; it may have ten thousand."""
_VERSIONS = ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


@dataclasses.dataclass(frozen=True)
class Shown:
    """What was examined, and the handshake that showed it (None for a file)."""

    examined: Examined
    handshake: Handshake | None = None

    @property
    def problem(self) -> str:
        """Why clients do not trust it: by the handshake's verification, for a file by where its chain ends."""
        if self.handshake is not None:
            return self.handshake.problem
        return "" if self.examined.anchored else NO_ANCHOR


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is judged: how it is called in the summary, the ``name`` that its certificate must be for (empty: any), and
    the time, in Unix seconds."""

    called: str
    name: str
    now: float


def judge(
    subject: Subject, shown: Shown, params: TlsParams, memory: dict[str, Any], times: Sequence[Metric] = ()
) -> Outcome:
    """The outcome; ``memory`` is the job's, for the hysteresis of levels."""
    examined, now = shown.examined, subject.now
    leaf = examined.chain[0]
    bundle = shown.handshake is None and not subject.name  # a file of certificates, each for itself
    judged = (*examined.chain, *examined.spare) if bundle else examined.chain
    findings: list[Finding | None] = [_age(one, _Whose(one, leaf, bundle), now, params, memory) for one in judged]
    findings += [] if bundle else [_unused(one, now) for one in examined.spare]
    if subject.name and params.verify:
        findings += [_name(subject.name, leaf), _trust(shown, examined.chain)]
    findings += _weak(judged, shown.problem if subject.name and params.verify else "")
    findings += _revoked(examined)
    if examined.objection and not shown.problem:
        text = (
            f"strict clients refuse it ({examined.objection}): have its authority issue another, or set strict: false"
        )
        findings.append(Finding(State.WARN, "nonconforming", text))
    if shown.handshake is not None:
        findings += _protocol(shown.handshake, params)
    first = min(judged, key=lambda one: one.not_after)
    return conclude(
        subject.called,
        f"the certificate is good until {_date(leaf.not_after)}"
        if not bundle or len(judged) == 1
        else f"{len(judged)} certificates, the first to end on {_date(first.not_after)}",
        [finding for finding in findings if finding is not None],
        metrics=(*times, *_metrics(examined, now)),
        facts=_facts(leaf, shown.handshake, params, now),
    )


def _metrics(examined: Examined, now: float) -> Iterable[Metric]:
    """Days left of two wholes, since they differ: ``tls.chain``, the chain in use, which ends with its first
    certificate; and ``tls.sent``, all that is shown, some of which clients may not need. Then of each certificate the
    days left, and the end itself in Unix seconds."""
    for name, whole in (("tls.chain", examined.chain), ("tls.sent", _sent(examined))):
        ends = min((one.not_after for one in whole), default=examined.chain[0].not_after)
        yield Metric(f"{name}.days_left", (ends - now) / _DAY, "d")
    if examined.staple is not None and examined.staple.until is not None:
        yield Metric("tls.staple.days_left", (examined.staple.until - now) / _DAY, "d")
    for name, each in (("tls.certificate", examined.chain), ("tls.certificate.unused", examined.spare)):
        for one in each:
            yield Metric(f"{name}.days_left", (one.not_after - now) / _DAY, "d", one.instance)
            yield Metric(f"{name}.not_after", one.not_after, "s", one.instance)


def _sent(examined: Examined) -> tuple[Certificate, ...]:
    return tuple(one for one in (*examined.chain, *examined.spare) if one.sent)


def _facts(leaf: Certificate, handshake: Handshake | None, params: TlsParams, now: float) -> dict[str, str]:
    left = (leaf.not_after - now) / _DAY
    reached = min((step for step in params.steps if left <= step), default=None)
    facts = {
        "fingerprint": leaf.fingerprint,
        "subject": leaf.subject,
        "issuer": leaf.issuer,
        "serial": leaf.serial,
        "names": _listed(leaf.names),
        "key": f"{leaf.key} {leaf.bits}" if leaf.bits else leaf.key,
        "key_id": leaf.key_id,
        "signature": leaf.signature,
        "expires": _date(leaf.not_after),
        "expires_within": f"{reached:g} d" if reached is not None else "",
    }
    if handshake is not None:
        facts |= {"protocol": handshake.protocol, "cipher": handshake.cipher}
    return facts


def _date(when: float) -> str:
    return f"{datetime.datetime.fromtimestamp(when, datetime.UTC):%Y-%m-%d}"


def _days(seconds: float) -> str:
    days = int(seconds // _DAY)
    return f"{days} day" if days == 1 else f"{days} days"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


@dataclasses.dataclass(frozen=True)
class _Whose:
    """A certificate in words, and what is to be done about it."""

    one: Certificate
    leaf: Certificate
    bundle: bool

    def __str__(self) -> str:
        if self.bundle:
            return f"the certificate {self.one.subject!r}"
        return "the certificate" if self.one is self.leaf else f"the certificate of its authority {self.one.subject!r}"

    @property
    def cure(self) -> str:
        if self.bundle:
            return "replace it in the file"
        return "renew it on the server" if self.one is self.leaf else "install a new chain on the server"


def _age(one: Certificate, whose: _Whose, now: float, params: TlsParams, memory: dict[str, Any]) -> Finding:
    state = level(memory, one.fingerprint, (one.not_after - now) / _DAY, params.levels)
    ends = _date(one.not_after)
    if now < one.not_before:
        text = f"{whose} is valid only from {_date(one.not_before)}: compare the clocks of the server and this agent"
        return Finding(State.CRIT, "not-yet-valid", text)
    if now > one.not_after:
        text = f"{whose} expired on {ends} ({_days(now - one.not_after)} ago): {whose.cure}"
        return Finding(State.CRIT, "expired", text)
    return Finding(
        state, "expires-soon", f"{whose} expires on {ends} ({_days(one.not_after - now)} left): {whose.cure}"
    )


def _unused(one: Certificate, now: float) -> Finding | None:
    if now <= one.not_after:
        return None
    text = (
        f"the server also sends {one.subject!r}, which expired on {_date(one.not_after)} and is not needed: remove it"
    )
    return Finding(State.WARN, "expired-unused", text)


def _name(name: str, leaf: Certificate) -> Finding | None:
    if matches(name, leaf.names):
        return None
    known = _listed(leaf.names) or "no name at all (a common name does not count)"
    text = f"the certificate is for {known}, not for this name: install the right one, or correct server_name"
    return Finding(State.CRIT, "hostname", text)


def _trust(shown: Shown, chain: Sequence[Certificate]) -> Finding | None:
    problem, last = shown.problem, chain[-1]
    if not problem or (problem == WEAK and any(one.weak_key or one.weak_signature for one in chain)):
        return None
    if problem != NO_ANCHOR:
        text = problem
    elif not last.self_signed:
        text = _missing(last, "on the server" if shown.handshake else "in the file")
    elif len(chain) == 1:
        text = "the certificate is signed by itself: install one of a trusted authority, or give this one as ca_file"
    else:
        text = f"its authority {last.subject!r} is not trusted here: give it as ca_file, or install another certificate"
    return Finding(State.CRIT, "untrusted", text)


def _missing(last: Certificate, where: str) -> str:
    source = f" (to be had at {last.issuer_url})" if last.issuer_url else ""
    return (
        f"the certificate of {last.issuer!r}{source}, which signed {last.subject!r}, is not {where}, and this agent "
        f"does not know it: add the intermediate certificate {where}, or that authority to ca_file"
    )


def _weak(chain: Sequence[Certificate], problem: str) -> Iterable[Finding]:
    """Clients refuse some of what is weak (then there is a problem); what they still take is a warning."""
    state = State.CRIT if problem == WEAK else State.WARN
    for one in chain:
        if one.weak_key:
            text = f"the key of {one.subject!r} is weak ({one.weak_key}): have a certificate issued for a new key"
            yield Finding(state, "weak-key", text)
        if one.weak_signature:
            text = f"{one.subject!r} is signed by way of {one.weak_signature}, which can be forged: have it issued anew"
            yield Finding(state, "weak-signature", text)


def _revoked(examined: Examined) -> Iterable[Finding]:
    for who in examined.revoked:
        yield Finding(State.CRIT, "revoked", f"{who!r} is on its authority's revocation list: replace it at once")
    staple = examined.staple or Staple()
    if staple.status == "revoked":
        yield Finding(State.CRIT, "revoked", "its authority says that it is revoked: replace it at once")
    if staple.problem or staple.status == "unknown":
        text = staple.problem or "says that its authority does not know the certificate"
        yield Finding(State.WARN, "staple", f"the OCSP response that the server staples {text}: look at its stapling")
    if examined.unknown:
        yield Finding(State.UNKNOWN, "crl", f"{examined.unknown}: bring crl_file up to date")


def _protocol(handshake: Handshake, params: TlsParams) -> Iterable[Finding]:
    least = _VERSIONS.index(params.min_version)
    if handshake.protocol in _VERSIONS[:least]:
        text = f"the server speaks only {handshake.protocol}: switch on {params.min_version} or newer"
        yield Finding(State.WARN, "old-protocol", text)
    if handshake.older:
        text = f"the server also takes {handshake.older}: switch off what is older than {params.min_version}"
        yield Finding(State.WARN, "old-protocol", text)
    if handshake.bits < params.min_bits:
        text = f"the server chose the cipher {handshake.cipher} of {handshake.bits} bits: switch on stronger ones"
        yield Finding(State.WARN, "weak-cipher", text)
