"""Answers what the page and the API ask, from memory and the store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from checks.contract import Clock
from checks.model import Job, State, worst
from checks.topology import Node, Register, Word
from collector.configs.office import Configs
from collector.coverage import Coverage, Reach, Share, coverage, reach
from collector.evidence import Evidence
from collector.inventory import Inventory
from collector.journal import Journal
from collector.live import JobState, Live
from collector.scope import Scope
from collector.store.model import Selector, Store
from collector.stream import Stream
from collector.view import (
    CertificateView,
    CoverageView,
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
    SeriesView,
    ShareView,
    VersionView,
)
from collector.watch import Watch

STALE_AFTER = 3.0
"""Intervals without a measurement after which a job's state is called stale."""


class Answers:
    """The read side of the collector. Implements ``reading.Readings``."""

    def __init__(
        self,
        *,
        scope: Callable[[], Scope],
        live: Live,
        evidence: Evidence,
        watch: Watch,
        inventory: Inventory,
        journal: Journal,
        store: Store,
        stream: Stream,
        clock: Clock,
        window: float,
        simulated: Mapping[str, str],
        configs: Configs,
    ) -> None:
        """``window`` is how long a proof holds in s. ``simulated`` maps nodes to what of them is not real."""
        self._scope = scope
        self._live = live
        self._evidence = evidence
        self._watch = watch
        self._inventory = inventory
        self._journal = journal
        self._store = store
        self._stream = stream
        self._clock = clock
        self._window = window
        self._simulated = simulated
        self._configs = configs

    def subscribe(self) -> asyncio.Queue[bytes]:
        return self._stream.subscribe()

    def unsubscribe(self, queue: asyncio.Queue[bytes]) -> None:
        self._stream.unsubscribe(queue)

    def judged(self) -> Coverage:
        """Coverage now."""
        return coverage(self._scope().register, self._evidence, self._clock.now(), self._window)

    def overview(self) -> Overview:
        register = self._scope().register
        now = self.judged()
        since = now.at - round(self._window * 1000)
        return Overview(
            at=now.at,
            province=register.province.name,
            province_en=register.province.name_en,
            day=register.day.isoformat(),
            root=register.root.id,
            simulated=next(iter(self._simulated.values()), ""),
            coverage=_coverage_view(register, now),
            nodes=self._node_views(now),
            incidents=self.incidents(open_only=True),
            agents_reporting=sum(self._evidence.reported_at.get(node, 0) >= since for node in register.agents),
            agents_expected=len(register.agents),
        )

    def coverage(self) -> CoverageView:
        return _coverage_view(self._scope().register, self.judged())

    def nodes(self) -> list[NodeView]:
        return self._node_views(self.judged())

    def node(self, node: str) -> NodePage:
        scope = self._scope()
        register = scope.register
        found = register.nodes[node]
        now = self._clock.now()

        def seen(each: Node) -> NodeView:
            jobs = (self._live.jobs.get(one.job.id) for one in scope.jobs_of(each.id))
            known = [job.state for job in jobs if job is not None]
            states = {each.id: worst(known)} if known else {}
            return self._node_view(scope, each, reach(self._evidence, each.id, now, self._window), states)

        return NodePage(
            node=seen(found),
            offices=[OfficeView(office.id, office.vi, office.category) for office in scope.offices_of(node)],
            links=[
                LinkView(link.id, link.kind, link.role, _far_end(found, link.to), link.provider) for link in found.links
            ],
            jobs=[self._job_view(one.job, one.agent, now) for one in scope.jobs_of(node)],
            children=[seen(child) for child in register.children(node)],
            incidents=self.incidents(node=node, limit=20),
            gaps=self.gaps(node=node, limit=20),
            changes=self.fact_changes(node=node, limit=20),
            configs=self._configs.views(one.job.id for one in scope.jobs_of(node)),
        )

    def incidents(self, *, open_only: bool = False, node: str | None = None, limit: int = 200) -> list[IncidentView]:
        return self._watch.incidents(open_only=open_only, node=node, limit=limit)

    def incident(self, number: int) -> IncidentView:
        return self._watch.incident(number)

    def gaps(self, *, node: str | None = None, limit: int = 200) -> list[GapView]:
        return [
            GapView(agent, gap.start, gap.end, gap.count, gap.why) for agent, gap in self._journal.gaps(node, limit)
        ]

    def fact_changes(self, *, node: str | None = None, limit: int = 200) -> list[FactChangeView]:
        return self._watch.fact_changes(node=node, limit=limit)

    def certificates(self) -> list[CertificateView]:
        return self._inventory.certificates()

    async def versions(self, job: str) -> list[VersionView]:
        return await self._configs.versions(job)

    async def series(
        self, node: str, metric: str | None, start: int, end: int, check: str | None = None
    ) -> list[SeriesView]:
        points = await self._store.query(Selector(node=node, check=check, metric=metric), start, end)
        return [
            SeriesView(p.key.check, p.key.label, p.key.metric, p.key.instance, p.key.unit, list(p.at), list(p.values))
            for p in points
        ]

    def _states(self, scope: Scope) -> dict[str, State]:
        """The worst state of each node's jobs."""
        found: dict[str, State] = {}
        states = self._live.jobs
        for name, one in scope.jobs.items():
            state = states.get(name)
            if state is None:
                continue
            if state.state is State.OK:  # nearly all are
                found.setdefault(one.job.node, State.OK)
            else:
                found[one.job.node] = worst((state.state, found.get(one.job.node, State.OK)))
        return found

    def _node_views(self, now: Coverage) -> list[NodeView]:
        scope = self._scope()
        states = self._states(scope)
        return [self._node_view(scope, node, now.nodes[node.id], states) for node in scope.register.nodes.values()]

    def _node_view(self, scope: Scope, node: Node, state: Reach, states: Mapping[str, State]) -> NodeView:
        register = scope.register
        latitude, longitude = node.at or (None, None)
        branch = register.branch_of(node.id)
        return NodeView(
            id=node.id,
            name=node.name,
            tier=node.tier,
            parent=node.parent,
            branch=None if node is register.root else branch,
            code=node.code,
            lat=latitude,
            lon=longitude,
            offices=len(scope.offices_of(node.id)),
            reach=state.value,
            state=states.get(node.id, State.UNKNOWN).value,
            proven_at=self._evidence.proven_at(node.id),
            measured_by=register.agent_of(node.id),
            simulated=node.id in self._simulated,
        )

    def _job_view(self, job: Job, agent: str, now: int) -> JobView:
        state = self._live.jobs.get(job.id, _NOT_YET)
        return JobView(
            id=job.id,
            check=job.check,
            label=job.label,
            target=job.target,
            measured_by=state.by or agent,
            interval=job.interval,
            state=state.state.value,
            reason=state.reason,
            summary=state.summary,
            answered=state.answered,
            at=state.at,
            since=state.since,
            stale=bool(state.at) and now - state.at > job.interval * STALE_AFTER * 1000,
            facts=state.facts,
            metrics=[MetricView(m.name, m.instance, m.value, m.unit) for m in self._live.metrics(job.id)],
        )


_NOT_YET = JobState("", 0, 0, State.UNKNOWN, "pending", "not measured yet", answered=False, facts={})


def _far_end(node: Node, to: str) -> str:
    return (node.parent or "") if to == "parent" else to


def _coverage_view(register: Register, found: Coverage) -> CoverageView:
    def words(known: tuple[Word, ...], shares: Mapping[str, Share]) -> list[ShareView]:
        return [_share(word.id, word.vi, word.en, shares[word.id]) for word in known if word.id in shares]

    branches = (register.root, *register.children(register.root.id))
    return CoverageView(
        at=found.at,
        total=_share("total", "Toàn tỉnh", "Whole province", found.total),
        by_tier=words(register.tiers, found.by_tier),
        by_branch=[
            _share(node.id, node.name, "", found.by_branch[node.id]) for node in branches if node.id in found.by_branch
        ],
        by_category=words(register.categories, found.by_category),
    )


def _share(key: str, vi: str, en: str, share: Share) -> ShareView:
    return ShareView(key, vi, en, share.required, share.connected, share.down, share.unobserved, share.percent)
