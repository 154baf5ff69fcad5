"""From what a device shows to a state. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from checks.levels import Levels, judge
from checks.model import Metric, Outcome, State, worst
from checks.snmp import mib
from checks.snmp.tables import Interface

UNITS: Final = {"ifInBits": "bit/s", "ifOutBits": "bit/s"}
"""Of the rates; the others count per second."""


class Finding(msgspec.Struct, frozen=True):
    """Something that an operator must know. ``subject`` keeps the hysteresis of its level."""

    state: State
    reason: str
    text: str
    subject: str = ""


class Thresholds(msgspec.Struct, frozen=True):
    """What is demanded of a device: interfaces that must be up, by ifName, ifAlias or ifDescr, and levels, of
    utilization in %, of errors in 1/s."""

    require_up: tuple[str, ...]
    utilization: Levels
    errors: Levels


def interface_metrics(interface: Interface, rates: Mapping[str, float]) -> Iterator[Metric]:
    """The numbers of one interface."""
    name = interface.name
    yield Metric("ifAdminStatus", float(interface.admin), "1", name)
    yield Metric("ifOperStatus", float(interface.oper), "1", name)
    if interface.speed:
        yield Metric("ifSpeed", interface.speed, "bit/s", name)
    for rate, value in rates.items():
        yield Metric(rate, value, UNITS.get(rate, "1/s"), name)
    for metric, value in utilization(interface, rates).items():
        yield Metric(metric, value, "%", name)


def utilization(interface: Interface, rates: Mapping[str, float]) -> dict[str, float]:
    """% of the interface's speed, each direction. Over 100 when the speed written on the device is too low."""
    pairs = (("ifInUtilization", "ifInBits"), ("ifOutUtilization", "ifOutBits"))
    if not interface.speed:
        return {}
    return {name: 100 * rates[bits] / interface.speed for name, bits in pairs if bits in rates}


def required(wanted: Sequence[str], interfaces: Sequence[Interface], seen: frozenset[str]) -> Iterator[Finding]:
    """What is wrong with interfaces that must be up. ``seen`` are those wanted that were there in an earlier run."""
    for want in wanted:
        found = [i for i in interfaces if want in (i.name, i.alias, i.descr)]
        if not found:
            yield _absent(want, interfaces, seen)
        for interface in found:
            finding = _not_up(interface)
            if finding is not None:
                yield finding


def _absent(want: str, interfaces: Sequence[Interface], seen: frozenset[str]) -> Finding:
    if want in seen:
        return Finding(State.CRIT, "interface-gone", f"interface {want} is gone from the device")
    known = [name for i in interfaces for name in (i.name, i.alias, i.descr) if name]
    near = difflib.get_close_matches(want, known, n=1)
    hint = f"did you mean {near[0]!r}?" if near else "correct require_up, or the filter of interfaces"
    return Finding(State.UNKNOWN, "no-such-interface", f"no interface is called {want!r}: {hint}")


def _not_up(interface: Interface) -> Finding | None:
    name = f"{interface.name} ({interface.alias})" if interface.alias else interface.name
    if interface.admin == mib.DOWN:
        return Finding(State.CRIT, "interface-disabled", f"interface {name} is shut down by its administrator")
    if interface.oper == mib.UP:
        return None
    status = mib.OPER_STATUS.get(interface.oper, "unknown")
    if status == "unknown":
        return Finding(State.UNKNOWN, "interface-unknown", f"the device cannot tell whether interface {name} is up")
    return Finding(State.CRIT, "interface-down", f"interface {name} is {status}, must be up")


def levels(
    interface: Interface, rates: Mapping[str, float], limits: Thresholds, previous: Mapping[str, State]
) -> Iterator[Finding]:
    """What of one interface's load and errors is beyond a level. ``previous`` has the states of the last run."""
    load = max(utilization(interface, rates).values(), default=None)
    errors = [rates[name] for name in ("ifInErrors", "ifOutErrors") if name in rates]
    for kind, value, level, unit in (
        ("utilization", load, limits.utilization, " %"),
        ("errors", sum(errors) if errors else None, limits.errors, "/s"),
    ):
        subject = f"{kind} {interface.name}"
        if value is None:
            continue
        state = judge(value, level, previous.get(subject, State.OK))
        if state is not State.OK:
            text = f"{kind} of {interface.name} is {value:.3g}{unit}"
            yield Finding(state, kind, text, subject)


def conclude(name: str, findings: Sequence[Finding], metrics: tuple[Metric, ...], facts: Mapping[str, str]) -> Outcome:
    """The outcome: the worst finding first, up to three of them."""
    if not findings:
        return Outcome(State.OK, f"{name}: SNMP answers", answered=True, metrics=metrics, facts=facts)
    ranked = sorted(findings, key=lambda finding: -finding.state.rank)
    more = f" and {len(ranked) - 3} more" if len(ranked) > 3 else ""
    summary = f"{name}: {'; '.join(finding.text for finding in ranked[:3])}{more}"
    return Outcome(
        worst(finding.state for finding in ranked),
        summary,
        ranked[0].reason,
        answered=True,
        metrics=metrics,
        facts=facts,
    )
