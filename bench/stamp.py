"""CPU of STAMP for one packet. Of the reflector, beside servers that only echo: a loop in Python, and Debian's socat.
Of an agent's session, beside one that sleeps, sends and receives, and does nothing else.

Packets of 10,000 sessions come from one socket, one at a time (each wakes the server, as they do when many agents send
one a second each), 64 at once, or ten each millisecond, which is one a second of each. The echo in Python waits,
receives and sends as the reflector does, and does nothing else: the difference is what STAMP costs.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.peers import Result, as_json, cpu_of_pid, debian_versions, machine, table
from checks.stamp.packet import Sent, write_sent
from checks.stamp.timestamp import ntp
from tests.peers import free_port, running, wait_until, which

SESSIONS = 10_000
PACKETS = 20_000
"""In one round of one contestant: every session sends two."""

PACED = SESSIONS // 1000
"""As many at once as come in a millisecond, and then none until the next one."""

KEY = b"a key of the bench"
REFLECTOR = """
import asyncio, sys
from checks.stamp.life import Life
from checks.stamp.reflector import open_reflector
async def main():
    key = sys.argv[2].encode()
    # As the collector: each session has a key of its own; and, where all have the same, none.
    keys = {ssid: key and f"{key.decode()} {ssid}".encode() for ssid in range(1, 10_001)}
    key_of = (lambda _, ssid: keys[ssid]) if key else lambda *_: key
    open_reflector("127.0.0.1", int(sys.argv[1]), key_of, stateful=sys.argv[3] == "stateful", life=Life(lambda _: None))
    await asyncio.Event().wait()
asyncio.run(main())
"""
ECHO = """
import asyncio, socket, sys
async def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", int(sys.argv[1])))
    def readable():
        for _ in range(64):
            try:
                packet, source = sock.recvfrom(2048)
            except BlockingIOError:
                return
            sock.sendto(packet, source)
    asyncio.get_running_loop().add_reader(sock, readable)
    await asyncio.Event().wait()
asyncio.run(main())
"""
AGENT_SESSIONS, AGENT_SPACING, AGENT_SECONDS = 50, 0.05, 4.0
AGENT = """
import asyncio, sys
from agent.beats import Beats
from checks.contract import SystemClock
from checks.model import Beat, Job
async def main():
    def beat(ssid):
        params = {"key": f"{sys.argv[4]} {ssid}", "spacing": float(sys.argv[3])}
        return Beat(Job("n", "stamp", f"s{ssid}", f"127.0.0.1:{sys.argv[1]}", 30.0, 10.0, 10.0, params), ssid)
    Beats("n", SystemClock(), lambda *_: None).adopt(map(beat, range(1, 1 + int(sys.argv[2]))))
    await asyncio.Event().wait()
asyncio.run(main())
"""
SLEEPER = """
import asyncio, socket, sys
async def session():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.connect(("127.0.0.1", int(sys.argv[1])))
    asyncio.get_running_loop().add_reader(sock, lambda: sock.recv(2048))
    while True:
        await asyncio.sleep(float(sys.argv[3]))
        sock.send(bytes(112))
async def main():
    await asyncio.gather(*(session() for _ in range(int(sys.argv[2]))))
asyncio.run(main())
"""


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A server: its command line, where PORT stands for the port; the key of the packets that it is sent;
    whether it keeps packets apart that come at once."""

    name: str
    argv: tuple[str, ...]
    key: bytes = KEY
    bursts: bool = True


def contestants() -> list[Contestant]:
    """Those that are here."""
    python = (sys.executable, "-c")
    found = [
        Contestant("thongsuot, authenticated, stateful", (*python, REFLECTOR, "PORT", KEY.decode(), "stateful")),
        Contestant("thongsuot, open, stateful", (*python, REFLECTOR, "PORT", "", "stateful"), b""),
        Contestant("thongsuot, authenticated, stateless", (*python, REFLECTOR, "PORT", KEY.decode(), "stateless")),
        Contestant("echo in Python", (*python, ECHO, "PORT")),
    ]
    if socat := which("socat"):
        # One connected peer, one pipe: it forks for nobody. What is in the pipe at once comes out as one packet.
        argv = (socat, "UDP4-LISTEN:PORT,bind=127.0.0.1", "PIPE")
        found.append(Contestant("echo by socat", argv, bursts=False))
    return found


def bound(port: int) -> bool:
    """Whether somebody has a UDP port of loopback."""
    mark = f"0100007F:{port:04X}"
    return mark in Path("/proc/net/udp").read_text()


@contextlib.contextmanager
def served(contestant: Contestant, folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], socket.socket]]:
    """The server, and a client's socket that is connected to it."""
    port = free_port(socket.SOCK_DGRAM)
    argv = [word.replace("PORT", str(port)) for word in contestant.argv]
    with (
        running(argv, ready=lambda: bound(port), log=folder / "log") as process,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(5)
        client.bind(("127.0.0.1", 0))
        client.connect(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        yield process, client


def packets(key: bytes, first: int) -> list[bytes]:
    """The next two packets of every session, from sequence number ``first`` on."""
    now = ntp(time.time_ns())
    return [
        write_sent(
            Sent(first + number // SESSIONS, now + number, 1, 1 + number % SESSIONS),
            key and key + f" {1 + number % SESSIONS}".encode(),
        )
        for number in range(PACKETS)
    ]


def microseconds(process: subprocess.Popen[bytes], client: socket.socket, load: list[bytes], at_once: int) -> float:
    """CPU of the server for one packet. Raises TimeoutError when an answer is missing."""
    with cpu_of_pid(process.pid) as watch:
        started = time.monotonic()
        for begin in range(0, len(load), at_once):
            if at_once == PACED:
                time.sleep(max(started + begin / SESSIONS - time.monotonic(), 0))
            some = load[begin : begin + at_once]
            for packet in some:
                client.send(packet)
            for _ in some:
                client.recv(2048)
    return watch.cpu / len(load) * 1e6


def measure(folder: Path, rounds: int) -> list[Result]:
    """The contestants in turn, so many times."""
    with contextlib.ExitStack() as stack:
        servers = [(one, *stack.enter_context(served(one, folder))) for one in contestants()]
        wait_until(lambda: all(process.poll() is None for _, process, _ in servers), "the servers")
        taken: dict[tuple[str, int], list[float]] = {}
        for number in range(rounds + 1):
            for turn, at_once in enumerate((1, 64, PACED)):
                for one, process, client in servers:
                    if at_once > 1 and not one.bursts:
                        continue
                    load = packets(one.key, 6 * number + 2 * turn)
                    cost = microseconds(process, client, load, at_once)
                    if number:  # the first round is to warm up
                        taken.setdefault((one.name, at_once), []).append(cost)
    ours = contestants()[0].name
    return [
        Result(label(name, at_once), costs, label(ours, at_once), per_core(costs))
        for (name, at_once), costs in taken.items()
    ]


def measure_agent(folder: Path, rounds: int) -> list[Result]:
    """What a session's packet costs who sends it."""
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, sender, far in (
            ("session of thongsuot's agent", AGENT, REFLECTOR),
            ("sleep, send and receive in Python", SLEEPER, ECHO),
        ):
            taken.setdefault(name, []).append(sender_microseconds(folder, sender, far))
    ours = next(iter(taken))
    return [Result(name, costs, ours, per_session(costs)) for name, costs in taken.items()]


def sender_microseconds(folder: Path, sender: str, far: str) -> float:
    """CPU of a sender for one packet and its answer."""
    port = free_port(socket.SOCK_DGRAM)
    server = [sys.executable, "-c", far, str(port), KEY.decode(), "stateful"]
    argv = [sys.executable, "-c", sender, str(port), str(AGENT_SESSIONS), str(AGENT_SPACING), KEY.decode()]
    with (
        running(server, ready=lambda: bound(port), log=folder / "log"),
        running(argv, ready=lambda: True, log=folder / "log") as process,
    ):
        time.sleep(2.0)  # until it has started
        with cpu_of_pid(process.pid) as watch:
            time.sleep(AGENT_SECONDS)
    return watch.cpu / (AGENT_SESSIONS * AGENT_SECONDS / AGENT_SPACING) * 1e6


def per_session(costs: list[float]) -> str:
    return f"a session of one packet a second: {statistics.median(costs) / 1e4:.3f} % of a core"


def label(name: str, at_once: int) -> str:
    how = {1: "one at a time", PACED: "10,000 a second"}
    return f"{name}, {how.get(at_once, f'{at_once} at once')}"


def per_core(costs: list[float]) -> str:
    cost = statistics.median(costs)
    return f"{1e6 / cost:,.0f} packets/s of one core; 10,000 agents at one a second: {cost:.0f} % of it"


def main() -> None:
    """``python -m bench.stamp [--rounds N] [--json]``"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if which("socat") is None:
        sys.stderr.write("socat is not installed: left out\n")
    with tempfile.TemporaryDirectory() as folder:
        before = os.getloadavg()[0]
        results = measure(Path(folder), options.rounds)
        agents = measure_agent(Path(folder), options.rounds)
    load = {"load before": f"{before:.1f}", "load after": f"{os.getloadavg()[0]:.1f}"}
    show = as_json if options.json else table
    print(show([*results, *agents], "µs of CPU per packet", machine() | load | debian_versions("socat")))


if __name__ == "__main__":
    main()
