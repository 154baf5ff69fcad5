"""A province in memory: the read side of the collector, for the page's tests alone."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import math
from collections.abc import Iterable, Sequence

from collector.view import (
    AlertView,
    CertificateView,
    CoverageView,
    EventView,
    FactChangeView,
    GapView,
    IncidentView,
    JobView,
    LinkView,
    MetricView,
    NodePage,
    NodeView,
    OfficeView,
    Overview,
    ReachWord,
    SeriesView,
    ShareView,
    StateWord,
    VersionView,
)

NOW = 1_780_000_000_000
CATEGORIES = {
    "party": ("Cấp ủy Đảng", "Party committees"),
    "council": ("Hội đồng nhân dân", "People's Councils"),
    "committee": ("Cơ quan thuộc UBND", "Agencies under People's Committees"),
    "front": ("Mặt trận Tổ quốc và tổ chức chính trị - xã hội", "Fatherland Front and socio-political organisations"),
}
TIERS = {"province": ("Cấp tỉnh", "Province"), "district": ("Cấp huyện", "District"), "commune": ("Cấp xã", "Commune")}

Place = tuple[str, str, float, float, Sequence[tuple[str, str, float, float]]]
SMALL: Sequence[Place] = (
    (
        "058",
        "Thành phố Bắc Kạn",
        22.144,
        105.834,
        (
            ("01834", "Phường Nguyễn Thị Minh Khai", 22.154, 105.845),
            ("01840", "Phường Đức Xuân", 22.141, 105.843),
            ("01843", "Phường Phùng Chí Kiên", 22.141, 105.843),
        ),
    ),
    ("060", "Huyện Pác Nặm", 22.625, 105.664, (("01858", "Xã Bằng Thành", 22.69, 105.7),)),
)


def province(places: Iterable[Place] = SMALL, *, reach: dict[str, ReachWord] | None = None) -> Province:
    """A province of districts with their communes; ``reach`` of those nodes that are not connected, by id."""
    reach = reach or {}
    nodes = [_node(("006", "Trung tâm tỉnh Bắc Kạn", 22.147, 105.837), "province", None, reach)]
    for code, name, lat, lon, communes in places:
        nodes.append(_node((code, name, lat, lon), "district", "bk", reach))
        nodes += [_node(commune, "commune", f"d{code}", reach) for commune in communes]
    return Province(nodes)


def _node(place: tuple[str, str, float, float], tier: str, above: str | None, reach: dict[str, ReachWord]) -> NodeView:
    code, name, lat, lon = place
    id_ = {"province": "bk", "district": f"d{code}", "commune": f"c{code}"}[tier]
    how = reach.get(id_, "connected")
    states: dict[ReachWord, StateWord] = {"connected": "OK", "down": "CRIT", "unobserved": "UNKNOWN"}
    return NodeView(
        id=id_,
        name=name,
        tier=tier,
        parent=above,
        branch=None if tier == "province" else id_ if tier == "district" else above,
        code=code,
        lat=lat,
        lon=lon,
        offices=len(CATEGORIES),
        reach=how,
        state=states[how],
        proven_at=NOW - (4_000 if how == "connected" else 400_000),
        measured_by=(above or id_) if tier == "commune" else id_,
        simulated=tier == "commune",
    )


def share(id_: str, vi: str, en: str, nodes: Sequence[NodeView], offices: int = len(CATEGORIES)) -> ShareView:
    """The offices of some nodes, counted."""
    count = {how: sum(offices for n in nodes if n.reach == how) for how in ("connected", "down", "unobserved")}
    required = offices * len(nodes)
    percent = math.floor(1e4 * count["connected"] / required) / 100 if required else None
    return ShareView(id_, vi, en, required, count["connected"], count["down"], count["unobserved"], percent)


class Province:
    """Implements collector.reading.Readings over a list of nodes that tests may change."""

    def __init__(self, nodes: list[NodeView]) -> None:
        self.all = {node.id: node for node in nodes}
        self.opened: list[IncidentView] = []
        self.lost: list[GapView] = []
        self.shown: list[CertificateView] = []
        self.changed: list[FactChangeView] = []
        self.jobs: dict[str, list[JobView]] = {}
        self.simulated = ""
        self.now = NOW
        self.queues: set[asyncio.Queue[bytes]] = set()
        self.samples: list[SeriesView] = []

    def change(self, node: str, reach: ReachWord) -> None:
        """A node is reached, or no longer."""
        self.all[node] = dataclasses.replace(self.all[node], reach=reach)

    def rename(self, node: str, name: str) -> None:
        """Gives a node another name."""
        self.all[node] = dataclasses.replace(self.all[node], name=name)

    def publish(self, event: str, data: object) -> None:
        """Sends an event to every page that is open."""
        for queue in self.queues:
            queue.put_nowait(f"event: {event}\ndata: {json.dumps(data)}\n\n".encode())

    def end_streams(self) -> None:
        """Ends every stream of events."""
        for queue in self.queues:
            queue.put_nowait(b"")

    def overview(self) -> Overview:
        return Overview(
            at=self.now,
            province="Tỉnh Bắc Kạn",
            province_en="Bắc Kạn province",
            day="2025-06-30",
            root="bk",
            simulated=self.simulated,
            coverage=self.coverage(),
            nodes=self.nodes(),
            incidents=self.incidents(open_only=True),
            agents_reporting=9,
            agents_expected=9,
        )

    def coverage(self) -> CoverageView:
        nodes = self.nodes()
        tiers = [share(t, vi, en, [n for n in nodes if n.tier == t]) for t, (vi, en) in TIERS.items()]
        branches = [
            share(n.id, n.name, n.name, [m for m in nodes if m.branch == n.id]) for n in nodes if n.tier == "district"
        ]
        kinds = [share(c, vi, en, nodes, 1) for c, (vi, en) in CATEGORIES.items()]
        total = share("all", "Toàn tỉnh", "Province", nodes)
        return CoverageView(self.now, total, tiers, branches, kinds)

    def nodes(self) -> list[NodeView]:
        return list(self.all.values())

    def node(self, node: str) -> NodePage:
        found = self.all[node]
        return NodePage(
            node=found,
            offices=[OfficeView(f"{node}-{c}", f"{vi} {found.name}", c) for c, (vi, _) in CATEGORIES.items()],
            links=[LinkView("wan1", "wan", "primary", found.parent, "Provider A")] if found.parent else [],
            jobs=self.jobs.get(node, []),
            children=[n for n in self.nodes() if n.parent == node],
            incidents=self.incidents(node=node),
            gaps=self.gaps(node=node),
            changes=self.fact_changes(node=node),
        )

    def fact_changes(self, *, node: str | None = None, limit: int = 200) -> list[FactChangeView]:
        return [change for change in self.changed if node in (None, change.node)][:limit]

    def certificates(self) -> list[CertificateView]:
        return self.shown

    def gaps(self, *, node: str | None = None, limit: int = 200) -> list[GapView]:
        return [gap for gap in self.lost if node in (None, gap.agent)][:limit]

    def incidents(self, *, open_only: bool = False, node: str | None = None, limit: int = 200) -> list[IncidentView]:
        listed = [i for i in self.opened if (not open_only or i.closed_at is None) and node in (None, i.node)]
        return sorted(listed, key=lambda i: -i.opened_at)[:limit]

    def incident(self, number: int) -> IncidentView:
        return {i.id: i for i in self.opened}[number]

    async def versions(self, job: str) -> list[VersionView]:
        raise KeyError(job)

    async def series(
        self, node: str, metric: str | None, start: int, end: int, check: str | None = None
    ) -> list[SeriesView]:
        if node not in self.all:
            raise KeyError(node)
        wanted = [s for s in self.samples if metric in (None, s.metric) and check in (None, s.check)]
        return [_cut(s, start, end) for s in wanted]

    def subscribe(self) -> asyncio.Queue[bytes]:
        queue: asyncio.Queue[bytes] = asyncio.Queue(64)
        self.queues.add(queue)
        return queue

    def unsubscribe(self, queue: asyncio.Queue[bytes]) -> None:
        self.queues.discard(queue)


def _cut(series: SeriesView, start: int, end: int) -> SeriesView:
    kept = [(at, value) for at, value in zip(series.at, series.values, strict=True) if start <= at < end]
    return dataclasses.replace(series, at=[at for at, _ in kept], values=[value for _, value in kept])


def incident(number: int, node: NodeView, *, severity: str = "critical", closed_at: int | None = None) -> IncidentView:
    """An incident of a node, with an alert and a timeline."""
    since = NOW - 300_000 * number
    alert = AlertView(node.id, f"{node.id}/ping/wan", severity, "no answer to 5 of 5 pings", since)
    title = f"{node.name} mất kết nối"
    events = [
        EventView(since, "opened", title),
        EventView(since + 4_000, "alert", f"{alert.job}: {alert.summary}"),
    ]
    closed_by = "recovery" if closed_at else ""
    return IncidentView(
        number, node.id, node.name, title, severity, since, closed_at, closed_by, node.offices, [], [alert], events
    )


def jobs_of(node: NodeView) -> list[JobView]:
    """What is usually measured at a node."""
    down = node.reach == "down"
    interfaces = (("wan0", 8.2e6, 1.3e6), ("lan0", 1.1e6, 7.9e6), ("tun0", 4e5, 3e5))
    metrics = [MetricView("snmp.response_time", "", 0.0123, "s")]
    for name, inward, outward in interfaces:
        metrics += [
            MetricView("ifAdminStatus", name, 1, "1"),
            MetricView("ifOperStatus", name, 1, "1"),
            MetricView("ifSpeed", name, 1e8, "bit/s"),
            MetricView("ifInBits", name, inward, "bit/s"),
            MetricView("ifOutBits", name, outward, "bit/s"),
            MetricView("ifInUtilization", name, inward / 1e6, "%"),
            MetricView("ifOutUtilization", name, outward / 1e6, "%"),
            MetricView("ifInErrors", name, 0, "1/s"),
            MetricView("ifOutErrors", name, 0, "1/s"),
        ]
    by, since = node.measured_by, NOW - 7_200_000
    return [
        JobView(
            id=f"{node.id}/ping/wan",
            check="ping",
            label="wan",
            target="10.66.1.1",
            measured_by=by,
            interval=10,
            state="CRIT" if down else "OK",
            reason="timeout" if down else "",
            summary="10.66.1.1: no answer to 5 of 5 echo requests" if down else "10.66.1.1 answers",
            answered=not down,
            at=NOW - 5_000,
            since=NOW - 400_000 if down else since,
            stale=False,
            metrics=[MetricView("rtt", "", 0.018, "s"), MetricView("loss", "", 0, "%")],
        ),
        JobView(
            id=f"{node.id}/snmp/router",
            check="snmp",
            label="router",
            target="10.66.1.1",
            measured_by=by,
            interval=30,
            state="WARN",
            reason="utilization",
            summary="wan0: 91 % of its speed outward, more than 90 %",
            answered=True,
            at=NOW - 70_000,
            since=NOW - 900_000,
            stale=True,
            facts={"sysName": f"r-{node.code}", "sysDescr": "FRRouting 8.4.4 on Linux"},
            metrics=metrics,
        ),
        JobView(
            id=f"{node.id}/tls/portal",
            check="tls",
            label="portal",
            target="portal.example.vn:443",
            measured_by=by,
            interval=3600,
            state="UNKNOWN",
            reason="",
            summary="",
            answered=False,
            at=0,
            since=0,
            stale=False,
        ),
    ]


def samples(start: int, end: int) -> list[SeriesView]:
    """A link's quality and traffic every 10 s and 30 s, with a hole where nothing was measured and a lossy spell."""
    third = (end - start) // 3
    at = [t for t in range(start, end, 10_000) if not start + third < t < start + third + 400_000]
    lossy = range(start + 2 * third, start + 2 * third + 200_000)
    rtt = [
        0.018 + 0.004 * math.sin(t / 2e5) + (0.03 if t in lossy else 0) + (t // 10_000 * 7919 % 13) / 5e3 for t in at
    ]
    loss = [40.0 if t in lossy else 0.0 for t in at]
    made = [
        SeriesView("ping", "wan", "rtt", "", "s", at, rtt),
        SeriesView("ping", "wan", "loss", "", "%", at, loss),
    ]
    for n, name in enumerate(("wan0", "lan0", "tun0", "mgmt0", "spare0")):
        slow = at[::3]
        inward = [8e6 / (n + 1) * (1 + 0.4 * math.sin(t / 3e5 + n)) for t in slow]
        made.append(SeriesView("snmp", "router", "ifInBits", name, "bit/s", slow, inward))
        made.append(SeriesView("snmp", "router", "ifOutBits", name, "bit/s", slow, [v / 3 for v in inward]))
    return made
