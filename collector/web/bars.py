"""Shares of 100 % as bars: processors, memory, DHCP pools. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from collector.view import JobView, MetricView
from collector.web.figures import quantity
from collector.web.words import Language


@dataclass(frozen=True)
class Bar:
    """``percent`` is how far the bar goes, ``written`` the same for people, ``note`` of how much it is a share."""

    name: str
    percent: float
    written: str
    note: str = ""
    well: bool = True


def bars(metrics: Iterable[MetricView], share: str, used: str, total: str, language: Language) -> Iterator[Bar]:
    """A bar of each instance of the metric ``share`` (in %). ``used`` and ``total`` name the metrics of its note, which
    is empty where they were not measured."""
    known = {(metric.name, metric.instance): metric for metric in metrics}
    for (name, instance), metric in known.items():
        if name == share:
            parts = [known.get((other, instance)) for other in (used, total)]
            note = " / ".join(quantity(part.value, part.unit, language) for part in parts if part is not None)
            yield Bar(
                instance,
                min(max(metric.value, 0.0), 100.0),
                quantity(metric.value, "%", language),
                note if all(parts) else "",
            )


def pools(jobs: Iterable[JobView], language: Language) -> list[Bar]:
    """The DHCP pools that were measured, the fullest first."""
    found = (
        bar
        for job in jobs
        if job.check == "dhcp"
        for bar in bars(job.metrics, "dhcp.pool.utilization", "dhcp.pool.used", "dhcp.pool.total", language)
    )
    return sorted(found, key=lambda bar: -bar.percent)
