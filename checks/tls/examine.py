"""Reads and validates certificates: the program of the child process. One question on standard input, one answer on
standard output, both in msgpack."""

from __future__ import annotations

import datetime
import ssl
import sys
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from cryptography import x509

from checks.net.certificates import Certificate
from checks.tls import crl, ocsp
from checks.tls.examined import Asked, Examined, Failed, Staple
from checks.tls.names import matches
from checks.tls.parsing import UNREADABLE, authorities, called, in_file, parsed, path
from checks.tls.validation import Rules, validate


def main() -> None:
    """Answers the question on standard input."""
    asked = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Asked)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(asked)))


class _FaultError(Exception):
    """What cannot be examined, by a reason word."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


def answer(asked: Asked) -> Examined | Failed:
    """What is to be known of certificates, or why nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the library, about certificates that it will not read some day
            return _examine(asked)
    except _FaultError as fault:
        return Failed(fault.reason, str(fault))


def _examine(asked: Asked) -> Examined:
    at = datetime.datetime.fromtimestamp(asked.at, datetime.UTC)
    sent = _sent(asked)
    used = _load(asked.used)
    anchors = used[-1:] or (_anchors(asked.ca_file) if asked.trust else ())
    chain = used or path(sent, anchors)
    lists = _lists(asked.crl_file)
    try:
        known = {one: parsed(one, sent=one in sent) for one in (*chain, *sent)}
    except UNREADABLE as error:
        raise _FaultError("malformed", str(error)) from error
    anchored = chain[-1] in anchors
    staple = ocsp.read(asked.staple, sent[0], _second(chain), at) if asked.staple is not None else None
    revocation = crl.revocation(chain, lists, at) if lists else crl.Revocation()
    strict = asked.strict and anchored and len(chain) > 1  # a leaf that is trusted as it is needs no path
    return Examined(
        chain=tuple(known[one] for one in chain),
        spare=tuple(known[one] for one in dict.fromkeys(sent) if one not in chain),
        anchored=anchored,
        objection=_objection(sent, known[sent[0]], asked.name, Rules(anchors, at)) if strict else "",
        revoked=tuple(called(one.subject) for one in revocation.revoked),
        unknown=revocation.unknown,
        staple=staple,
        until=_until(asked.at, known.values(), lists, staple),
    )


def _sent(asked: Asked) -> tuple[x509.Certificate, ...]:
    if not asked.file:
        return _load(asked.sent)
    try:
        return in_file(asked.file, asked.password)
    except UNREADABLE as error:
        raise _FaultError("malformed", str(error)) from error


def _load(chain: Sequence[bytes]) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(map(x509.load_der_x509_certificate, chain))
    except UNREADABLE as error:
        raise _FaultError("malformed", str(error)) from error


def _anchors(ca_file: str) -> tuple[x509.Certificate, ...]:
    """The authorities of a file, by default the host's."""
    where = ca_file or ssl.get_default_verify_paths().cafile
    if not where:
        raise _FaultError("ca-file", "this host has no file of authorities: install ca-certificates, or set ca_file")
    try:
        found = authorities(Path(where).read_bytes())
    except OSError as error:
        raise _FaultError("ca-file", f"ca_file {where}: {error.strerror}: correct the path") from error
    if not found:
        raise _FaultError("ca-file", f"ca_file {where}: expected certificates in PEM")
    return found


def _lists(crl_file: str) -> tuple[x509.CertificateRevocationList, ...]:
    if not crl_file:
        return ()
    try:
        found = crl.load(Path(crl_file).read_bytes())
    except OSError as error:
        raise _FaultError("crl-file", f"crl_file {crl_file}: {error.strerror}: correct the path") from error
    except ValueError as error:
        raise _FaultError("crl-file", f"crl_file {crl_file}: expected lists in PEM or one in DER: {error}") from error
    if not found:
        raise _FaultError("crl-file", f"crl_file {crl_file}: expected lists that say when the next one comes")
    return found


def _objection(sent: Sequence[x509.Certificate], leaf: Certificate, name: str, rules: Rules) -> str:
    """Why strict clients refuse what others take, its name and its time aside: those are judged by themselves."""
    if not leaf.names:
        return ""
    own = name if matches(name, leaf.names) else leaf.names[0].replace("*", "a", 1)
    problem = validate(sent[0], sent[1:], own, rules).problem
    if not problem:
        return ""
    begun = max(one.not_valid_before_utc for one in (*path(sent, rules.anchors), *rules.anchors[:1]))
    then = validate(sent[0], sent[1:], own, Rules(rules.anchors, begun))
    return problem if then.problem else ""


def _second(chain: Sequence[x509.Certificate]) -> x509.Certificate | None:
    return chain[1] if len(chain) > 1 else None


def _until(
    at: float,
    known: Iterable[Certificate],
    lists: Sequence[x509.CertificateRevocationList],
    staple: Staple | None,
) -> float:
    """When the answer may change next though nothing else does: a certificate begins or ends, a list or a staple gets
    out of date."""
    edges = [edge for one in known for edge in (one.not_before, one.not_after)]
    edges += [edge.timestamp() for one in lists for edge in (one.last_update_utc, one.next_update_utc) if edge]
    edges += [staple.until] if staple is not None and staple.until is not None else []
    return min((edge for edge in edges if edge > at), default=float("inf"))


if __name__ == "__main__":
    main()
