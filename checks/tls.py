"""The certificates of a TLS server: how long each lasts, whether it is for this name, and whether clients trust it.

Three verdicts are kept apart, since each has its own remedy: time, by our own clock, for every certificate of the chain
in use; the name (RFC 9525); and the chain of trust, by OpenSSL's verification against the authorities of this host.
"""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import socket
import ssl
import sys
from typing import Any

from checks import tcp, trust
from checks.certificates import Certificate, matches, parse, path
from checks.contract import Check, Context, Params, Target, host_port
from checks.errors import TargetError
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State

_DAY = 86_400
_DER = 2  # _ssl.ENCODING_DER

# OpenSSL's verify codes (x509_vfy.h). It builds the chain first and looks at its time last, so that these two say that
# the chain is good but for its time, which is judged here by our own clock.
_TIME_CODES = (9, 10)  # CERT_NOT_YET_VALID, CERT_HAS_EXPIRED
_CHAIN_CODES = (2, 18, 19, 20, 21)  # no way from the leaf to a trusted anchor: path() shows where it ends
_NO_ANCHOR = "no trusted anchor"


class TlsParams(Params, frozen=True):
    """``server_name`` is the name asked for and verified (default: the target's host). ``levels`` are in days left,
    for each certificate. With ``verify`` off, name and trust are not judged: for devices that sign for themselves.
    ``ca_file`` (PEM) holds the authorities to trust in place of the host's."""

    server_name: str = ""
    ca_file: str = ""
    verify: bool = True
    levels: Levels = Levels(warn=30, crit=7)


@dataclasses.dataclass(frozen=True)
class Handshake:
    """What a server showed, in DER: the chain that it ``sent``, and the one that verification ``used`` (empty when it
    failed). ``problem`` is OpenSSL's reason for not trusting it (_NO_ANCHOR for those that the chain itself explains),
    empty when it does or was not asked."""

    protocol: str
    sent: tuple[bytes, ...]
    used: tuple[bytes, ...] = ()
    problem: str = ""
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class Shown:
    """The same, with the certificates parsed."""

    protocol: str
    sent: tuple[Certificate, ...]
    used: tuple[Certificate, ...] = ()
    problem: str = ""


async def run(target: Target, params: TlsParams, ctx: Context) -> Outcome:
    """One handshake; a second, that trusts anything, when the first is refused, to see why."""
    host, port = host_port(target.address, 443)
    name = params.server_name or host
    times, raw = await fetch(host, port, name, params, ctx)
    try:
        shown = Shown(raw.protocol, parse(raw.sent), parse(raw.used), raw.problem)
    except ValueError as error:
        raise TargetError("malformed", f"{name}: its certificate cannot be read: {error}", answered=True) from error
    return judge(name, shown, params, ctx, times)


async def fetch(
    host: str, port: int, name: str, params: TlsParams, ctx: Context
) -> tuple[tuple[Metric, ...], Handshake]:
    """The times of the connection, and what the server showed. Raises CheckError, or OSError from below."""
    problem = ""
    if params.verify:
        context = trust.verifying(params.ca_file, check_hostname=False)
        connected = await tcp.connect(ctx, host, port)
        try:
            shown = await handshake(connected.sock, context, name, ctx)
            return _times(connected, shown), shown
        except ssl.SSLCertVerificationError as error:
            problem = _problem(error)
        except ssl.SSLError as error:
            problem = f"clients of today cannot connect ({error.reason})"
    connected = await tcp.connect(ctx, host, port)
    try:
        shown = await handshake(connected.sock, trust.accepting(), name, ctx)
    except ssl.SSLError as error:
        clear = error.reason == "WRONG_VERSION_NUMBER"
        why = "what listens there does not speak TLS" if clear else f"TLS failed ({error.reason or error})"
        raise TargetError("tls", f"{name}: port {port}: {why}", answered=True) from error
    return _times(connected, shown), dataclasses.replace(shown, problem=problem)


def _times(connected: tcp.Connected, shown: Handshake) -> tuple[Metric, ...]:
    return (*connected.metrics(), Metric("tls.handshake.duration", shown.seconds, "s"))


def _problem(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _TIME_CODES:
        return ""
    return _NO_ANCHOR if error.verify_code in _CHAIN_CODES else f"the chain is not valid ({error.verify_message})"


async def handshake(sock: socket.socket, context: ssl.SSLContext, name: str, ctx: Context) -> Handshake:
    """A handshake over a connected socket, which it closes."""
    begin = ctx.clock.monotonic()
    try:
        _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    except BaseException:
        sock.close()
        raise
    seconds = ctx.clock.monotonic() - begin
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    used = peer_chain(tls, verified=True) if context.verify_mode is ssl.CERT_REQUIRED else ()
    shown = Handshake(tls.version() or "", peer_chain(tls), used, seconds=seconds)
    writer.transport.abort()
    return shown


def peer_chain(tls: ssl.SSLObject, *, verified: bool = False) -> tuple[bytes, ...]:
    """The certificates, in DER, leaf first: as the server sent them, or as verification used them, the trusted anchor
    included. Public from Python 3.13 on; before it, the same call is there on the object beneath."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_verified_chain() if verified else tls.get_unverified_chain())
    beneath: Any = tls._sslobj  # type: ignore[attr-defined]  # not in the type stubs, being private
    found = (beneath.get_verified_chain() if verified else beneath.get_unverified_chain()) or ()
    return tuple(certificate.public_bytes(_DER) for certificate in found)


def judge(name: str, shown: Shown, params: TlsParams, ctx: Context, times: tuple[Metric, ...] = ()) -> Outcome:
    """The outcome of what a server showed for a name."""
    if not shown.sent:
        raise TargetError("no-certificate", f"{name}: the server shows no certificate", answered=True)
    now = ctx.clock.now() / 1000
    leaf = shown.sent[0]
    chain = shown.used or path(shown.sent)
    spare = [one for one in shown.sent if one not in chain]
    findings = [_age(one, leaf, now, params.levels, ctx) for one in chain]
    findings += [_unused(one, now) for one in spare]
    if params.verify:
        findings += [_name(name, leaf), _trust(shown.problem, chain)]
    days = [Metric("tls.certificate.days_left", (one.not_after - now) / _DAY, "d", one.instance) for one in chain]
    unused = [
        Metric("tls.certificate.unused.days_left", (one.not_after - now) / _DAY, "d", one.instance) for one in spare
    ]
    return conclude(
        name,
        f"the certificate is good until {_date(leaf.not_after)}",
        [finding for finding in findings if finding is not None],
        metrics=(*times, *days, *unused),
        facts={
            "fingerprint": leaf.fingerprint,
            "subject": leaf.subject,
            "issuer": leaf.issuer,
            "serial": leaf.serial,
            "protocol": shown.protocol,
        },
    )


def _date(when: float) -> str:
    return f"{datetime.datetime.fromtimestamp(when, datetime.UTC):%Y-%m-%d}"


def _days(seconds: float) -> str:
    days = int(seconds // _DAY)
    return f"{days} day" if days == 1 else f"{days} days"


def _age(one: Certificate, leaf: Certificate, now: float, levels: Levels, ctx: Context) -> Finding | None:
    what = "the certificate" if one is leaf else f"the certificate of its authority {one.subject!r}"
    cure = "renew it on the server" if one is leaf else "install a new chain on the server"
    state = level(ctx.memory, one.fingerprint, (one.not_after - now) / _DAY, levels)
    if now < one.not_before:
        text = f"{what} is valid only from {_date(one.not_before)}: compare the clocks of the server and this agent"
        return Finding(State.CRIT, "not-yet-valid", text)
    if now > one.not_after:
        text = f"{what} expired on {_date(one.not_after)} ({_days(now - one.not_after)} ago): {cure}"
        return Finding(State.CRIT, "expired", text)
    text = f"{what} expires on {_date(one.not_after)} ({_days(one.not_after - now)} left): {cure}"
    return Finding(state, "expires-soon", text)


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
    known = ", ".join(leaf.names) or "no name at all"
    text = f"the certificate is for {known}, not for this name: install the right one, or correct server_name"
    return Finding(State.CRIT, "hostname", text)


def _trust(problem: str, chain: tuple[Certificate, ...]) -> Finding | None:
    if not problem:
        return None
    last = chain[-1]
    if problem != _NO_ANCHOR:
        text = problem
    elif not last.signed(last):
        text = (
            f"the server does not send the certificate of {last.issuer!r}, which signed {last.subject!r}, and this "
            "agent does not know it: add the intermediate certificate on the server, or that authority to ca_file"
        )
    elif len(chain) == 1:
        text = "the certificate is signed by itself: install one of a trusted authority, or give this one as ca_file"
    else:
        text = f"its authority {last.subject!r} is not trusted here: give it as ca_file, or install another certificate"
    return Finding(State.CRIT, "untrusted", text)


CHECK = Check(
    name="tls",
    about="how long a server's certificates last, and whether clients trust them",
    target="host or host:port, 443 by default",
    params=TlsParams,
    run=run,
)
