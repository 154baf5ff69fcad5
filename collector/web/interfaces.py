"""A node's interfaces as a table, from the metrics of its SNMP jobs. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from checks.snmp.mib import DOWN, OPER_STATUS
from collector.view import JobView, MetricView
from collector.web.figures import quantity
from collector.web.words import Language


@dataclass(frozen=True)
class Interface:
    """An interface as the page writes it."""

    name: str
    status: str
    speed: str
    inward: str
    outward: str
    errors: str
    discards: str


NONE: Final = "–"


def interfaces(jobs: Iterable[JobView], language: Language) -> list[Interface]:
    """The interfaces that the SNMP jobs saw, in the order they were measured."""
    found: dict[str, dict[str, MetricView]] = {}
    for job in jobs:
        if job.check == "snmp":
            for metric in job.metrics:
                if metric.instance and metric.name.startswith("if"):
                    found.setdefault(metric.instance, {})[metric.name] = metric
    return [_interface(name, metrics, language) for name, metrics in found.items()]


def _interface(name: str, metrics: Mapping[str, MetricView], language: Language) -> Interface:
    def written(metric: str) -> str:
        one = metrics.get(metric)
        return NONE if one is None else quantity(one.value, one.unit, language)

    def both(metric: str) -> str:
        inward, outward = written(f"ifIn{metric}"), written(f"ifOut{metric}")
        return NONE if inward == outward == NONE else f"{inward}, {outward}"

    def direction(way: str) -> str:
        share = metrics.get(f"if{way}Utilization")
        rate = written(f"if{way}Bits")
        return rate if share is None else f"{rate} ({quantity(share.value, share.unit, language)})"

    return Interface(
        name, _status(metrics), written("ifSpeed"), direction("In"), direction("Out"), both("Errors"), both("Discards")
    )


def _status(metrics: Mapping[str, MetricView]) -> str:
    admin, oper = metrics.get("ifAdminStatus"), metrics.get("ifOperStatus")
    if admin is not None and int(admin.value) == DOWN:
        return "admin down"
    return NONE if oper is None else OPER_STATUS.get(int(oper.value), str(int(oper.value)))
