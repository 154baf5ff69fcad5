"""``thongsuot-collector demo``: a province at work on this host. Real agent, SNMP over UDP, uplink over TLS, collector,
store, alerts and page; only the routers at the far ends are simulated."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from alerts.rules import JobRule
from checks.contract import SystemClock
from checks.registry import CHECKS
from checks.topology import Register, load
from collector.demo.certificate import write_certificate
from collector.demo.province import SAID, demo_topology, router_specs
from collector.demo.routers import Routers
from collector.server import Server, open_centre
from collector.settings import AlertSettings, Listen, NotifySettings, Settings

log = logging.getLogger(__name__)

BEFORE_THE_REFORM = datetime.date(2025, 6, 30)
"""The last day of the province as it was: 8 districts, 108 communes."""


@dataclass(frozen=True)
class DemoOptions:
    """What can be chosen of the demo. ``interval`` is the seconds between two polls of a router, ``proof_window`` for
    how many seconds a proof holds, ``confirm_after`` when a failure is confirmed."""

    topology: Path
    day: datetime.date = BEFORE_THE_REFORM
    page: str = "127.0.0.1:8080"
    interval: float = 10.0
    proof_window: float = 60.0
    confirm_after: float = 10.0
    notify: tuple[str, ...] = ()


def run(options: DemoOptions, say: Callable[[str], None]) -> None:
    """Runs until Ctrl-C or SIGTERM; then ends everything that it began, and leaves no file."""
    with tempfile.TemporaryDirectory(prefix="thongsuot-demo-") as directory:
        asyncio.run(_run(options, Path(directory), say))


async def _run(options: DemoOptions, directory: Path, say: Callable[[str], None]) -> None:
    clock = SystemClock()
    agents = f"127.0.0.1:{_free_port()}"
    ca, certificate, key = write_certificate(directory, datetime.datetime.now(datetime.UTC))
    topology = demo_topology(
        load(options.topology, CHECKS),
        interval=options.interval,
        page=options.page,
        agents=agents,
        ca_file=str(ca),
        routers=_free_port(socket.SOCK_DGRAM),
    )
    settings = Settings(
        topology=str(options.topology),
        state_dir=str(directory / "collector"),
        register_day=options.day,
        proof_window=options.proof_window,
        report_every=min(5.0, options.interval),
        listen=Listen(page=options.page, agents=agents, certificate=str(certificate), key=str(key)),
        alerts=AlertSettings(job=JobRule(confirm_after=options.confirm_after)),
        notify=NotifySettings(urls=options.notify),
    )
    register = topology.on(options.day)
    routers = Routers(router_specs(topology, list(register.nodes)), clock, seed=1)
    await routers.open()
    try:
        centre = await open_centre(settings, topology, clock, simulated=dict.fromkeys(register.nodes, SAID))
        token = secrets.token_urlsafe(32)
        centre.state.set_token(register.root.id, token, clock.now())
        config = _agent_config(directory, register.root.id, f"https://{agents}", token, ca)
        server = Server(centre, clock, demo=routers)
        stopped = asyncio.Event()
        with _signals(stopped.set):
            await _serve(server, config, stopped, lambda: say(_welcome(options, register)))
    finally:
        await routers.close()


async def _serve(server: Server, agent_config: Path, stopped: asyncio.Event, welcome: Callable[[], None]) -> None:
    """Serves until ``stopped``. The agent begins after the collector and ends before it."""
    ready = asyncio.Event()
    serving = asyncio.create_task(server.run(ready))
    if await _first(serving, ready.wait(), stopped.wait()) is not serving:
        with _agent(agent_config) as agent:
            welcome()
            ended = asyncio.create_task(asyncio.to_thread(agent.wait))
            if await _first(serving, ended, stopped.wait()) is ended:
                log.error("the agent ended by itself (exit code %s): the demo ends too", agent.returncode)
        await ended
        server.stop()
    await serving


async def _first(*others: asyncio.Task[Any] | Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Which of these ends first. What was a coroutine is cancelled after."""
    tasks = [other if isinstance(other, asyncio.Task) else asyncio.create_task(other) for other in others]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task, other in zip(tasks, others, strict=True):
        if task is not other:
            task.cancel()
    return next(task for task in tasks if task in done)


def _welcome(options: DemoOptions, register: Register) -> str:
    nodes = len(register.nodes)
    return (
        f"\n  Thông Suốt: http://{options.page}/\n\n"
        f"  {nodes} nodes and {len(register.offices)} offices, by the register of {register.day}.\n"
        f"  Simulated: all {nodes} routers: real SNMP over UDP on this host, but no device and no line behind it.\n"
        "  Real: the agent, its SNMP, its uplink over TLS, the collector, its store, alerts and page.\n"
        "  Open a node's page to stop its router. Ctrl-C ends everything.\n"
    )


def _agent_config(directory: Path, node: str, collector: str, token: str, ca: Path) -> Path:
    token_file, config = directory / "agent.token", directory / "agent.toml"
    token_file.touch(mode=0o600)
    token_file.write_text(token)
    quoted = {
        "node": node,
        "collector": collector,
        "token_file": str(token_file),
        "ca_file": str(ca),
        "state_dir": str(directory / "agent"),
        "log_level": "warning",
    }
    config.write_text("".join(f"{key} = {msgspec.json.encode(value).decode()}\n" for key, value in quoted.items()))
    return config


@contextlib.contextmanager
def _agent(config: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The agent as its own process, as on a node. It is ended by TERM, and by KILL if it does not heed it."""
    program = str(Path(sys.executable).with_name("thongsuot-agent"))
    # Even when the demo is killed, its agent does not outlive it.
    tied = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
    environ = {name: value for name, value in os.environ.items() if not name.startswith("THONGSUOT_")}
    process = subprocess.Popen(  # noqa: S603 - our own program, with our own file
        [*tied, program, "run", "--config", str(config)],
        env=environ,
        stdin=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C is for the demo, which then ends its agent
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def _signals(stop: Callable[[], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
