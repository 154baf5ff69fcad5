"""The collector as one thing: what it is made of, and what happens each second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import msgspec

from agent.wire import Lane
from alerts.desk import Rules
from alerts.pipeline import Notifier
from checks.contract import Clock
from checks.model import Plan, parse_job_id
from checks.stamp.kept import KEEP_EVERY as KEEP_BEATS_EVERY
from checks.topology import Topology
from collector.answers import Answers
from collector.beats import Beats
from collector.configs.history import History
from collector.configs.office import APPROVAL, RECORD, Configs
from collector.drain import Drain
from collector.evidence import Evidence
from collector.inforce import InForce
from collector.ingest import Ingest
from collector.inventory import CHECK as CERTIFICATES
from collector.inventory import Inventory
from collector.journal import Entry, Journal, JournalError
from collector.live import JobState, Live
from collector.pipeline import Pipeline, Seen, state_of
from collector.scope import Scope
from collector.settings import Settings
from collector.state import Changes, StateError, StateFile
from collector.store.model import Store, StoreAway, StoreError
from collector.stream import Stream
from collector.watch import Watch

log = logging.getLogger(__name__)

TICK = 1.0
DEAD_AFTER = 15_000
"""ms without a tick after which the collector calls itself unwell."""
SHOW_EVERY = 20
"""Ticks after which readers are told to look again though nothing has changed: ages grow."""
KEEP_EVERY = 5
"""Ticks after which the place in the journal is kept even when nothing else has changed."""
RESTATE_EVERY = 2
"""Ticks after which what people approved is looked for."""
TRIM_EVERY, RETAIN_EVERY = 10.0, 3600.0
"""Seconds between two trims of the journal, and between two times that the store forgets what is old."""
SET_BACK = 1000
"""ms that the clock must lose against the monotonic one to be taken for set back."""
REPLAYED_AT_ONCE = 1000
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
        self._holders = state.holders()
        self.beats = Beats(state, settings.secrets.get("stamp", ""), self._beat)
        self.inforce = InForce(topology, settings, clock, self.beats.sessions_for)
        self.evidence = Evidence()
        self.live = Live({job: _restored(body, clock.now()) for job, body in state.things(_JOB).items()})
        self.configs = Configs(
            state.things(RECORD),
            History(settings.directory / "configs.git"),
            settings.changes.windows,
            lambda: self.scope.jobs,
            settings.alerts.job.confirm_after,
        )
        self.pipeline = Pipeline(
            self.live,
            self.evidence,
            store.series_id,
            self.inforce.speaks_for,
            self.inforce.assignment,
            meaning=self.configs.take,
        )
        rules = Rules(
            job=settings.alerts.job,
            silence=settings.alerts.silence,
            incident=settings.alerts.incident,
            policy=settings.notify.policy,
        )
        self.watch = Watch(
            rules=rules,
            province=self.inforce.province(),
            agents=self._expected(),
            jobs=self.scope.jobs,
            state=state,
            notifiers=notifiers,
            retry=settings.notify.retry,
            clock=clock,
        )
        self.inventory = Inventory(state)
        self.ingest = Ingest(journal)
        self.drain = Drain(journal, store, self.pipeline.points)
        self.stream = Stream()
        self.answers = Answers(
            scope=lambda: self.scope,
            live=self.live,
            evidence=self.evidence,
            watch=self.watch,
            inventory=self.inventory,
            journal=journal,
            store=store,
            stream=self.stream,
            clock=clock,
            window=settings.proof_window,
            simulated=simulated or {},
            configs=self.configs,
        )
        self.beats.admit(self.scope.register, self._holders)
        self._position = self._kept_position = position_in(state)
        self._unsaved = Changes()
        self._unkept = ""
        self._forget_jobs()
        self._touched: set[str] = set()
        self._shown = b""
        self._show_from = 0.0
        self._ticks = 0
        self.ticked_at = 0
        """When the last tick ended, Unix ms: a sign of life."""
        self._ticked_mono = 0.0
        self.ready = asyncio.Event()
        """Set when what was journalled is judged, and the first tick is done."""

    # The topology in force

    @property
    def scope(self) -> Scope:
        """What is watched today."""
        return self.inforce.scope

    def replace_topology(self, topology: Topology) -> None:
        """Goes over to another topology. Raises PlanError or ValueError, and then keeps the one that it has."""
        self.inforce.replace(topology)
        self._adopt()

    def _adopt(self) -> None:
        """Goes on by the scope that is in force now."""
        self.pipeline.reload()
        self._admit()
        self._forget_jobs()

    def _admit(self) -> None:
        """Expects and answers the agents that there are now."""
        self._holders = self.state.holders()
        self.watch.expect(self._expected(), self.scope.jobs)
        self.beats.admit(self.scope.register, self._holders)

    def _expected(self) -> list[str]:
        """The agents whose silence is an alert: those in the register that hold a token. One that was never installed
        is not silent; its offices are unobserved."""
        return [agent for agent in self.scope.register.agents if agent in self._holders]

    def _forget_jobs(self) -> None:
        """Forgets the states of jobs that the topology has no more."""
        for job in self.live.forget(self.scope.jobs):
            self._unsaved.forget(_JOB, job)
        self.inventory.forget(self.scope.jobs, self._unsaved)

    # What agents call (api.agents.Office)

    def agent_of(self, token: str) -> str | None:
        return self.state.agent_of(token)

    def plan_of(self, node: str) -> Plan | None:
        return self.scope.plans.get(node)

    def heard(self, node: str, at: int) -> None:
        # A disk of ours that is full must make no agent silent.
        self.watch.hear(node, at)
        self.evidence.report(node, at)

    def _beat(self, node: str) -> None:
        now = self._clock.now()
        self.watch.beat(node, now)
        self.evidence.beat(node, now)

    # Running

    async def run(self) -> None:
        """Runs until cancelled; then stops in order, losing nothing that was acknowledged."""
        self._replay()
        self.watch.deliver(self.state.notifications(pending=True))
        committed = asyncio.create_task(self._committed(), name="committed")
        others = [
            asyncio.create_task(self.drain.run(), name="drain"),
            asyncio.create_task(self._ticking(), name="tick"),
            asyncio.create_task(self._keeping_house(), name="house"),
        ]
        try:
            done, _ = await asyncio.wait((committed, *others), return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await self.journal.close()
            await asyncio.wait((committed,))
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            await self._stop()

    async def _stop(self) -> None:
        self.stream.close()
        try:
            self._judge()
            self._remember_beats(clean=True)
            self._keep()
            await self.watch.close()
            await self.store.close()
        except StoreAway as error:
            log.warning("the store is away; %d entries stay in the journal: %s", self.journal.depth, error)
        finally:
            self.journal.shut()
            self.state.close()
            if self._held is not None:
                self._held.close()

    def _replay(self) -> None:
        """Takes what was journalled but not judged before the last end."""
        while entries := self.journal.entries(after=self._position, limit=REPLAYED_AT_ONCE):
            for entry in entries:
                for seen in self.pipeline.take(entry)[0]:
                    self._see(seen)
                self._position = entry.id

    async def _committed(self) -> None:
        async for entry in self.journal.committed():
            self._take(entry)

    def _take(self, entry: Entry) -> None:
        report = entry.report
        if report.lane.value == "live":
            self.watch.hear(report.agent, entry.received_at)
            self.beats.clock_of(report.agent, report.sent_at)
        seen, batch = self.pipeline.take(entry)
        for one in seen:
            self._see(one)
            self._touched.add(one.id.node)
        if entry.id:
            self.drain.offer(entry.id, batch)
            self._position = entry.id

    def _see(self, seen: Seen) -> None:
        self.watch.take(seen)
        if seen.id.check == CERTIFICATES:
            self.inventory.take(seen, self.live.metrics(seen.job))

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
        self._mind_the_clock()
        if self.inforce.follow_the_day():
            self._adopt()
        if self.state.holders() != self._holders:
            self._admit()
        self.beats.catch_up()
        if self._ticks % RESTATE_EVERY == 0:
            self._restate()
        self._judge()
        if self._ticks % KEEP_BEATS_EVERY == 0:
            self._remember_beats()
        if self._unsaved or self._ticks % KEEP_EVERY == 0:
            self._keep()
        self._publish()
        self.ticked_at, self._ticked_mono = self._clock.now(), self._clock.monotonic()
        self.ready.set()

    def _mind_the_clock(self) -> None:
        """When the clock was set back, what was seen before lies in the future: it would prove nodes for all the time
        until then, and make every new state look old."""
        elapsed = round((self._clock.monotonic() - self._ticked_mono) * 1000)
        lost = self.ticked_at + elapsed - self._clock.now()
        if self.ticked_at and lost > SET_BACK:
            log.warning("the clock was set back by %.1f s", lost / 1000)
            self.evidence.set_back(lost)
            self.live.set_back(lost)
            self.watch.set_back(lost)
            self.configs.set_back(lost)

    def _restate(self) -> None:
        """What the centre itself has to say of configurations need not wait for their next measurement."""
        now = self._clock.now()
        for job, outcome in self.configs.restated(self.state.things(APPROVAL), self.live.jobs, now):
            agent = self.live.jobs[job].by
            if self.live.take(job, state_of(agent, now, outcome), self.live.numbers(job)):
                self.watch.take(Seen(job, parse_job_id(job), agent, now, Lane.LIVE, outcome))

    def _judge(self) -> None:
        """Judges what came, and notes what of it is to be kept."""
        self.watch.tick(self._unsaved)
        self._unsaved.things.update(self.configs.unsaved())
        for job in self.live.changed:
            self._unsaved.things[_JOB, job] = msgspec.msgpack.encode(self.live.jobs[job])
        self.live.changed.clear()
        self.inventory.keep(self._unsaved)

    def _remember_beats(self, *, clean: bool = False) -> None:
        key, body = self.beats.kept(clean=clean)
        self._unsaved.things[key] = body

    async def _keeping_house(self) -> None:
        """Apart from the ticks, which must not wait for a disk."""
        loop = asyncio.get_running_loop()
        retained = loop.time()
        while True:
            await asyncio.sleep(TRIM_EVERY)
            await self.trim()
            await self.configs.write()
            if loop.time() - retained >= RETAIN_EVERY:
                retained = loop.time()
                await self.retain()

    async def trim(self) -> None:
        """Lets go of the journal's entries that are both in the store and judged."""
        try:
            await self.journal.trim(min(self.store.settled, self._kept_position))
        except JournalError as error:
            log.error("%s", error)

    async def retain(self) -> None:
        """Lets go of measurements that are older than the settings say."""
        try:
            await self.store.retain(self._clock.now() - self.settings.store.retain_days * 86_400_000)
        except StoreError as error:
            log.warning("measurements that are old stay in the store for now: %s", error)

    def _keep(self) -> None:
        """Keeps what is not kept yet; what cannot be kept now is tried again. People are told only of what is kept."""
        if not self._unsaved and self._kept_position == self._position:
            return
        self._unsaved.things[_POSITION, ""] = self._position.to_bytes(8, "big")
        try:
            self.state.save(self._unsaved)
        except StateError as error:
            if str(error) != self._unkept:
                log.error("%s", error)
            self._unkept = str(error)
            return
        self._unkept = ""
        self._kept_position = self._position
        kept, self._unsaved = self._unsaved, Changes()
        self.watch.deliver(kept.notifications)

    def _publish(self) -> None:
        if not len(self.stream):
            self._touched.clear()
            return
        began = self._clock.monotonic()
        if began < self._show_from:
            return
        touched, self._touched = self._touched, set()
        overview = self.answers.overview()
        states = [(node.id, node.reach, node.state) for node in overview.nodes]
        told = msgspec.json.encode((overview.coverage.total, states, overview.incidents))
        if told != self._shown or self._ticks % SHOW_EVERY == 0:
            self._shown = told
            brief = {"coverage": overview.coverage.total, "incidents": len(overview.incidents)}
            self.stream.publish("overview", {"at": overview.at, **brief})
        if touched:
            self.stream.publish("nodes", {"ids": sorted(touched)})
        # In a large province this takes its time: a tenth of ours at most, the rest is for reports.
        ended = self._clock.monotonic()
        self._show_from = ended + 9 * (ended - began)


_decode_job = msgspec.msgpack.Decoder(JobState).decode


def _restored(body: bytes, now: int) -> JobState:
    """A state as kept; one from the future was kept before the clock was set back, and must not hide what comes."""
    state = _decode_job(body)
    state.at = min(state.at, now)
    return state


def position_in(state: StateFile) -> int:
    """The last entry of the journal that was judged and whose judgement is kept; 0 for none."""
    return int.from_bytes(state.things(_POSITION).get("", b""), "big")


def open_journal(directory: Path, store: Store, state: StateFile) -> Journal:
    """The journal of a state directory, numbered beyond what the store and the state remember. Raises JournalError."""
    return Journal(directory / "journal.db", max(store.newest, position_in(state)))
