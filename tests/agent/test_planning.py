from __future__ import annotations

import asyncio
import contextlib
import random
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent import planning
from agent.link import Link
from agent.planning import PlanError, PlanFile, Planning, admit, decode
from agent.settings import Settings
from checks.model import Job, Plan
from tests.agent.receiver import TOKEN, Receiver, receiving
from tests.agent.waiting import eventually


def job(label: str = "a", **fields: Any) -> Job:
    values: dict[str, Any] = {"target": "192.0.2.1", "interval": 60.0, "deadline": 5.0, "retry": 10.0, **fields}
    return Job("bk", "ping", label, **values)


def plan(*jobs: Job, version: str = "v1") -> Plan:
    return Plan("bk", version, 10.0, jobs)


@contextlib.asynccontextmanager
async def following(path: Path, adopted: list[Plan]) -> AsyncIterator[tuple[Planning, Receiver]]:
    async with receiving() as receiver:
        receiver.plan = plan(job())
        told = Settings(node="bk", collector=f"http://127.0.0.1:{receiver.port}", token=TOKEN)
        follower = Planning("bk", Link(told, None), PlanFile(path, "bk"), random.Random(1), adopted.append)
        follower.resume()
        task = asyncio.create_task(follower.follow())
        try:
            yield follower, receiver
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def test_a_plan_is_fetched_adopted_and_kept_for_its_owner_alone(tmp_path: Path) -> None:
    path, adopted = tmp_path / "plan.json", list[Plan]()
    async with following(path, adopted) as (_, receiver):
        await receiver.until(lambda: bool(receiver.requests))
        await eventually(path.exists)
    assert adopted == [plan(job())]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert PlanFile(path, "bk").load() == plan(job())


async def test_the_kept_plan_is_used_at_once_and_asked_for_by_its_version(tmp_path: Path) -> None:
    path, adopted = tmp_path / "plan.json", list[Plan]()
    PlanFile(path, "bk").store(plan(job()))
    async with following(path, adopted) as (_, receiver):
        assert adopted == [plan(job())]
        await receiver.until(lambda: bool(receiver.requests))
    assert receiver.requests[0][2]["if-none-match"] == '"v1"'
    assert adopted == [plan(job())]


async def test_another_version_in_a_receipt_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "SPACING", 0.01)
    adopted: list[Plan] = []
    async with following(tmp_path / "plan.json", adopted) as (follower, receiver):
        await receiver.until(lambda: len(receiver.requests) == 1)
        follower.offered("v1")
        follower.offered("")
        receiver.plan = plan(job("b"), version="v2")
        follower.offered("v2")
        await receiver.until(lambda: len(receiver.requests) == 2)
        await eventually(lambda: len(adopted) == 2)
    assert [p.version for p in adopted] == ["v1", "v2"]


async def test_while_the_collector_sends_nonsense_the_last_good_plan_runs_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(planning, "SPACING", 0.01)
    adopted: list[Plan] = []
    async with following(tmp_path / "plan.json", adopted) as (follower, receiver):
        await receiver.until(lambda: len(receiver.requests) == 1)
        receiver.plan = Plan("somebody-else", "v2", 10.0, ())
        follower.fetch_now()
        await receiver.until(lambda: len(receiver.requests) >= 2)
        await eventually(lambda: follower.trouble)
        assert "the plan is for 'somebody-else', this agent is 'bk'" in follower.trouble
        assert adopted == [plan(job())]
    assert "the last good one runs on" in caplog.text


def test_a_damaged_kept_plan_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "plan.json"
    path.write_bytes(b'{"agent": "bk", "jobs": [')
    assert PlanFile(path, "bk").load() is None
    assert f"the kept plan is not used: {path}: not a plan: " in caplog.text
    assert PlanFile(tmp_path / "none.json", "bk").load() is None


def test_a_plan_that_cannot_be_kept_is_run_all_the_same(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PlanFile(tmp_path / "missing" / "plan.json", "bk").store(plan())
    assert "the plan is not kept for the next start" in caplog.text


@pytest.mark.parametrize("body", [b"", b"[]", b'{"agent": "bk"}', b"\xff", b"[" * 100_000])
def test_what_is_no_plan_is_refused(body: bytes) -> None:
    with pytest.raises(PlanError, match="x: not a plan"):
        decode(body, "bk", "x")


@pytest.mark.parametrize("every", [0.0, -1.0, 1e9])
def test_a_plan_with_an_impossible_pace_is_refused(every: float) -> None:
    with pytest.raises(PlanError, match=r"report_every: expected 0.2 to 3600 s"):
        decode(msgspec.json.encode(Plan("bk", "v", every, ())), "bk", "x")


def test_one_bad_job_does_not_keep_the_others_from_running() -> None:
    def refusal(candidate: Job) -> str | None:
        return "unknown check 'pnig'" if candidate.label == "unknown" else None

    jobs = (job("good"), job("unknown"), job("never", interval=0.0), job("odd", deadline=float("inf")), job("good"))
    admitted = admit(plan(*jobs), refusal)
    assert [j.label for j in admitted.jobs] == ["good", "unknown", "never", "odd"]
    assert admitted.jobs[0] == job("good")
    assert all(j.interval > 0 and j.deadline < 100 for j in admitted.jobs)
    assert admitted.refused == {
        "bk/ping/unknown": "unknown check 'pnig'",
        "bk/ping/never": "interval: expected seconds above 0, got 0",
        "bk/ping/odd": "deadline: expected seconds above 0, got inf",
    }
