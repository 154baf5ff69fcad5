"""The collector as a whole: real files, a clock that the test turns."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from checks.model import Metric, Outcome, State
from checks.plan import PlanError
from checks.registry import CHECKS
from checks.topology import loads
from collector.centre import Centre
from collector.coverage import Reach
from collector.settings import Settings
from collector.state import Changes, StateError
from collector.store.embedded import EmbeddedStore
from collector.store.model import Selector, StoreAway
from tests.collector.centres import DEAD, UP, Agent, Mailbox, TurnedClock, drained, opened, pass_time, running, until
from tests.collector.provinces import SECRETS, TEXT
from tests.collector.senders import NOW

C1, C1_SNMP, C2 = "c1/ping/from-parent", "c1/snmp/r1", "c2/ping/from-parent"
UP_ALL = ((C1, UP), (C2, UP))
C1_DEAD = ((C1, DEAD), (C2, UP))


def both(
    centre: Centre, clock: TurnedClock, said: tuple[tuple[str, Outcome], ...], epoch: int = 1
) -> Callable[[], Awaitable[int]]:
    """One second of both agents: the centre's is alive, the district's measures its communes."""
    bk, d1 = Agent(centre, clock, "bk", epoch=epoch), Agent(centre, clock, "d1", epoch=epoch)

    async def second() -> int:
        await bk.report([("bk/host/agent", UP), ("d1/ping/from-parent", UP)])
        return await d1.report(said)

    return second


async def test_a_commune_that_fails_is_an_incident_one_message_and_two_offices_down(tmp_path: Path) -> None:
    clock, box = TurnedClock(), Mailbox()
    async with running(await opened(tmp_path, clock, notifiers=[box])) as centre:
        second = both(centre, clock, UP_ALL)
        await pass_time(centre, clock, 5, second)
        assert centre.answers.judged().total.connected == 6
        failing = both(centre, clock, C1_DEAD, epoch=2)
        await pass_time(centre, clock, 75, failing)
        found = centre.answers.judged()
        assert (found.total.required, found.total.connected, found.total.down) == (6, 4, 2)
        assert found.nodes["c1"] is Reach.DOWN
        (incident,) = centre.answers.incidents(open_only=True)
        assert (incident.node, incident.offices) == ("c1", 2)
        await until(lambda: len(box.got) == 1)
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL, epoch=3))
        assert centre.answers.incidents(open_only=True) == []
        assert centre.answers.judged().total.connected == 6
        await until(lambda: len(box.got) == 2)
    assert [text.split()[0] for text in box.got] == ["opened", "closed"]


async def test_an_incident_outlives_a_kill_and_nobody_is_told_twice(tmp_path: Path) -> None:
    clock, box = TurnedClock(), Mailbox()
    async with running(await opened(tmp_path / "a", clock, notifiers=[box])) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        await pass_time(centre, clock, 20, both(centre, clock, C1_DEAD, epoch=2))
        await until(lambda: len(box.got) == 1)
        await until(lambda: not centre.watch._deliveries)
        # What a kill leaves: the files as they are, nothing closed.
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    clock.turn(600)
    async with running(await opened(tmp_path / "b", clock, notifiers=[box])) as centre:
        (incident,) = centre.answers.incidents(open_only=True)
        assert incident.node == "c1"
        await pass_time(centre, clock, 20, both(centre, clock, C1_DEAD, epoch=3))
        assert [one.id for one in centre.answers.incidents(open_only=True)] == [incident.id]
        assert len(box.got) == 1
        await pass_time(centre, clock, 3, both(centre, clock, UP_ALL, epoch=4))
        await until(lambda: len(box.got) == 2)
    assert box.got[1].startswith("closed")


async def test_agents_are_not_called_silent_because_the_collector_was_away(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 3, both(centre, clock, UP_ALL))
    clock.turn(3600)
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 25)
        assert centre.answers.incidents(open_only=True) == []
        await pass_time(centre, clock, 15)
        assert {one.node for one in centre.answers.incidents(open_only=True)} == {"bk"}  # d1 is behind it


async def test_a_message_that_was_pending_at_a_kill_is_delivered_after_it(tmp_path: Path) -> None:
    clock, box = TurnedClock(), Mailbox()
    box.stuck = True
    async with running(await opened(tmp_path / "a", clock, notifiers=[box])) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        await pass_time(centre, clock, 20, both(centre, clock, C1_DEAD, epoch=2))
        assert len(centre.state.notifications(pending=True)) == 1
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    assert box.got == []
    box.stuck = False
    async with running(await opened(tmp_path / "b", clock, notifiers=[box])) as centre:
        await until(lambda: len(box.got) == 1)
        await until(lambda: not centre.state.notifications(pending=True))


async def test_what_came_in_the_last_second_before_a_stop_is_judged(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        await pass_time(centre, clock, 9, both(centre, clock, C1_DEAD, epoch=2))
        failing = Agent(centre, clock, epoch=3)
        clock.turn(2)
        await failing.report(C1_DEAD)
    async with running(await opened(tmp_path, clock)) as centre:
        assert [one.node for one in centre.answers.incidents(open_only=True)] == ["c1"]
        assert centre.live.jobs[C1].state is State.CRIT


async def test_what_was_journalled_but_not_judged_at_a_kill_is_judged_after_it(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path / "a", clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        clock.turn(1)
        await Agent(centre, clock, epoch=2).report([(C1, DEAD)])
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    async with running(await opened(tmp_path / "b", clock)) as centre:
        assert centre.live.jobs[C1].state is State.CRIT


async def test_every_measurement_is_in_the_store_once_after_a_kill_at_any_step(tmp_path: Path) -> None:
    clock = TurnedClock()
    count = 0
    copies = []
    async with running(await opened(tmp_path / "a", clock)) as centre:
        agent = Agent(centre, clock)
        for step in range(12):
            clock.turn(1)
            count += await agent.report([(C1, UP), (C2, UP)])
            if step % 3 == 1:
                await drained(centre)
                await centre.store.flush()
            if step % 4 == 2:
                await centre.tick()
                await centre.trim()
            copies.append((count, shutil.copytree(tmp_path / "a", tmp_path / f"kill-{step}")))
    for expected, copy in copies:
        async with running(await opened(copy, clock)) as centre:
            await drained(centre)
            points = await centre.store.query(Selector(metric="rtt"), 0, NOW * 2)
            assert sum(len(p.at) for p in points) == expected


# The topology


async def test_a_topology_that_cannot_be_used_changes_nothing(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        before = centre.scope
        with pytest.raises(PlanError, match="no secret 'd'"):
            centre.replace_topology(loads(TEXT.replace("secret:c", "secret:d"), "p.yaml", CHECKS))
        assert centre.scope is before
        assert await Agent(centre, clock).report(UP_ALL) == 2


async def test_a_failing_job_that_leaves_the_topology_takes_its_incident_along(tmp_path: Path) -> None:
    clock = TurnedClock()
    smaller = loads("".join(line for line in TEXT.splitlines(keepends=True) if "id: c1" not in line), "p.yaml", CHECKS)
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        failing = both(centre, clock, C1_DEAD, epoch=2)
        await pass_time(centre, clock, 20, failing)
        assert len(centre.answers.incidents(open_only=True)) == 1
        centre.replace_topology(smaller)
        # The agent runs its old plan for some time yet.
        await pass_time(centre, clock, 20, failing)
        assert centre.answers.incidents(open_only=True) == []
        assert C1 not in centre.live.jobs
    async with running(await opened(tmp_path, clock, province=smaller)) as centre:
        assert centre.answers.incidents(open_only=True) == []
        assert not any(job.startswith("c1/") for kind in ("rule", "job") for job in centre.state.things(kind))


async def test_a_job_that_left_the_node_but_is_still_reported_raises_nothing(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 30, both(centre, clock, (*UP_ALL, ("c1/tcp/was-once", DEAD))))
        assert centre.answers.incidents(open_only=True) == []
        points = await centre.store.query(Selector(node="c1", check="tcp"), 0, NOW * 2)
        assert {p.key.label for p in points} == {"was-once"}


async def test_an_agent_that_left_the_topology_is_not_missed(tmp_path: Path) -> None:
    clock = TurnedClock()
    alone = "".join(line for line in TEXT.splitlines(keepends=True) if not line.startswith("  - {id: c"))
    moved = alone.replace("template: district,", "template: commune,")
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 3, both(centre, clock, UP_ALL))
        centre.replace_topology(loads(moved, "p.yaml", CHECKS))
        await Agent(centre, clock, epoch=2).report()  # was on its way when the topology changed
        await pass_time(centre, clock, 60, Agent(centre, clock, "bk", epoch=2).report)
        assert centre.answers.incidents(open_only=True) == []


DATED = TEXT.replace("prefix: 10.1.1.0/24}", "prefix: 10.1.1.0/24, until: 2025-07-01}")


async def test_at_midnight_of_the_province_the_next_days_register_is_in_force(tmp_path: Path) -> None:
    eve = datetime.datetime(2025, 6, 30, 23, 59, 55, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))
    clock = TurnedClock(round(eve.timestamp() * 1000))
    settings = Settings(state_dir=str(tmp_path), secrets=dict(SECRETS))
    async with running(
        await opened(tmp_path, clock, province=loads(DATED, "p.yaml", CHECKS), settings=settings)
    ) as centre:
        await pass_time(centre, clock, 3, both(centre, clock, UP_ALL))
        assert centre.answers.judged().total.required == 6
        await pass_time(centre, clock, 3, both(centre, clock, UP_ALL, epoch=2))
        found = centre.answers.judged()
        assert (found.total.required, found.total.connected) == (4, 4)
        assert "c1" not in found.nodes


async def test_a_register_that_cannot_be_made_at_midnight_leaves_todays_in_force(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    eve = datetime.datetime(2025, 6, 30, 23, 59, 58, tzinfo=datetime.timezone(datetime.timedelta(hours=7)))
    clock = TurnedClock(round(eve.timestamp() * 1000))
    settings = Settings(state_dir=str(tmp_path), secrets=dict(SECRETS))
    centre = await opened(tmp_path, clock, settings=settings)
    del settings.secrets["c"]
    async with running(centre):
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        assert centre.answers.judged().total.connected == 6
    assert caplog.text.count("the register of 2025-07-01 cannot be made, that of 2025-06-30 stays in force") == 1


# The clock


async def test_a_clock_that_is_set_back_proves_nothing_and_hides_nothing(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        clock.ms -= 3_600_000
        await pass_time(centre, clock, 10, both(centre, clock, C1_DEAD, epoch=2))
        assert centre.live.jobs[C1].state is State.CRIT
        assert centre.answers.judged().nodes["c1"] is Reach.CONNECTED  # the proof is 10 s old
        await pass_time(centre, clock, 55, both(centre, clock, C1_DEAD, epoch=3))
        assert centre.answers.judged().nodes["c1"] is Reach.DOWN


async def test_a_state_kept_before_the_clock_was_set_back_hides_nothing_after_a_restart(tmp_path: Path) -> None:
    clock = TurnedClock(NOW + 3_600_000)
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
    clock.ms = NOW
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 2, both(centre, clock, C1_DEAD, epoch=2))
        assert centre.live.jobs[C1].state is State.CRIT


@pytest.mark.parametrize("ahead", [-3_600_000, 3_600_000, -NOW])
async def test_an_agent_whose_clock_is_wrong_is_judged_by_the_collectors(tmp_path: Path, ahead: int) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        agent = Agent(centre, clock, ahead=ahead)
        clock.turn(1)
        await agent.report([(C1, UP)], ago=0.5)
        assert centre.live.jobs[C1].at == clock.now() - 500
        assert centre.answers.judged().nodes["c1"] is Reach.CONNECTED


async def test_numbers_that_are_none_are_kept_from_the_store_and_stop_nothing(tmp_path: Path) -> None:
    clock = TurnedClock()
    wild = Outcome(
        State.OK,
        "reply",
        answered=True,
        metrics=(Metric("rtt", float("nan"), "s"), Metric("loss", float("inf"), "%"), Metric("ttl", 64.0, "1")),
    )
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 2, both(centre, clock, ((C1, wild),)))
        await drained(centre)
        assert {p.key.metric for p in await centre.store.query(Selector(node="c1"), 0, NOW * 2)} >= {"ttl"}
        assert centre.store.quarantined == 4


# Disks and stores that fail


async def test_a_full_disk_for_the_state_tells_nobody_yet_and_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, box = TurnedClock(), Mailbox()
    async with running(await opened(tmp_path, clock, notifiers=[box])) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 1")
        await pass_time(centre, clock, 20, both(centre, clock, C1_DEAD, epoch=2))
        assert caplog.text.count("state.db: cannot be written") == 1
        kept = centre._kept_position
        assert (box.got, centre.state.incidents()) == ([], [])
        await centre.trim()
        assert centre.journal.entries(after=kept)  # what is not judged for good stays
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 0")
        await pass_time(centre, clock, 1)
        await until(lambda: len(box.got) == 1)
        assert len(centre.state.incidents()) == 1


async def test_a_journal_that_cannot_be_trimmed_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        centre.journal._db.execute("PRAGMA query_only = 1")
        await centre.trim()
        assert "cannot write the journal" in caplog.text
        centre.journal._db.execute("PRAGMA query_only = 0")
        assert await Agent(centre, clock).report(UP_ALL) == 2


class Away(EmbeddedStore):
    """A store whose server cannot be reached while it is asked to forget."""

    async def retain(self, before: int) -> None:
        del before
        raise StoreAway("http://127.0.0.1:1: connection refused")


async def test_a_store_that_is_away_when_it_should_forget_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, store=Away(tmp_path / "store.db"))) as centre:
        await centre.retain()
        assert "stay in the store for now: http://127.0.0.1:1: connection refused" in caplog.text


async def test_a_broken_journal_is_set_aside_and_the_next_goes_on_above_what_was_judged(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock)) as centre:
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        last = centre._position
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"journal.db{suffix}").unlink(missing_ok=True)
    (tmp_path / "journal.db").write_bytes(b"\xff" * 20_000)
    async with running(await opened(tmp_path, clock)) as centre:
        assert await Agent(centre, clock, epoch=2).report([(C1, UP)]) == 1
        assert centre._position == last + 1
        await drained(centre)
    assert (tmp_path / "journal.db.broken-1").exists()


async def test_a_state_that_cannot_be_kept_is_whole_when_it_can_be_again(tmp_path: Path) -> None:
    clock = TurnedClock()
    centre = await opened(tmp_path, clock)
    async with running(centre):
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 1")
        with pytest.raises(StateError):
            centre.state.save(Changes(things={("x", "y"): b""}))
        await pass_time(centre, clock, 5, both(centre, clock, UP_ALL))
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 0")
    async with running(await opened(tmp_path, clock)) as centre:
        assert centre.live.jobs[C1].state is State.OK
