"""Memory and CPU of an agent at work, beside Debian's zabbix-agent2 and prometheus-node-exporter in the same run.

    python -m bench.agent [--seconds 60] [--interval 30] [--json]

All three are ordinary processes on loopback. Ours runs a commune's plan (30 jobs, every kind of check) against a centre
over HTTPS; zabbix-agent2 is asked 30 items, node-exporter is scraped once, each interval. Memory is the median over
samples one second apart; CPU is user + system over the whole time, one figure. RSS counts shared pages in full. PSS
shares them out: it flatters whoever runs the program that the bench itself runs, which is Python.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bench import peers
from bench.centre import NODE, Centre, serving
from tests.peers import DEBIAN, accepts, free_port, running, which

ZABBIX, EXPORTER = "zabbix_agent2", "prometheus-node-exporter"


@dataclass
class Party:
    """A process under the stopwatch. ``work`` is what is asked of it each interval; ``rss`` and ``pss`` in bytes,
    ``cpu`` in seconds."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    work: Callable[[], Awaitable[None]] | None = None
    rss: list[float] = field(default_factory=list)
    pss: list[float] = field(default_factory=list)
    cpu: float = 0.0

    def sample(self) -> None:
        """Takes its memory, its children's too."""
        sizes = [memory for process in self._processes() if (memory := _memory(process)) is not None]
        self.rss.append(sum(rss for rss, _ in sizes))
        self.pss.append(sum(pss for _, pss in sizes))

    def cpu_seconds(self) -> float:
        """CPU so far, that of children who ended too."""
        times = [process.cpu_times() for process in self._processes()]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)

    def expect_alive(self) -> None:
        """Raises SystemExit with what it said last when it has ended."""
        if self.process.poll() is not None:
            raise SystemExit(f"{self.name} ended with status {self.process.returncode}: {self.said()}")

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")[-1500:].strip()

    def _processes(self) -> list[psutil.Process]:
        self.expect_alive()
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


def _memory(process: psutil.Process) -> tuple[int, int] | None:
    """RSS and PSS in bytes; None of a child that has just ended."""
    try:
        sizes = process.memory_full_info()
    except psutil.NoSuchProcess:
        return None
    return sizes.rss, sizes.pss


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.agent", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to measure (default 60)")
    parser.add_argument("--interval", type=float, default=30.0, help="seconds between runs of each job (default 30)")
    parser.add_argument("--json", action="store_true", help="print JSON, every sample kept")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thongsuot-bench-") as folder:
        asyncio.run(_bench(Path(folder), options.seconds, options.interval, as_json=options.json))


async def _bench(folder: Path, seconds: float, interval: float, *, as_json: bool) -> None:
    async with serving(folder, interval) as (centre, port, ca_file):
        with contextlib.ExitStack() as stack:
            parties = _start_all(stack, folder, port, ca_file)
            async with _at_work(parties, interval):
                await _until_all_reported(centre, parties[0], interval)
                centre.payload.clear()  # the names of the series went with the first reports
                took = await _sampled(parties, seconds)
            for party in parties:
                party.expect_alive()
    tables = _results(parties, took)
    about = _about(centre, took, interval)
    for line in centre.not_ok():
        print(f"not OK, so its cost is not that of a healthy node: {line}", file=sys.stderr)
    if as_json:
        print(
            json.dumps([json.loads(peers.as_json(results, unit, about)) for unit, results in tables.items()], indent=2)
        )
    else:
        print("\n\n".join(peers.table(results, unit, about) for unit, results in tables.items()))


def _start_all(stack: contextlib.ExitStack, folder: Path, port: int, ca_file: Path) -> list[Party]:
    parties = [_ours(stack, folder, port, ca_file)]
    for program, start in ((ZABBIX, _zabbix), (EXPORTER, _exporter)):
        if which(program) is None:
            print(f"without {program}: apt-get install {DEBIAN[program]}", file=sys.stderr)
        else:
            parties.append(start(stack, folder, port))
    return parties


def _results(parties: Sequence[Party], took: float) -> dict[str, list[peers.Result]]:
    """By unit."""
    ours = parties[0].name
    mib = 2**20
    return {
        "MiB resident (RSS)": [peers.Result(p.name, [size / mib for size in p.rss], ours) for p in parties],
        "MiB resident (PSS)": [peers.Result(p.name, [size / mib for size in p.pss], ours) for p in parties],
        "% of a core": [peers.Result(p.name, [p.cpu / took * 100], ours) for p in parties],
    }


def _about(centre: Centre, took: float, interval: float) -> dict[str, str]:
    versions = peers.debian_versions(*(DEBIAN[name] for name in (ZABBIX, EXPORTER)))
    per_value = centre.payload["bytes"] / max(1, centre.payload["values"])
    return {
        **peers.machine(),
        **versions,
        "jobs": f"{len(centre.plan.jobs)} every {interval:g} s",
        "measured for": f"{took:.0f} s",
        "payload": f"{per_value:.1f} By a value",
    }


async def _sampled(parties: Sequence[Party], seconds: float) -> float:
    """Samples once a second. Returns how long it took."""
    start, before = time.monotonic(), [party.cpu_seconds() for party in parties]
    while time.monotonic() - start < seconds:
        for party in parties:
            party.sample()
        await asyncio.sleep(1)
    for party, earlier in zip(parties, before, strict=True):
        party.cpu = party.cpu_seconds() - earlier
    return time.monotonic() - start


async def _until_all_reported(centre: Centre, ours: Party, interval: float) -> None:
    wanted = {job.id for job in centre.plan.jobs}
    end = time.monotonic() + 2 * interval + 30
    while missing := wanted - centre.states.keys():
        ours.expect_alive()
        if time.monotonic() > end:
            raise SystemExit(f"the agent did not report {', '.join(sorted(missing))}: {ours.said()}")
        await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _at_work(parties: Sequence[Party], interval: float) -> AsyncIterator[None]:
    """Asks the parties that wait to be asked, each interval."""

    async def ask(work: Callable[[], Awaitable[None]]) -> None:
        while True:
            await work()
            await asyncio.sleep(interval)

    tasks = [asyncio.create_task(ask(party.work)) for party in parties if party.work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


def _ours(stack: contextlib.ExitStack, folder: Path, port: int, ca_file: Path) -> Party:
    state, settings = folder / "state", folder / "agent.toml"
    state.mkdir(mode=0o700)
    lines = {"node": NODE, "collector": f"https://127.0.0.1:{port}", "token": "bench", "ca_file": ca_file}
    settings.write_text(
        "".join(f'{key} = "{value}"\n' for key, value in {**lines, "state_dir": state}.items()), encoding="utf-8"
    )
    log, program = folder / "ours.log", Path(sys.executable).with_name("thongsuot-agent")
    argv = [str(program), "run", "--config", str(settings)]
    return Party("thongsuot-agent", stack.enter_context(running(argv, ready=lambda: True, log=log)), log)


def _zabbix(stack: contextlib.ExitStack, folder: Path, web_port: int) -> Party:
    port, log, conf = _port_for_zabbix(), folder / "zabbix.log", folder / "zabbix.conf"
    conf.write_text(
        f"LogType=console\nServer=127.0.0.1\nListenIP=127.0.0.1\nListenPort={port}\nHostname=bench\n"
        f"PidFile={folder}/zabbix.pid\nControlSocket={folder}/zabbix.sock\nPluginSocket={folder}/plugin.sock\n",
        encoding="ascii",
    )
    items = [
        *("agent.ping", "system.uptime", "system.cpu.load[all,avg1]", "system.cpu.util", "vm.memory.size[available]"),
        *("system.swap.size[,free]", "vfs.fs.size[/,pused]", "vfs.fs.inode[/,pused]", "net.if.in[lo]", "proc.num"),
        *([f"net.tcp.port[127.0.0.1,{web_port}]"] * 20),
    ]

    async def ask() -> None:
        for item in items:
            # The Zabbix protocol: ZBXD, flags, length in 8 bytes little-endian, data.
            answer = await _asked(port, b"ZBXD\x01" + struct.pack("<Q", len(item)) + item.encode())
            if not answer.startswith(b"ZBXD") or b"ZBX_NOTSUPPORTED" in answer:
                raise SystemExit(f"zabbix-agent2 does not give {item}: {answer[13:]!r}")

    argv = [ZABBIX, "-c", str(conf), "-f"]
    process = stack.enter_context(running(argv, ready=lambda: accepts(port), log=log))
    return Party("zabbix-agent2", process, log, ask)


def _port_for_zabbix() -> int:
    """A free port that zabbix-agent2 takes: below the ephemeral ones."""
    return next(port for port in range(20_050, 32_768) if not accepts(port))


def _exporter(stack: contextlib.ExitStack, folder: Path, _web_port: int) -> Party:
    port, log = free_port(), folder / "exporter.log"

    async def scrape() -> None:
        answer = await _asked(port, b"GET /metrics HTTP/1.0\r\n\r\n")
        if b" 200 OK" not in answer[:20]:
            raise SystemExit(f"prometheus-node-exporter: expected its metrics, got {answer[:80]!r}")

    argv = [EXPORTER, f"--web.listen-address=127.0.0.1:{port}"]
    process = stack.enter_context(running(argv, ready=lambda: accepts(port), log=log))
    return Party("prometheus-node-exporter", process, log, scrape)


async def _asked(port: int, request: bytes) -> bytes:
    """Everything that a server on loopback says to a request until it hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    finally:
        writer.close()


if __name__ == "__main__":
    main()
