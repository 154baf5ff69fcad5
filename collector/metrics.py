"""/metrics: the collector's own health and the province's coverage, for Prometheus."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.centre import Centre

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def exposition(centre: Centre) -> bytes:
    """The metrics in Prometheus' text format; with those of the STAMP reflector where there is one."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Source(lambda: _families(centre)))
    if centre.settings.listen.reflector:
        registry.register(_Source(lambda: _stamp(centre)))
    return generate_latest(registry)


class _Source(Collector):
    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _stamp(centre: Centre) -> Iterable[Metric]:
    packets = CounterMetricFamily(
        "thongsuot_stamp_packets", "STAMP test packets, by what became of them.", labels=("outcome",)
    )
    for outcome, count in dataclasses.asdict(centre.beats.counters).items():
        packets.add_metric((outcome,), count)
    yield packets
    for name, about, value in (
        ("expected", "Agents whose STAMP sessions are answered.", centre.beats.expected),
        ("alive", "Agents whose beats come.", centre.watch.beating),
    ):
        yield GaugeMetricFamily(f"thongsuot_stamp_sessions_{name}", about, value=value)


def _families(centre: Centre) -> Iterable[Metric]:
    counters, now = centre.ingest.counters, centre.answers.overview()
    for name, about, value in (
        ("reports", "Reports taken from agents.", counters.reports),
        ("measurements", "Measurements taken.", counters.measurements),
        ("values", "Values taken.", counters.values),
        ("measurements_repeated", "Measurements that came again and changed nothing.", counters.repeated),
        ("report_bytes", "Bytes of reports as sent.", counters.bytes),
        ("measurements_foreign", "Measurements dropped: not the agent's to report.", centre.pipeline.foreign),
        ("measurements_lost", "Measurements that agents had and lost.", centre.journal.lost()),
        ("points_quarantined", "Points that the store refused.", centre.store.quarantined),
    ):
        yield CounterMetricFamily(f"thongsuot_{name}", about, value=value)
    refused = CounterMetricFamily("thongsuot_reports_refused", "Reports refused.", labels=("reason",))
    for reason, count in counters.refused.items():
        refused.add_metric((reason,), count)
    yield refused
    for name, about, value in (
        ("journal_entries", "Reports in the journal that the store has not settled.", centre.journal.depth),
        ("store_up", "1 while the store takes what it is given.", int(not centre.drain.away)),
        ("agents_reporting", "Agents with a live report within the proof window.", now.agents_reporting),
        ("agents_expected", "Agents that the topology expects.", now.agents_expected),
        ("incidents_open", "Open incidents.", centre.watch.open_incidents),
    ):
        yield GaugeMetricFamily(f"thongsuot_{name}", about, value=value)
    offices = GaugeMetricFamily("thongsuot_offices", "Required offices, by how they are.", labels=("tier", "state"))
    for share in now.coverage.by_tier:
        for state in ("connected", "down", "unobserved"):
            offices.add_metric((share.id, state), getattr(share, state))
    yield offices
