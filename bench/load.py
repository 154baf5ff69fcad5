"""A province's traffic, made before the clock starts: the reports of many agents, and the same points as lines.

Each agent measures its host and four routers every 30 s, ten numbers each, and sends two rounds of that in a report:
100 values. Some move as they like, others creep, repeat or stand still, as the numbers of real nodes do.
"""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import Iterator, Sequence

import msgspec

from agent.outbox import Outbox
from agent.wire import CONTENT_TYPE, Lane, encode
from checks.model import Measurement, Metric, Outcome, State, parse_job_id
from checks.net.http1 import Connection
from collector.pipeline import DURATION, STATE
from collector.store.lineproto import Form, form, lines
from collector.store.model import SeriesKey

AGENTS = 60
INTERVAL = 30_000
ROUNDS_IN_REPORT = 2
METRICS_OF_JOB = 10
VALUES_IN_REPORT = 100
POINTS_OF_JOB = METRICS_OF_JOB + 2
"""Its state and its run time are points too, here and at the peers; only the metrics are counted as values."""

Rows = list[tuple[int, Measurement]]
Point = tuple[str, str, str, float]
"""Metric, instance, unit, and what it begins at."""

_HOST: tuple[Point, ...] = (
    ("system.cpu.load_average.1m", "", "1", 0.2),
    ("system.cpu.utilization", "", "%", 12.0),
    ("system.memory.utilization", "", "%", 41.0),
    ("system.uptime", "", "s", 1e6),
    ("system.memory.usage", "", "By", 3.2e9),
    ("system.memory.limit", "", "By", 8.0e9),
    ("system.filesystem.utilization", "/", "%", 37.0),
    ("system.filesystem.usage", "/", "By", 2.1e10),
    ("system.filesystem.limit", "/", "By", 6.4e10),
    ("system.processes.count", "", "1", 143.0),
)
_INTERFACE: tuple[tuple[str, str, float], ...] = (
    ("ifOperStatus", "1", 1.0),
    ("ifSpeed", "bit/s", 1e9),
    ("ifHCInOctets", "bit/s", 4e6),
    ("ifInUtilization", "%", 0.4),
    ("ifInErrors", "1/s", 0.0),
)
_ROUTER: tuple[Point, ...] = tuple(
    (name, instance, unit, begin) for instance in ("wan0", "lan0") for name, unit, begin in _INTERFACE
)
_ROUTERS = ("r1", "r2", "r3", "r4")
_JOBS = (("host/agent", _HOST), *((f"snmp/{router}", _ROUTER) for router in _ROUTERS))

_TOPOLOGY = """
province: {name: Bench, name_en: Bench, timezone: Asia/Ho_Chi_Minh}
tiers: [{id: province, vi: Tỉnh, en: Province}, {id: commune, vi: Xã, en: Commune}]
categories: [{id: agency, vi: UBND, en: Agency}]
templates:
  centre: {tier: province, measured_by: self, checks: [{check: host}]}
  commune:
    tier: commune
    measured_by: self
    checks: [{check: host}]
    devices: [DEVICES]
    probe: {off: true}
    offices: [{id: committee, vi: UBND, category: agency}]
nodes:
  - {id: centre, name: Centre, template: centre}
"""


class Traffic(msgspec.Struct):
    """What one agent sends, in order: reports as the collector takes them, and the same points as gzipped lines."""

    agent: str
    reports: list[bytes]
    writes: list[bytes]


class Sender(msgspec.Struct):
    """What goes over one kept connection: the headers of every request, and the bodies in order."""

    headers: dict[str, str]
    bodies: list[bytes]


def agents() -> list[str]:
    """The nodes that report."""
    return [f"n{number:03}" for number in range(AGENTS)]


def topology_text() -> str:
    """A topology in which these agents have these jobs, so that the collector judges what they report."""
    devices = [
        f"{{id: {name}, kind: router, host: {n}, checks: [{{check: snmp}}]}}" for n, name in enumerate(_ROUTERS, 1)
    ]
    nodes = [
        f"  - {{id: {agent}, name: {agent}, template: commune, parent: centre, prefix: 10.0.{number}.0/24}}\n"
        for number, agent in enumerate(agents())
    ]
    return _TOPOLOGY.replace("DEVICES", ", ".join(devices)) + "".join(nodes)


def traffic(agent: str, reports: int, end: int) -> Traffic:
    """An agent's traffic of so many reports, up to ``end`` (Unix ms). The same arguments give the same bytes."""
    chance = random.Random(agent)
    outbox, forms = Outbox(agent, chance), dict[SeriesKey, tuple[int, Form]]()
    made = Traffic(agent, [], [])
    for rows in _reports(agent, reports, end, chance):
        # All say that they are sent at the end: so by the collector's clock too, which is set by that, each measurement
        # is newer than the one before, and is judged.
        report = outbox.compose(Lane.LIVE, 1, rows, [], end)
        outbox.acknowledged(report)
        made.reports.append(encode(report))
        made.writes.append(gzip.compress(_lines(rows, forms), mtime=0))
    return made


def _reports(agent: str, count: int, end: int, chance: random.Random) -> Iterator[Rows]:
    state = {(job, name, instance): begin for job, metrics in _JOBS for name, instance, _, begin in metrics}
    rows: Rows = []
    rounds = count * ROUNDS_IN_REPORT
    for number in range(rounds):
        for place, (job, metrics) in enumerate(_JOBS):
            at = end - (rounds - number) * INTERVAL + 4000 * place + chance.randrange(8)
            values = []
            for name, instance, unit, _ in metrics:
                state[job, name, instance] = _next(name, unit, state[job, name, instance], chance)
                values.append(Metric(name, state[job, name, instance], unit, instance))
            outcome = Outcome(State.OK, "all is well", answered=True, metrics=tuple(values))
            rows.append((len(_JOBS) * number + place + 1, Measurement(f"{agent}/{job}", at, chance.random(), outcome)))
        if (number + 1) % ROUNDS_IN_REPORT == 0:
            yield rows
            rows = []


def _next(name: str, unit: str, before: float, chance: random.Random) -> float:
    if unit == "bit/s" and name != "ifSpeed":
        return chance.expovariate(1 / 4e6)
    if unit == "%":
        return round(min(100.0, max(0.0, before + chance.uniform(-1, 1))), 2)
    if name in ("system.memory.usage", "system.filesystem.usage"):
        return before + 4096 * chance.randrange(-500, 500)
    if name == "system.cpu.load_average.1m":
        return round(chance.uniform(0, 1), 2)
    return before + 30 if name == "system.uptime" else before


def _lines(rows: Rows, forms: dict[SeriesKey, tuple[int, Form]]) -> bytes:
    """As our own store writes them to InfluxDB: the fields of one moment in one line."""
    points = []
    for _, measurement in rows:
        outcome = measurement.outcome
        own = (Metric(STATE, outcome.state.rank, "1"), Metric(DURATION, round(measurement.duration, 6), "s"))
        for metric in (*own, *outcome.metrics):
            job = parse_job_id(measurement.job)
            key = SeriesKey(job.node, job.check, job.label, metric.name, metric.instance, metric.unit)
            known = forms.setdefault(key, (len(forms), form(key, name_check=False)))
            points.append((known[0], measurement.at, metric.value))
    by_number = dict(forms.values())
    return "\n".join(line.text for line in lines(points, by_number)).encode()


def to_collector(bodies: Sequence[bytes], token: str) -> Sender:
    """As the agent's uplink sends them."""
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json", "Content-Type": CONTENT_TYPE}
    return Sender(headers, list(bodies))


def post_all(port: int, target: str, senders: Sequence[Sender]) -> None:
    """Posts everything to loopback, each sender over its own connection, one request after another's answer.

    Raises RuntimeError at the first answer that is not a success. To be run in a process of its own.
    """
    asyncio.run(_post_all(port, target, senders))


async def _post_all(port: int, target: str, senders: Sequence[Sender]) -> None:
    async with asyncio.TaskGroup() as group:
        for sender in senders:
            group.create_task(_post(port, target, sender))


async def _post(port: int, target: str, sender: Sender) -> None:
    async with await Connection.open("127.0.0.1", port) as connection:
        for body in sender.bodies:
            answer = await connection.request("POST", target, sender.headers, body)
            if answer.status >= 300:
                raise RuntimeError(f"port {port}: POST {target}: {answer.status} {answer.body[:300]!r}")
