"""The collector as one thing: what it is made of, and what happens each second."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO
from zoneinfo import ZoneInfo

import msgspec

from alerts.causes import Province
from alerts.desk import Rules
from alerts.pipeline import Notifier
from checks.contract import Clock
from checks.model import Plan
from checks.topology import Topology
from collector.answers import Answers
from collector.drain import Drain
from collector.evidence import Evidence
from collector.ingest import Ingest
from collector.journal import Entry, Journal
from collector.live import JobState, Live
from collector.pipeline import Pipeline
from collector.scope import Scope, scope_of
from collector.settings import Settings
from collector.state import Changes, StateError, StateFile
from collector.store.model import Store, StoreAway
from collector.stream import Stream
from collector.watch import Watch

log = logging.getLogger(__name__)

TICK = 1.0
DEAD_AFTER = 15_000
"""ms without a tick after which the collector calls itself unwell."""
KEEP_EVERY = 5
"""Ticks after which the place in the journal is kept even when nothing else has changed."""
TRIM_EVERY = 10
RETAIN_EVERY = 3600
_JOB, _POSITION = "job", "position"


class Centre:
    """Takes reports, keeps them, judges them, and answers. ``simulated`` says of nodes what is not real;
    ``held`` is the lock on the state directory."""

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        *,
        state: StateFile,
        journal: Journal,
        store: Store,
        notifiers: Sequence[Notifier],
        clock: Clock,
        simulated: Mapping[str, str] | None = None,
        held: IO[str] | None = None,
    ) -> None:
        self.settings, self.state, self.journal, self.store = settings, state, journal, store
        self._clock, self._held = clock, held
        self._topology = topology
        self._day = self._today()
        self.scope = self._scope_on(self._day)
        self.evidence = Evidence()
        self.live = Live({job: _decode_job(body) for job, body in state.things(_JOB).items()})
        self.pipeline = Pipeline(self.live, self.evidence, store.series_id, self._speaks_for)
        rules = Rules(
            job=settings.alerts.job,
            silence=settings.alerts.silence,
            incident=settings.alerts.incident,
            policy=settings.notify.policy,
        )
        self.watch = Watch(
            rules=rules,
            province=Province(self._parent_of, self._name_of, lambda node: len(self.scope.offices_of(node))),
            agents=self.scope.register.agents,
            jobs=self.scope.jobs,
            state=state,
            notifiers=notifiers,
            retry=settings.notify.retry,
            clock=clock,
        )
        self.ingest = Ingest(journal)
        self.drain = Drain(journal, store, lambda entry: self.pipeline.take(entry)[1])
        self.stream = Stream()
        self.answers = Answers(
            scope=lambda: self.scope,
            live=self.live,
            evidence=self.evidence,
            watch=self.watch,
            store=store,
            stream=self.stream,
            clock=clock,
            window=settings.proof_window,
            simulated=simulated or {},
        )
        kept = state.things(_POSITION).get("")
        self._position = int.from_bytes(kept, "big") if kept else 0
        self._kept_position = self._position
        self._unsaved = Changes()
        self._touched: set[str] = set()
        self._shown = b""
        self._ticks = 0
        self.ticked_at = 0
        """When the last tick ended, Unix ms: a sign of life."""
        self.ready = asyncio.Event()
        """Set when what was journalled is judged, and the first tick is done."""

    # The topology in force

    def _today(self) -> datetime.date:
        zone = ZoneInfo(self._topology.province.timezone)
        now = datetime.datetime.fromtimestamp(self._clock.now() / 1000, zone)
        return self.settings.register_day or now.date()

    def _scope_on(self, day: datetime.date) -> Scope:
        return scope_of(self._topology.on(day), self.settings.secrets, self.settings.report_every)

    def _parent_of(self, node: str) -> str | None:
        found = self.scope.register.nodes.get(node)
        return found.parent if found else None

    def _name_of(self, node: str) -> str:
        found = self.scope.register.nodes.get(node)
        return found.name if found else node

    def _speaks_for(self, agent: str) -> frozenset[str]:
        return self.scope.speaks_for(agent)

    def replace_topology(self, topology: Topology) -> None:
        """Goes over to another topology. Raises PlanError or ValueError, and then keeps the one that it has."""
        before = self._topology, self._day, self.scope
        try:
            self._topology = topology
            self._day = self._today()
            self.scope = self._scope_on(self._day)
        except ValueError:
            self._topology, self._day, self.scope = before
            raise
        self.pipeline.reload()
        self.watch.expect(self.scope.register.agents, self.scope.jobs)

    # What agents call (api.agents.Office)

    def agent_of(self, token: str) -> str | None:
        return self.state.agent_of(token)

    def plan_of(self, node: str) -> Plan | None:
        return self.scope.plans.get(node)

    # Running

    async def run(self) -> None:
        """Runs until cancelled; then stops in order, losing nothing that was acknowledged."""
        self._replay()
        self.watch.deliver(self.state.notifications(pending=True))
        committed = asyncio.create_task(self._committed(), name="committed")
        others = [
            asyncio.create_task(self.drain.run(), name="drain"),
            asyncio.create_task(self._ticking(), name="tick"),
        ]
        try:
            done, _ = await asyncio.wait((committed, *others), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self.journal.close()
            with contextlib.suppress(asyncio.CancelledError):
                await committed
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._stop()

    async def _stop(self) -> None:
        self.stream.close()
        self._keep()
        await self.watch.close()
        try:
            await self.store.close()
        except StoreAway as error:
            log.warning("the store is away; %d entries stay in the journal: %s", self.journal.depth, error)
        self.journal.shut()
        self.state.close()
        if self._held is not None:
            self._held.close()

    def _replay(self) -> None:
        """Takes what was journalled but not judged before the last end."""
        for entry in self.journal.entries(after=self._position):
            for seen in self.pipeline.take(entry)[0]:
                self.watch.take(seen)
            self._position = entry.id

    async def _committed(self) -> None:
        async for entry in self.journal.committed():
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        report = entry.report
        if report.lane.value == "live":
            self.watch.hear(report.agent, entry.received_at)
        seen, batch = self.pipeline.take(entry)
        for one in seen:
            self.watch.take(one)
            self._touched.add(one.id.node)
        if entry.id:
            self.drain.offer(entry.id, batch)
            self._position = entry.id

    async def _ticking(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + TICK, loop.time())
            await asyncio.sleep(due - loop.time())
            await self.tick()

    @property
    def ticking(self) -> bool:
        """Whether the last tick is not long ago."""
        return self._clock.now() - self.ticked_at < DEAD_AFTER

    async def tick(self) -> None:
        """One second's work: judge, keep, tell, show."""
        self._ticks += 1
        if self._today() != self._day:
            log.info("the register of %s is in force", self._today())
            self.replace_topology(self._topology)
        self.watch.tick(self._unsaved)
        changed = self.live.changed
        self._unsaved.things.update({(_JOB, job): msgspec.msgpack.encode(self.live.jobs[job]) for job in changed})
        changed.clear()
        if self._unsaved or self._ticks % KEEP_EVERY == 0:
            self._keep()
        if self._ticks % TRIM_EVERY == 0:
            await self.journal.trim(min(self.store.settled, self._kept_position))
        if self._ticks % RETAIN_EVERY == 0:
            await self.store.retain(self._clock.now() - self.settings.store.retain_days * 86_400_000)
        self._publish()
        self.ticked_at = self._clock.now()
        self.ready.set()

    def _keep(self) -> None:
        """Keeps what is not kept yet; what cannot be kept now is tried again. People are told only of what is kept."""
        if not self._unsaved and self._kept_position == self._position:
            return
        self._unsaved.things[_POSITION, ""] = self._position.to_bytes(8, "big")
        try:
            self.state.save(self._unsaved)
        except StateError as error:
            log.error("%s", error)
            return
        self._kept_position = self._position
        kept, self._unsaved = self._unsaved, Changes()
        self.watch.deliver(kept.notifications)

    def _publish(self) -> None:
        touched, self._touched = self._touched, set()
        if not len(self.stream):
            return
        overview = self.answers.overview()
        told = msgspec.json.encode((overview.coverage.total, overview.nodes, overview.incidents))
        if told != self._shown:
            self._shown = told
            self.stream.publish("overview", overview)
        for node in touched:
            self.stream.publish("node", {"id": node})


_decode_job = msgspec.msgpack.Decoder(JobState).decode


def open_journal(directory: Path, store: Store) -> Journal:
    """The journal of a state directory, numbered beyond what the store remembers."""
    return Journal(directory / "journal.db", store.newest)
