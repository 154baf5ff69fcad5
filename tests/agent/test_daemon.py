from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from agent import status
from checks.model import Job, Plan, State
from tests.agent.receiver import TOKEN, Receiver, receiving
from tests.agent.waiting import eventually

AGENT = [sys.executable, "-c", "from agent.cli import main; main()"]


def job(label: str, port: int, *, interval: float = 0.2, check: str = "tcp") -> Job:
    return Job("bk", check, label, f"127.0.0.1:{port}", interval, 2.0, interval)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """The port of a service that accepts."""
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Daemon:
    """An agent in a process of its own."""

    def __init__(self, state: Path, receiver: Receiver, **environ: str) -> None:
        self.state = state
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("THONGSUOT_")},
            "THONGSUOT_NODE": "bk",
            "THONGSUOT_COLLECTOR": f"http://127.0.0.1:{receiver.port}",
            "THONGSUOT_TOKEN": TOKEN,
            "THONGSUOT_STATE_DIR": str(state),
            **environ,
        }
        self.process: asyncio.subprocess.Process | None = None

    async def command(self, *arguments: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *AGENT, *arguments, env=self.environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        with (self.state.parent / "agent.log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*AGENT, "run", env=self.environ, stderr=log)
        try:
            yield self.process
        finally:
            if self.process.returncode is None:
                self.process.kill()
            await self.process.wait()

    @property
    def log(self) -> str:
        return (self.state.parent / "agent.log").read_text()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as started:
        yield started


def states(receiver: Receiver, name: str) -> list[State]:
    return [m.outcome.state for _, m in sorted(receiver.rows.items()) if m.job == name]


@pytest.mark.slow
async def test_an_agent_measures_delivers_and_ends_in_order(tmp_path: Path, receiver: Receiver, port: int) -> None:
    bad = Job("bk", "tpc", "typo", "x", 60.0, 2.0, 60.0)
    receiver.plan = Plan("bk", "v1", 0.2, (job("up", port), job("down", 1), bad))
    daemon = Daemon(tmp_path / "state", receiver)
    async with daemon.running() as process:
        await receiver.until(lambda: len(states(receiver, "bk/tcp/up")) >= 3, 20)
        await receiver.until(lambda: bool(states(receiver, "bk/tpc/typo")), 20)
        assert set(states(receiver, "bk/tcp/down")) == {State.CRIT}
        assert states(receiver, "bk/tpc/typo") == [State.UNKNOWN]

        process.send_signal(signal.SIGTERM)
        begin = asyncio.get_running_loop().time()
        assert await process.wait() == 0
        assert asyncio.get_running_loop().time() - begin < 5
    assert receiver.repeated == 0
    numbers = [seq for _, seq in sorted(receiver.rows)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert stat.S_IMODE((tmp_path / "state" / "plan.json").stat().st_mode) == 0o600
    assert TOKEN not in daemon.log
    assert "Traceback" not in daemon.log


@pytest.mark.slow
async def test_after_a_kill_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path, receiver: Receiver, port: int
) -> None:
    receiver.plan = Plan("bk", "v1", 0.2, tuple(job(f"{n}", port) for n in range(5)))
    daemon = Daemon(tmp_path / "state", receiver)
    for _ in range(3):
        seen = len(receiver.rows)
        async with daemon.running() as process:
            await receiver.until(lambda seen=seen: len(receiver.rows) >= seen + 5, 20)  # type: ignore[misc] # mypy cannot infer a lambda's default
            process.kill()
            await process.wait()
    receiver.plan = Plan("bk", "v2", 0.2, ())
    async with daemon.running() as process:
        await eventually(lambda: "v2" in status_of(daemon).plan and status_of(daemon).spool.rows == 0, 20)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    ((epoch),) = {epoch for epoch, _ in receiver.rows}
    numbers = [seq for _, seq in sorted(receiver.rows)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert receiver.gaps == []
    assert epoch > 0


def status_of(daemon: Daemon) -> status.Status:
    return status.read(daemon.state / "status.json")


@pytest.mark.slow
async def test_with_the_collector_away_the_kept_plan_runs_and_the_spool_fills(
    tmp_path: Path, receiver: Receiver, port: int
) -> None:
    receiver.plan = Plan("bk", "v1", 0.2, (job("up", port),))
    daemon = Daemon(tmp_path / "state", receiver)
    async with daemon.running() as process:
        await receiver.until(lambda: len(receiver.rows) >= 1, 20)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    seen = len(receiver.rows)
    await receiver.stop()
    async with daemon.running() as process:
        await eventually(lambda: status_of(daemon).spool.rows >= 2 and status_of(daemon).pid == process.pid, 20)
        code, text = await daemon.command("status")
        assert code == 1
        assert "WARN  collector 127.0.0.1:" in text
        assert "connection refused" in text
        await receiver.start()
        await receiver.until(lambda: len(receiver.rows) >= seen + 3, 20)
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
    numbers = [seq for _, seq in sorted(receiver.rows)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.slow
async def test_hangup_fetches_the_plan_and_what_stays_keeps_its_place(
    tmp_path: Path, receiver: Receiver, port: int
) -> None:
    receiver.plan = Plan("bk", "v1", 600.0, (job("kept", port), job("gone", port)))
    daemon = Daemon(tmp_path / "state", receiver)
    async with daemon.running() as process:
        await eventually((daemon.state / "plan.json").exists, 20)
        receiver.plan = Plan("bk", "v2", 0.2, (job("kept", port), job("new", port)))
        process.send_signal(signal.SIGHUP)
        await receiver.until(lambda: bool(states(receiver, "bk/tcp/new")), 20)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
    assert json.loads((daemon.state / "plan.json").read_bytes())["version"] == "v2"


async def test_systemd_hears_that_the_agent_is_ready_alive_and_stopping(
    tmp_path: Path, receiver: Receiver, port: int
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.setblocking(False)
        daemon = Daemon(tmp_path / "state", receiver, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="400000")
        heard: list[str] = []
        loop = asyncio.get_running_loop()
        async with daemon.running() as process, asyncio.timeout(20):
            while heard.count("WATCHDOG=1") < 3:
                heard.append((await loop.sock_recv(manager, 4096)).decode())
            process.send_signal(signal.SIGTERM)
            while "STOPPING=1" not in heard:
                heard.append((await loop.sock_recv(manager, 4096)).decode())
            assert await process.wait() == 0
    assert heard.index("READY=1") < heard.index("STOPPING=1")
    assert any(line.startswith("STATUS=") and "rows in the spool" in line for line in heard)


@pytest.mark.slow
async def test_a_second_agent_on_the_same_state_is_turned_away(tmp_path: Path, receiver: Receiver, port: int) -> None:
    daemon = Daemon(tmp_path / "state", receiver)
    async with daemon.running():
        await receiver.until(lambda: bool(receiver.arrived), 20)
        code, text = await daemon.command("run")
    assert code == 1
    assert "is in use: another thongsuot-agent runs with this state_dir" in text


@pytest.mark.slow
async def test_the_agent_is_small(tmp_path: Path, receiver: Receiver, port: int) -> None:
    jobs = [job(f"{n}", port, interval=0.5) for n in range(29)]
    jobs.append(Job("bk", "host", "self", "", 0.5, 2.0, 0.5))
    receiver.plan = Plan("bk", "v1", 0.5, tuple(jobs))
    daemon = Daemon(tmp_path / "state", receiver)
    async with daemon.running() as process:
        await receiver.until(lambda: len(receiver.rows) >= 300, 30)
        memory = psutil.Process(process.pid).memory_full_info()
    # Of what is resident, some 20 MB are pages of libraries; a service of its own pays for the rest alone.
    assert memory.rss < 44 << 20
    assert memory.uss < 30 << 20


@pytest.mark.slow
async def test_status_tells_people_and_machines_how_the_agent_is(tmp_path: Path, receiver: Receiver, port: int) -> None:
    receiver.plan = Plan("bk", "v1", 0.2, (job("up", port),))
    daemon = Daemon(tmp_path / "state", receiver)
    missing = f"{daemon.state}/status.json: no such file: has the agent been started, with this state_dir?"
    assert await daemon.command("status") == (3, f"thongsuot-agent: {missing}\n")
    async with daemon.running():
        await receiver.until(lambda: bool(receiver.rows), 20)
        await eventually(lambda: status_of(daemon).delivered.measurements > 0, 20)
        code, text = await daemon.command("status")
        assert (code, text.splitlines()[0]) == (0, "OK  measuring and delivering")
        assert "bk/tcp/up" in text
        code, text = await daemon.command("status", "--json")
        told = json.loads(text)
        assert (code, told["state"], told["node"], told["plan"]) == (0, "OK", "bk", "v1")
    assert TOKEN not in text


async def test_bad_settings_end_the_start_with_a_sentence(tmp_path: Path, receiver: Receiver) -> None:
    daemon = Daemon(tmp_path / "state", receiver, THONGSUOT_COLLECTOR="http://collector.example.vn")
    code, text = await daemon.command("run")
    assert code == 3
    assert text.count("\n") == 1
    assert "would send the token in clear" in text
