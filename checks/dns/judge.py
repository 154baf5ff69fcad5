"""What an answer of a DNS server is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from checks.dns.exchange import Exchange
from checks.dns.message import Response
from checks.dns.params import DnsParams
from checks.dns.record import Record
from checks.findings import Finding, conclude, level
from checks.model import Metric, Outcome, State

_EXTENDED: Final = {
    1: "unsupported DNSKEY algorithm",
    3: "stale answer",
    6: "DNSSEC bogus",
    7: "signature expired",
    8: "signature not yet valid",
    9: "DNSKEY missing",
    10: "RRSIGs missing",
    12: "NSEC missing",
    14: "not ready",
    15: "blocked",
    16: "censored",
    17: "filtered",
    18: "prohibited",
    20: "not authoritative",
    22: "no reachable authority",
    23: "network error",
}
"""Extended DNS Errors that operators meet (RFC 8914, section 4)."""


def judge(place: str, exchange: Exchange, params: DnsParams, memory: dict[str, Any]) -> Outcome:
    """The outcome of an answer, by its code, its records, who vouches for them, and its time."""
    response = exchange.response
    records = response.data(params.name, params.asked)
    findings = list(_findings(response, records, params))
    state = level(memory, "duration", exchange.seconds, params.levels)
    findings.append(Finding(state, "slow", f"slow: the answer took {exchange.seconds:.3g} s"))
    metrics = [
        Metric("dns.lookup.duration", exchange.seconds, "s"),
        Metric("dns.answer.records", len(records), "1"),
    ]
    if params.asked == "SOA" and records:
        metrics.append(Metric("dns.soa.serial", int(records[0].data.split()[2]), "1"))
    return conclude(place, f"answers for {params.name} {params.asked} as expected", findings, metrics=metrics)


def _findings(response: Response, records: Sequence[Record], params: DnsParams) -> Iterator[Finding]:
    asked = f"{params.name} {params.asked}"
    if response.rcode_name != params.rcode:
        text = f"answers {response.rcode_name}{_why(response)} for {asked} where {params.rcode} was expected"
        yield Finding(State.CRIT, "rcode", text)
    elif params.rcode == "NOERROR":
        yield from _compared(asked, {record.data for record in records}, params)
    if params.authoritative and not response.authoritative:
        yield Finding(State.CRIT, "not-authoritative", f"has no zone of its own for {asked}: its answer is second-hand")
    if params.dnssec and not response.authentic:
        yield Finding(State.CRIT, "not-validated", f"does not say that its answer for {asked} was validated by DNSSEC")


def _why(response: Response) -> str:
    said = [
        f"{_EXTENDED.get(code, f'extended error {code}')}{f': {text}' if text else ''}"
        for code, text in response.extended
    ]
    return f" ({'; '.join(said)[:160]})" if said else ""


def _compared(asked: str, found: set[str], params: DnsParams) -> Iterator[Finding]:
    expected = params.expected()
    if not found:
        yield Finding(State.CRIT, "no-answer", f"knows {params.name}, but no {params.asked} record of it")
    elif expected - found or (expected and params.only and found - expected):
        text = f"answers {_listed(found)} for {asked} where {_listed(expected)} was expected"
        yield Finding(State.CRIT, "answer", text)


def _listed(data: set[str] | frozenset[str]) -> str:
    shown = sorted(data)[:4]
    return ", ".join(text[:80] for text in shown) + (", …" if len(data) > len(shown) else "")
