"""From what was seen of a line to an outcome. Pure, but for the levels that the job's memory keeps."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Final

from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome, State, worst
from checks.stamp.session import percentile
from checks.wan.access import Load
from checks.wan.history import Window
from checks.wan.mtu import Search
from checks.wan.params import WanParams
from checks.wan.path import Carrier, Path, line
from checks.wan.quality import Quality

_WAYS: Final = {"forward": "on the way there", "backward": "on the way back", "": "of the round trip"}
_DIRECTIONS: Final = {"ifInUtilization": "in", "ifOutUtilization": "out"}
_QUEUE: Final = 0.010
"""Seconds by which round trips must have grown, beside being twice the fastest, to speak of a queue."""


@dataclasses.dataclass(frozen=True)
class Seen:
    """What was seen of a line in one run. ``fastest`` is the shortest round trip on this path (s). What was not asked
    for is None. ``trouble`` is why the access interface is not known."""

    quality: Quality
    window: Window
    fastest: float
    load: Load | None = None
    trouble: str = ""
    path: Path | None = None
    mtu: Search | None = None


def judge(place: str, seen: Seen, params: WanParams, memory: dict[str, Any]) -> Outcome:
    """The outcome of a run that something came back of."""
    carrier = line(seen.path.hops, params.path.primary, params.path.backup) if seen.path else None
    findings = [
        *_quality(seen, params, memory),
        *_interface(seen.load, seen.trouble),
        *_carrier(seen.path, carrier, params),
        *_mtu(seen.mtu),
    ]
    facts = {"path": str(seen.path or ""), "line": carrier or "", "mtu": str((seen.mtu and seen.mtu.found) or "")}
    return conclude(
        place,
        "the line carries traffic",
        findings,
        metrics=[*quality_metrics(seen.quality, seen.window), *_other_metrics(seen)],
        facts={name: value for name, value in facts.items() if value},
    )


def down(place: str, quality: Quality, path: Path | None, load: Load | None) -> Outcome:
    """The outcome of a run that nothing came back of: how far one gets, and whether the access interface is up."""
    refusal = quality.refusal
    said = f"{refusal.words}, says {refusal.source}" if refusal else f"no answer to {quality.loss.of} packets"
    clauses = [said]
    reached = path is not None and path.reached
    if reached:
        clauses.append("the far end answered a later one")
    elif path is not None and refusal is None:
        heard = path.heard
        clauses.append(f"the last on the way that answers is {heard[-1]}" if heard else "nothing on the way answers")
    if load is not None and load.down:
        clauses.append(f"the access interface {load.interface.name} is down")
    metrics = (Metric("wan.loss", 100.0, "%"), *(_load_metrics(load) if load else ()))
    reason = "loss" if reached else "unreachable" if refusal else "timeout"
    return Outcome(State.CRIT, f"{place}: {'; '.join(clauses)}", reason, answered=reached, metrics=metrics)


def _quality(seen: Seen, params: WanParams, memory: dict[str, Any]) -> Iterator[Finding]:
    """Loss, delay and load. Together they are congestion, one thing with one cause."""
    quality = seen.quality
    p95 = percentile(quality.times, 95)
    lost = Finding(level(memory, "loss", quality.loss.percent, params.loss), "loss", _lost(quality))
    slow = Finding(
        level(memory, "rtt", p95, params.rtt), "slow", f"slow: the 95th percentile of round trips takes {p95:.3g} s"
    )
    busy = list(_busy(seen.load, params.utilization, memory))
    median = percentile(quality.times, 50)
    queue = median >= max(2 * seen.fastest, seen.fastest + _QUEUE)
    suffering = [finding for finding in (lost, slow) if finding.state is not State.OK]
    if busy and (queue or suffering):
        clauses = [
            *(f.text for f in busy),
            f"the median round trip takes {median:.3g} s, the fastest {seen.fastest:.3g} s",
        ]
        clauses += [lost.text] if quality.loss.lost else []
        yield Finding(worst(f.state for f in (*busy, *suffering)), "congested", f"congested: {', '.join(clauses)}")
    else:
        yield from (lost, slow, *busy)
    for way, value in quality.jitter.items():
        state = level(memory, f"jitter.{way}", value, params.jitter)
        yield Finding(state, "jitter", f"jitter of {value:.3g} s {_WAYS[way]}")
    if quality.trouble:
        yield Finding(State.WARN, "reflector", f"{quality.trouble}; measured by echo, loss has no direction")


def _lost(quality: Quality) -> str:
    """What was lost, and where, as far as it is known."""
    text = f"{quality.loss.lost} of {quality.loss.of} packets lost"
    ways = {"forward": quality.forward, "backward": quality.backward}
    parts = [f"{loss.lost} {_WAYS[way]}" for way, loss in ways.items() if loss is not None]
    if parts:
        return f"{text}: {', '.join(parts)}"
    refusal = quality.refusal
    return f"{text} ({refusal.words}, says {refusal.source})" if refusal else text


def _busy(load: Load | None, levels: Levels, memory: dict[str, Any]) -> Iterator[Finding]:
    for name, percent in load.utilization.items() if load else ():
        state = level(memory, name, percent, levels)
        if load is not None and state is not State.OK:
            text = f"{percent:.3g} % of {load.capacity / 1e6:g} Mbit/s {_DIRECTIONS[name]} by {load.interface.name}"
            yield Finding(state, "utilization", text)


def _interface(load: Load | None, trouble: str) -> Iterator[Finding]:
    if trouble:
        yield Finding(State.UNKNOWN, "access-unknown", f"the access interface is not known: {trouble}")
    if load is not None and load.down:
        text = f"the access interface {load.interface.name} is down: the far end is reached another way"
        yield Finding(State.CRIT, "access-down", text)


def _carrier(path: Path | None, carrier: Carrier | None, params: WanParams) -> Iterator[Finding]:
    if path is not None and carrier == "backup":
        by = next(hop for hop in path.hops if hop in params.path.backup)
        yield Finding(State.WARN, "on-backup", f"the backup line carries the traffic, by {by}")


def _mtu(search: Search | None) -> Iterator[Finding]:
    """A search that is over, and did not find all that was expected."""
    if search is None or search.passes == search.top:
        return
    if search.found is None:
        text = f"the path MTU is not known: no answer to echo requests of {search.floor} bytes"
        yield Finding(State.UNKNOWN, "mtu-untested", text)
    elif search.limit == "local":
        text = (
            f"the path MTU is not known: this agent's own interface carries no more than {search.found} bytes, "
            f"and {search.top} are expected"
        )
        yield Finding(State.UNKNOWN, "mtu-untested", text)
    elif search.limit == "told":
        text = f"the path MTU is {search.found}, {search.top} expected: packets of more are refused by {search.by}"
        yield Finding(State.WARN, "mtu", text)
    else:
        text = (
            f"packets of more than {search.found} bytes vanish without a word, {search.top} are expected to pass: "
            "connections with much to say hang"
        )
        yield Finding(State.WARN, "mtu-black-hole", text)


def quality_metrics(quality: Quality, window: Window) -> Iterator[Metric]:
    """Loss, round trips of the run and of the window of several, whose length is ``wan.window``, and jitter."""
    for name, loss in (("", quality.loss), (".forward", quality.forward), (".backward", quality.backward)):
        if loss is not None:
            yield Metric(f"wan.loss{name}", loss.percent, "%")
    yield Metric("wan.rtt.min", quality.times[0], "s")
    for instance, times in (("", quality.times), ("window", window.times)):
        for percent in (50, 95, 99):
            yield Metric(f"wan.rtt.p{percent}", percentile(times, percent), "s", instance)
    yield Metric("wan.window", window.seconds, "s")
    for way, value in quality.jitter.items():
        yield Metric(f"wan.jitter.{way}".rstrip("."), value, "s")


def _other_metrics(seen: Seen) -> Sequence[Metric]:
    metrics = list(_load_metrics(seen.load)) if seen.load else []
    if seen.path is not None and seen.path.reached:
        metrics.append(Metric("wan.hops", float(len(seen.path.hops)), "1"))
    if seen.mtu is not None and seen.mtu.found:
        metrics.append(Metric("wan.path_mtu", float(seen.mtu.found), "By"))
    return metrics


def _load_metrics(load: Load) -> Iterator[Metric]:
    name = load.interface.name
    yield Metric("ifOperStatus", float(load.interface.oper), "1", name)
    for rate, value in load.rates.items():
        yield Metric(rate, value, "bit/s" if rate.endswith("Bits") else "1/s", name)
    for metric, value in load.utilization.items():
        yield Metric(metric, value, "%", name)
