"""A node's links with what their jobs last measured: state, quality, load, and which one carries the traffic. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from checks.model import State, worst
from collector.view import JobView, LinkView
from collector.web.charts import LOSS, RTT
from collector.web.figures import quantity
from collector.web.words import Language

CHECKS: Final = ("wan", "vpn", "stamp", "ping")
"""What tells of a link; what says most of it comes first."""


@dataclass(frozen=True)
class Line:
    """A link as the page writes it. What was not measured is empty; ``carries`` is None where nobody can tell which
    line the traffic takes. ``verdict`` is the one of the check ``vpn``."""

    link: LinkView
    state: str = ""
    verdict: str = ""
    carries: bool | None = None
    rtt: str = ""
    loss: str = ""
    inward: str = ""
    outward: str = ""
    stale: bool = False


def lines(links: Sequence[LinkView], jobs: Sequence[JobView], language: Language) -> list[Line]:
    """The links in the order of the register. A link's jobs are those that are named by its id."""
    taken, known = _taken(jobs), [link.role for link in links if link.kind == "wan"]
    return [
        _line(link, [job for job in jobs if _tells_of(job, link)], _carries(link, taken, known), language)
        for link in links
    ]


def _carries(link: LinkView, taken: set[str], known: Sequence[str]) -> bool | None:
    """Whether a line's role is the one taken. A tunnel is no line, and of two lines of a role nobody knows which."""
    if not taken or link.kind != "wan":
        return None
    if link.role not in taken:
        return False
    return True if known.count(link.role) == 1 else None


def _tells_of(job: JobView, link: LinkView) -> bool:
    return job.check in CHECKS and job.label == link.id and job.at > 0


def _taken(jobs: Iterable[JobView]) -> set[str]:
    """The roles of the lines that packets were just seen to take: any ``wan`` job of the node may tell."""
    fresh = (job for job in jobs if job.check == "wan" and job.answered and not job.stale)
    return {job.facts["line"] for job in fresh if "line" in job.facts}


def _line(link: LinkView, jobs: Sequence[JobView], carries: bool | None, language: Language) -> Line:
    if not jobs:
        return Line(link, carries=carries)
    known = sorted(jobs, key=lambda job: CHECKS.index(job.check))

    def written(names: Iterable[str]) -> str:
        found = (
            m for job in known for name in names for m in job.metrics if m.name == name and not _windowed(m.instance)
        )
        return next((quantity(metric.value, metric.unit, language) for metric in found), "")

    return Line(
        link,
        state=worst(State(job.state) for job in jobs).value,
        verdict=next((job.facts["verdict"] for job in known if "verdict" in job.facts), ""),
        carries=carries,
        rtt=written(RTT),
        loss=written(LOSS),
        inward=written(("ifInUtilization",)),
        outward=written(("ifOutUtilization",)),
        stale=all(job.stale for job in jobs),
    )


def _windowed(instance: str) -> bool:
    """Whether a number is of the last several runs, not of the last."""
    return instance == "window"
