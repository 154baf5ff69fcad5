"""A whole collector for tests: real files, a clock that the test turns, no listeners."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from pathlib import Path

from agent import wire
from alerts.messages import Message, NoticeKind
from alerts.model import Severity
from alerts.pipeline import Notifier, NotifyError
from checks.model import Measurement, Metric, Outcome, State
from checks.topology import Topology
from collector.centre import Centre, open_journal
from collector.settings import Settings
from collector.state import StateFile
from collector.store.embedded import EmbeddedStore
from collector.store.model import Store
from tests.collector.provinces import DAY, SECRETS, topology
from tests.collector.senders import NOW, Sender

UP = Outcome(State.OK, "reply", answered=True, metrics=(Metric("rtt", 0.02, "s"),))
DEAD = Outcome(State.CRIT, "no reply", "timeout")


@dataclasses.dataclass
class TurnedClock:
    """Stands still until it is turned. ``ms`` is Unix time."""

    ms: int = NOW
    mono: float = 1000.0

    def now(self) -> int:
        return self.ms

    def monotonic(self) -> float:
        return self.mono

    def turn(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
        self.mono += seconds


class Mailbox:
    """A destination of notifications. Raises while ``closed``; never answers while ``stuck``."""

    name = "mailbox"

    def __init__(self) -> None:
        self.got: list[str] = []
        self.closed = self.stuck = False

    async def send(self, message: Message, kind: NoticeKind, _severity: Severity) -> None:
        if self.stuck:
            await asyncio.Event().wait()
        if self.closed:
            raise NotifyError("mailbox: closed")
        self.got.append(f"{kind.value} {message.title}")


async def opened(
    directory: Path,
    clock: TurnedClock,
    *,
    store: Store | None = None,
    notifiers: Sequence[Notifier] = (),
    province: Topology | None = None,
    settings: Settings | None = None,
) -> Centre:
    """A centre on the files of a directory, as ``open_centre`` makes it."""
    directory.mkdir(exist_ok=True)  # noqa: ASYNC240 - a test's own folder, before anything runs
    state = StateFile(directory / "state.db")
    for node in ("bk", "d1"):
        state.set_token(node, f"token of {node}", clock.now())
    store = store or await EmbeddedStore.open(directory / "store.db")
    return Centre(
        settings or Settings(state_dir=str(directory), register_day=DAY, secrets=dict(SECRETS)),
        province or topology(),
        state=state,
        journal=open_journal(directory, store, state),
        store=store,
        notifiers=notifiers,
        clock=clock,
    )


@contextlib.asynccontextmanager
async def running(centre: Centre) -> AsyncIterator[Centre]:
    """The centre at work. Its own ticks, each real second, do no harm while the clock stands still."""
    task = asyncio.create_task(centre.run())
    try:
        await asyncio.sleep(0)  # it replays
        await centre.tick()
        await until(centre.ready.is_set, task)
        yield centre
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], bool], *tasks: asyncio.Task[None], seconds: float = 10.0) -> None:
    """Awaits a condition; fails when it does not come true in time, or a task ends before."""
    async with asyncio.timeout(seconds):
        while not condition():
            for task in tasks:
                if task.done():
                    task.result()
                    raise AssertionError(f"{task.get_name()} has ended")
            await asyncio.sleep(0.01)


async def drained(centre: Centre) -> None:
    """Until all that was taken went to the store."""
    await until(lambda: centre.drain.written >= centre._position)


class Agent:
    """Reports to a centre as the agent of a node would."""

    def __init__(self, centre: Centre, clock: TurnedClock, node: str = "d1", *, epoch: int = 1, ahead: int = 0) -> None:
        """``ahead`` is by how many ms the agent's clock is ahead."""
        self.centre, self.clock, self.ahead = centre, clock, ahead
        self.sender = Sender(node, epoch, table=epoch)

    async def report(
        self, outcomes: Iterable[tuple[str, Outcome]] = (), *, ago: float = 0.0, lane: wire.Lane = wire.Lane.LIVE
    ) -> int:
        """Sends (job, outcome) pairs measured ``ago`` seconds ago; returns how many were taken."""
        now = self.clock.now() + self.ahead
        rows = []
        for job, outcome in outcomes:
            rows.append((self.sender.next, Measurement(job, now - round(ago * 1000), 0.1, outcome)))
            self.sender.next += 1
        body = self.sender.body(rows, lane=lane, sent_at=now)
        return await self.centre.ingest.take(self.sender.agent, body, self.clock.now())


async def pass_time(centre: Centre, clock: TurnedClock, seconds: int, each: Callable[[], object] | None = None) -> None:
    """Lets seconds pass, with a tick in each; ``each`` is awaited before it."""
    for _ in range(seconds):
        clock.turn(1)
        if each is not None:
            found = each()
            if asyncio.iscoroutine(found):
                await found
        await centre.tick()
