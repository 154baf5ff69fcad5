"""From an agent's report to the incident, and to the approval that ends it."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from collector.app import create_app
from collector.cli import app as command_line
from tests.collector.centres import Agent, TurnedClock, opened, pass_time, running
from tests.collector.configs.province import told, with_config
from tests.collector.configs.versions import AFTER, BEFORE, CHANGE, JOB, hash_of, read
from tests.peers import need


@pytest.fixture(autouse=True)
def _git() -> None:
    need("git")


def command(directory: Path, *arguments: str) -> str:
    settings = directory / "collector.toml"
    settings.write_text(f'state_dir = "{directory}"\n')
    done = CliRunner().invoke(command_line, ["config", *arguments, "--config", str(settings)])
    assert done.exit_code == 0, done.output
    return done.stdout


async def test_a_change_is_an_incident_with_its_lines_until_somebody_approves_it(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=with_config("frr"))) as centre:
        agent = Agent(centre, clock)
        await agent.report([(JOB, read(BEFORE))])
        await pass_time(centre, clock, 20, agent.report)
        assert told(centre, JOB) == []

        await agent.report([(JOB, read(AFTER, "alice"))])
        await pass_time(centre, clock, 15, agent.report)

        assert told(centre, JOB) == [f"r1: the configuration was changed by alice without approval: {CHANGE}"]
        (view,) = centre.answers.node("d1").configs
        assert (view.version, view.approved, view.by) == (hash_of(AFTER), hash_of(BEFORE), "alice")
        assert [line for line in view.difference if line[0] in "+-"] == [
            "- ip address 10.1.0.1/24",
            "+ ip address 10.1.0.2/24",
        ]

        await centre.configs.write()
        assert "not approved" in await asyncio.to_thread(command, tmp_path, "list")
        assert await asyncio.to_thread(command, tmp_path, "show", JOB) == AFTER
        assert "- ip address 10.1.0.1/24" in await asyncio.to_thread(command, tmp_path, "diff", JOB)
        said = await asyncio.to_thread(command, tmp_path, "approve", JOB, "--why", "13/QĐ-STTTT")
        assert said == f"{JOB}: {hash_of(AFTER)} is approved\n"
        await pass_time(centre, clock, 5, agent.report)

        assert told(centre, JOB) == []
        assert centre.live.jobs[JOB].state.value == "OK"
        assert centre.answers.node("d1").configs[0].why == "13/QĐ-STTTT"
        versions = await centre.answers.versions(JOB)
        assert [(version.version, version.by) for version in versions] == [
            (hash_of(AFTER), "alice"),
            (hash_of(BEFORE), "agent of d1"),
        ]


async def test_the_page_and_the_api_show_what_changed_and_no_text(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=with_config("frr"))) as centre:
        agent = Agent(centre, clock)
        await agent.report([(JOB, read(BEFORE))])
        await pass_time(centre, clock, 2)
        await agent.report([(JOB, read(AFTER, "<b>alice</b>"))])
        await pass_time(centre, clock, 2)
        await centre.configs.write()
        app = create_app(centre, clock, agents_too=False)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client:
            page = (await client.get("/nodes/d1?lang=en")).text
            versions = (await client.get("/api/v1/nodes/d1/configs/r1")).json()
            nothing = await client.get("/api/v1/nodes/d1/configs/r2")

    assert "\n- ip address 10.1.0.1/24\n+ ip address 10.1.0.2/24\n" in page
    assert "not approved" in page
    assert "<b>alice</b>" not in page
    assert [version["version"] for version in versions] == [hash_of(AFTER), hash_of(BEFORE)]
    assert (nothing.status_code, nothing.json()["detail"]) == (404, "no configuration of 'r2' at 'd1'")


async def test_a_clock_that_is_set_back_hides_no_change(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=with_config("frr"))) as centre:
        agent = Agent(centre, clock)
        await agent.report([(JOB, read(BEFORE))])
        await pass_time(centre, clock, 2)
        clock.ms -= 86_400_000
        await pass_time(centre, clock, 2)
        await agent.report([(JOB, read(AFTER))])
        await pass_time(centre, clock, 1)

        assert centre.live.jobs[JOB].reason == "unapproved-change"


async def test_what_a_crash_took_is_judged_again_and_written_once(tmp_path: Path) -> None:
    clock, early = TurnedClock(), tmp_path / "early.db"
    async with running(await opened(tmp_path / "c", clock, province=with_config("frr"))) as centre:
        agent = Agent(centre, clock)
        await agent.report([(JOB, read(BEFORE))])
        await pass_time(centre, clock, 5)
        with contextlib.closing(sqlite3.connect(tmp_path / "c" / "state.db")) as now:
            now.execute("VACUUM INTO ?", (str(early),))
        await agent.report([(JOB, read(AFTER))])
        await pass_time(centre, clock, 5)
        await centre.configs.write()
    for file in (tmp_path / "c").glob("state.db*"):
        file.unlink()
    early.rename(tmp_path / "c" / "state.db")

    async with running(await opened(tmp_path / "c", clock, province=with_config("frr"))) as centre:
        await pass_time(centre, clock, 5)
        await centre.configs.write()

        assert centre.live.jobs[JOB].reason == "unapproved-change"
        assert [version.version for version in await centre.answers.versions(JOB)] == [hash_of(AFTER), hash_of(BEFORE)]


async def test_without_git_a_collector_with_configurations_to_keep_does_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"git is not installed, .* apt-get install git"):
        await opened(tmp_path / "a", TurnedClock(), province=with_config("frr"))

    async with running(await opened(tmp_path / "b", TurnedClock())):
        pass
