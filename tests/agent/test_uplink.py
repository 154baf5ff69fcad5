from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.settings import Settings
from agent.spool import Spool
from agent.uplink import Pace, Uplink, newest_of_each_job
from agent.wire import Lane, Receipt, Report
from checks.contract import SystemClock
from checks.model import Measurement, State
from tests.agent.receiver import TOKEN, Receiver, Reply, receiving, refusal
from tests.agent.rows import measured

QUICK = Pace(gather=0.02, resume=0.02, denied=0.1, first_backoff=0.02, max_backoff=0.1, request=2.0)


class Bench:
    """A spool, an uplink and a receiver."""

    def __init__(self, spool: Spool, uplink: Uplink, receiver: Receiver, receipts: list[Receipt]) -> None:
        self.spool, self.uplink, self.receiver, self.receipts = spool, uplink, receiver, receipts

    async def add(self, *measurements: Measurement) -> None:
        """Spools, and waits until it is on disk."""
        appended = [self.spool.append(m, changed=True) for m in measurements]
        await asyncio.gather(*appended)

    async def until_empty(self) -> None:
        async with asyncio.timeout(10):
            while (await self.spool.stats()).rows:  # noqa: ASYNC110 - the disk has no event to await
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def delivering(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self.uplink.run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self.uplink.close()


@contextlib.asynccontextmanager
async def bench(tmp_path: Path, *, pace: Pace = QUICK, **settings: Any) -> AsyncIterator[Bench]:
    async with receiving() as receiver:
        told = Settings(node="bk", collector=f"http://127.0.0.1:{receiver.port}", **{"token": TOKEN, **settings})
        spool = await Spool.open(tmp_path / "spool.db", 64 << 20, SystemClock())
        receipts: list[Receipt] = []
        uplink = Uplink(
            told,
            None,
            spool=spool,
            clock=SystemClock(),
            chance=random.Random(1),
            on_receipt=receipts.append,
            pace=pace,
        )
        uplink.report_each(0.1)
        try:
            yield Bench(spool, uplink, receiver, receipts)
        finally:
            await uplink.close()
            await spool.close()


async def test_what_is_spooled_arrives_once_and_leaves_the_spool(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        for n in range(5):
            await b.add(*(measured(f"{n}-{k}", job=f"bk/ping/{k}") for k in range(20)))
            b.uplink.changed()
        await b.until_empty()
        assert len(b.receiver.rows) == 100
        assert b.receiver.repeated == 0
        assert b.uplink.counters.measurements == 100
        assert b.receipts[-1].plan == "v1"
        assert b.uplink.trouble == ""


async def test_an_agent_with_nothing_to_say_still_says_that_it_lives(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        await b.receiver.until(lambda: len(b.receiver.arrived) >= 3)
        assert all(a.lane is Lane.LIVE and a.rows == [] for a in b.receiver.arrived)


async def test_a_change_of_state_does_not_wait_for_the_next_report(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.uplink.report_each(60.0)
        async with b.delivering():
            await b.receiver.until(lambda: len(b.receiver.arrived) == 1)
            begin = asyncio.get_running_loop().time()
            await b.add(measured("down", state=State.CRIT))
            b.uplink.changed()
            await b.receiver.until(lambda: b.receiver.texts(Lane.LIVE) == ["down"])
            assert asyncio.get_running_loop().time() - begin < 0.3


async def test_names_are_sent_once_and_then_by_number(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        for _ in range(3):
            await b.add(measured("the very same words"))
            b.uplink.changed()
            await b.until_empty()
        with_rows = [a.report for a in b.receiver.arrived if a.rows]
        assert "the very same words" in with_rows[0].texts
        assert all(report.texts == [] for report in with_rows[1:])


async def test_a_collector_that_forgot_the_names_gets_the_whole_table(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        await b.add(measured("before"))
        b.uplink.changed()
        await b.until_empty()
        b.receiver.tables.clear()
        await b.add(measured("after"))
        b.uplink.changed()
        await b.until_empty()
        assert b.receiver.texts() == ["before", "after"]
        assert [r for r in b.receiver.arrived if r.rows][-1].report.texts_from == 0


async def test_after_an_outage_the_newest_come_live_and_the_rest_follows_oldest_first(tmp_path: Path) -> None:
    pace = Pace(resume=0.02, first_backoff=0.02, max_backoff=0.05, away_after=0.3, chunk_bytes=2000)
    async with bench(tmp_path, pace=pace) as b:
        async with b.delivering():
            await b.receiver.until(lambda: len(b.receiver.arrived) >= 1)
            await b.receiver.stop()
            for n in range(100):
                await b.add(*(measured(f"{job}{n:03}", job=f"bk/ping/{job}", at=n) for job in "ab"))
            await asyncio.sleep(0.4)
            assert "connection refused" in b.uplink.trouble
            await b.receiver.start()
            await b.until_empty()
        texts = [t for t in b.receiver.texts() if t]
        assert texts[:2] == ["a099", "b099"]
        assert b.receiver.texts(Lane.LIVE) == ["a099", "b099"]
        assert b.receiver.texts(Lane.BACKLOG) == [f"{job}{n:03}" for n in range(99) for job in "ab"]
        assert b.receiver.repeated == 0
        assert b.uplink.trouble == ""


async def test_what_an_earlier_process_left_behind_is_backlog(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.add(measured("from before the restart"))
        async with b.delivering():
            await b.until_empty()
        assert b.receiver.texts(Lane.BACKLOG) == ["from before the restart"]
        assert b.receiver.texts(Lane.LIVE) == []


async def test_the_backlog_takes_no_more_than_its_share(tmp_path: Path) -> None:
    pace = Pace(resume=0.01, first_backoff=0.02, chunk_bytes=100)
    async with bench(tmp_path, pace=pace) as b:
        b.receiver.share = 0.0
        await b.add(*(measured(f"{n}") for n in range(5)))
        async with b.delivering():
            await b.receiver.until(lambda: len([a for a in b.receiver.arrived if a.lane is Lane.LIVE]) >= 4)
            assert len(b.receiver.texts(Lane.BACKLOG)) <= 1
            b.receiver.share = 1.0
            await b.until_empty()


async def test_a_request_that_dies_on_the_way_is_sent_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        await b.receiver.until(lambda: len(b.receiver.arrived) >= 1)
        b.receiver.hang_up = 3
        await b.add(measured("lost twice"))
        b.uplink.changed()
        await b.until_empty()
        assert b.receiver.texts() == ["lost twice"]


async def test_an_answer_that_dies_on_the_way_costs_a_repetition_and_nothing_else(tmp_path: Path) -> None:
    async with bench(tmp_path) as b, b.delivering():
        await b.receiver.until(lambda: len(b.receiver.arrived) >= 1)
        b.receiver.lose_answers = 2
        await b.add(measured("taken, and not answered"))
        b.uplink.changed()
        await b.until_empty()
        assert list(b.receiver.rows) == [((await b.spool.stats()).epoch, 1)]
        assert b.receiver.repeated >= 1


async def test_one_bad_row_does_not_take_others_along(tmp_path: Path) -> None:
    def judge(report: Report, rows: list[tuple[int, Measurement]]) -> Reply | None:
        poisoned = any("poison" in text for text in report.texts)
        return refusal(422, "malformed", "a poisoned name") if poisoned else None

    async with bench(tmp_path) as b:
        b.receiver.judge = judge
        await b.add(*(measured("poison" if n == 13 else f"good {n}", at=n) for n in range(40)))
        async with b.delivering():
            await b.until_empty()
            await b.add(measured("later"))
            b.uplink.changed()
            await b.receiver.until(lambda: "later" in b.receiver.texts())
            await b.receiver.until(lambda: bool(b.receiver.gaps))
        assert sorted(b.receiver.texts()) == sorted([*(f"good {n}" for n in range(40) if n != 13), "later"])
        ((gap),) = b.receiver.gaps
        assert (gap.first, gap.last, gap.count, gap.why) == (14, 14, 1, "refused")
        stats = await b.spool.stats()
        assert (stats.refused, b.uplink.counters.refused) == (1, 1)


async def test_a_collector_that_takes_no_report_at_all_costs_no_row(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench(tmp_path) as b:
        b.receiver.judge = lambda _report, _rows: refusal(400, "malformed", "unknown version")
        async with b.delivering():
            await b.add(measured("kept"))
            b.uplink.changed()
            await b.receiver.until(lambda: len(b.receiver.requests) > 5)
        assert (await b.spool.stats()).rows == 1
        assert b.uplink.denied
        assert caplog.text.count("the collector takes not even an empty report") == 1


async def test_a_wrong_token_is_said_once_and_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with bench(tmp_path, token="wrong") as b:
        async with b.delivering():
            await b.add(measured("kept"))
            b.uplink.changed()
            await b.receiver.until(lambda: len(b.receiver.requests) > 3)
        assert (await b.spool.stats()).rows == 1
        assert caplog.text.count("the collector refuses this agent") == 1
        assert "401 unauthorized: no such token: check the token (after a new one, restart the agent)" in caplog.text
        assert "wrong" not in caplog.text.replace("wrong-agent", "")


async def test_a_batch_that_is_too_large_is_made_smaller(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.receiver.judge = lambda _report, rows: Reply(413) if len(rows) > 60 else None
        await b.add(*(measured(f"{n} " + "x" * 1000) for n in range(300)))
        async with b.delivering():
            await b.until_empty()
        assert sorted(b.receiver.texts()) == sorted(f"{n} " + "x" * 1000 for n in range(300))


async def test_a_collector_that_asks_for_a_pause_gets_it(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        refused_at: list[float] = []
        loop = asyncio.get_running_loop()

        def judge(_report: Report, _rows: list[tuple[int, Measurement]]) -> Reply | None:
            if refused_at:
                return None
            refused_at.append(loop.time())
            return Reply(503, headers=(("Retry-After", "1"),))

        b.receiver.judge = judge
        async with b.delivering():
            await b.receiver.until(lambda: len(b.receiver.arrived) >= 1)
        assert 1.0 <= loop.time() - refused_at[0] < 1.6


async def test_a_server_that_is_no_collector_takes_nothing(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        b.receiver.judge = lambda _report, _rows: Reply(200, b"<html>Login</html>")
        async with b.delivering():
            await b.add(measured("kept"))
            b.uplink.changed()
            await b.receiver.until(lambda: len(b.receiver.requests) > 2)
        assert (await b.spool.stats()).rows == 1
        assert "not a collector's receipt" in b.uplink.trouble


async def test_gaps_are_told_until_they_are_acknowledged(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.add(measured("a", at=7))
        await b.spool.set_aside((await b.spool.stats()).epoch, [1], "a test's")
        b.receiver.lose_answers = 1
        async with b.delivering():
            await b.receiver.until(lambda: len(b.receiver.arrived) >= 4)
        assert len(b.receiver.gaps) == 1
        assert (await b.spool.stats()).gaps == 0


async def test_the_last_report_takes_what_is_left(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        async with b.delivering():
            await b.receiver.until(lambda: len(b.receiver.arrived) >= 1)
        await b.add(measured("last words"))
        await b.uplink.last_report()
        assert b.receiver.texts() == ["last words"]


async def test_no_request_is_much_larger_than_a_mebibyte(tmp_path: Path) -> None:
    chance = random.Random(3)
    async with bench(tmp_path) as b:
        await b.add(*(measured(chance.randbytes(5000).hex()) for n in range(300)))
        async with b.delivering():
            await b.until_empty()  # the receiver asserts the size
        assert len(b.receiver.rows) == 300


def test_of_many_rows_the_newest_of_each_job_stay() -> None:
    rows = [(n, measured(job=f"bk/ping/{n % 3}")) for n in range(1, 11)]
    assert [seq for seq, _ in newest_of_each_job(rows)] == [8, 9, 10]
