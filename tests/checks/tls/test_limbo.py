"""x509-limbo (C2SP): what a path validator must accept and refuse."""

from __future__ import annotations

import datetime
import warnings
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509

from checks.tls import crl
from checks.tls.parsing import UNREADABLE
from checks.tls.validation import Rules, validate


class Name(msgspec.Struct):
    kind: str
    value: str


class Case(msgspec.Struct):
    """A case of the suite, as far as a client of servers is concerned."""

    id: str
    validation_kind: str
    trusted_certs: list[str]
    untrusted_intermediates: list[str]
    peer_certificate: str
    expected_result: Literal["SUCCESS", "FAILURE"]
    expected_peer_name: Name | None = None
    validation_time: datetime.datetime | None = None
    max_chain_depth: int | None = None
    extended_key_usage: list[str] | None = None
    crls: list[str] = []
    conflicts_with: list[str] = []

    @property
    def ours(self) -> bool:
        """Whether it is of a server and, where the suite says that RFC 5280 and the Web PKI ask for opposite things,
        of the Web PKI."""
        return (
            self.validation_kind == "SERVER"
            and self.expected_peer_name is not None
            and set(self.extended_key_usage or ()) <= {"serverAuth"}
            and not any(other.startswith("webpki::") for other in self.conflicts_with)
        )


class Suite(msgspec.Struct):
    testcases: list[Case]


def verdict(case: Case) -> str:
    """Why the case's certificate is refused; empty when it is accepted."""
    assert case.expected_peer_name is not None
    try:
        leaf, *others = map(_certificate, (case.peer_certificate, *case.untrusted_intermediates))
        anchors = list(map(_certificate, case.trusted_certs))
    except UNREADABLE as error:
        return f"unreadable: {error}"
    rules = Rules(anchors, case.validation_time or datetime.datetime.now(datetime.UTC), case.max_chain_depth)
    return validate(leaf, others, case.expected_peer_name.value, with_lists(rules, case.crls)).problem


def with_lists(rules: Rules, crls: list[str]) -> Rules:
    """The same with the case's revocation lists, those that can be read."""
    lists: list[x509.CertificateRevocationList] = []
    for pem in crls:
        try:
            lists += crl.load(pem.encode())
        except ValueError:
            continue
    return Rules(rules.anchors, rules.at, rules.depth, lists)


def _certificate(pem: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem.encode())


def test_every_verdict_on_a_server_s_certificate_agrees(limbo: Path) -> None:
    suite = msgspec.json.decode(limbo.read_bytes(), type=Suite)
    servers = [case for case in suite.testcases if case.ours]
    assert servers
    differing = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library, that it reads what it will not read some day
        for case in servers:
            problem = verdict(case)
            if bool(problem) is (case.expected_result == "SUCCESS"):
                differing.append(f"{case.id}: expected {case.expected_result}, got {problem or 'SUCCESS'}")
    assert not differing, "\n".join([f"{len(differing)} of {len(servers)} differ:", *differing])
