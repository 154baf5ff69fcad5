from __future__ import annotations

import stat
from pathlib import Path

import msgspec
import pytest

from agent import status
from agent.delivery import Counters
from agent.spoolfile import Stats
from agent.status import JobStatus, Status, StatusError, health
from checks.model import State

NOW = 1_800_000_000_000


def told(**fields: object) -> Status:
    good = Status(
        node="bk",
        version="1",
        pid=7,
        written_at=NOW - 1000,
        started_at=NOW - 3_600_000,
        collector="https://c.example.vn",
        plan="v1",
        plan_trouble="",
        uplink_trouble="",
        spool_trouble="",
        spool=Stats(1, 2, 300, 1000, 40, NOW, 0, 0, 0, 0),
        delivered=Counters(committed_at=NOW - 5000),
        skipped=0,
        jobs=(JobStatus("bk/ping/a", State.CRIT, NOW, "no answer"), JobStatus("bk/ping/b", None, 0, "not run yet")),
    )
    return msgspec.structs.replace(good, **fields)


@pytest.mark.parametrize(
    ("fields", "state", "why"),
    [
        ({}, State.OK, "measuring and delivering"),
        ({"plan": ""}, State.WARN, "no plan yet"),
        ({"uplink_trouble": "refused"}, State.WARN, "refused"),
        ({"plan_trouble": "not a plan"}, State.WARN, "not a plan"),
        ({"spool_trouble": "the disk is full"}, State.CRIT, "the disk is full"),
        (
            {"uplink_trouble": "refused", "delivered": Counters(committed_at=NOW - 300_000)},
            State.CRIT,
            "nothing committed for 300 s: refused",
        ),
        (
            {"written_at": NOW - 60_000},
            State.CRIT,
            "the agent has not written its status for 60 s: it does not run, or its disk is full",
        ),
    ],
)
def test_the_health_of_an_agent_is_about_the_agent(fields: dict[str, object], state: State, why: str) -> None:
    assert health(told(**fields), NOW) == (state, why)


def test_a_status_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    status.write(path, told())
    assert status.read(path) == told()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.write_bytes(b"{}")
    with pytest.raises(StatusError, match="not the status of an agent"):
        status.read(path)


def test_the_table_shows_every_job() -> None:
    lines = status.table(told(), NOW, colour=False).splitlines()
    assert lines[0] == "OK  measuring and delivering"
    assert lines[-2:] == ["CRIT    bk/ping/a  no answer", "-       bk/ping/b  not run yet"]
    assert "\033[31mCRIT\033[0m    bk/ping/a" in status.table(told(), NOW, colour=True)
