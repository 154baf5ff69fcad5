"""Seconds until it is known that a commune's line is dead: at our centre and our agent, beside OSPF, BFD and ping.

    python -m bench.down [--rounds 10] [--cut] [--json]

As root, in the lab's province: the collector and the agents at work, FRR's routers, and between them a line on which
all frames vanish while the carrier stays, as on most lines that providers lease. OSPF waits for 4 s without a hello,
BFD for 3 packets 0.3 s apart, as FRR has it; ping, at the centre, asks once a second and gives up at the third that is
not answered. With --cut the carrier goes too: a router that sees that at its own end need not wait.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from agent import status
from alerts.model import Incident, Verdict
from bench.peers import Result, as_json, debian_versions, machine, table
from checks.model import State
from tests.lab.layout import describe
from tests.lab.monitored import monitored
from tests.lab.province import Province, province
from tests.peers import free_port, need, running, wait_until

COMMUNE, PARENT = "c2", "d1"
"""The commune has one line, to this parent."""
OURS: Final = "thongsuot, incident at the centre"
_LONGEST: Final = 30.0
_FRR: Final = "/usr/lib/frr"

Know = Callable[[float], float | None]
"""The Unix time at which somebody knew that the line is dead, of what happened after another; None before."""


class Contest:
    """The province, and those in it who find out."""

    def __init__(self, built: Province, folder: Path) -> None:
        self.built, self.folder = built, folder
        self.line = built.line(COMMUNE)
        self.parent = built.router(PARENT)
        self.who: dict[str, Know] = {
            OURS: self.centre,
            "thongsuot, CRIT at the agent": self.agent,
            "FRR, OSPF neighbour lost": lambda _: self.missing(self.ospf),
            "FRR, BFD session down": lambda _: self.missing(self.bfd),
            "ping -i 1, three unanswered": self.ping,
        }

    def incidents(self) -> list[Incident]:
        """The collector's, of the commune, oldest first."""
        state = self.folder / "collector" / "state.db"
        with contextlib.closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=10)) as db:
            bodies = [body for (body,) in db.execute("SELECT body FROM incident ORDER BY id")]
        found = [msgspec.msgpack.decode(body, type=Incident) for body in bodies]
        return [one for one in found if one.node == COMMUNE]

    def centre(self, since: float) -> float | None:
        """When one began to say that the commune is not there: a new one, or one that was open for some other fault."""
        silences = (one.verdict_at / 1000 for one in self.incidents() if one.verdict is not Verdict.FAULT)
        return next((at for at in silences if at >= since), None)

    def session(self) -> status.JobStatus | None:
        """What the commune's agent last told of its session with the centre."""
        with contextlib.suppress(status.StatusError):
            jobs = status.read(self.folder / f"{COMMUNE}-agent" / status.FILE_NAME).jobs
            return next((job for job in jobs if job.job == f"{COMMUNE}/stamp/centre"), None)
        return None

    def agent(self, since: float) -> float | None:
        """When that was first CRIT."""
        said = self.session()
        dead = said is not None and said.state is State.CRIT
        return said.at / 1000 if said is not None and dead and said.at >= since * 1000 else None

    def ospf(self) -> bool:
        """Whether the parent's router has the commune's as a neighbour."""
        return self.built.nodes[COMMUNE].loopback in self.parent.show("ip ospf neighbor")["neighbors"]

    def bfd(self) -> bool:
        """Whether the parent's router has a BFD session with it."""
        peers = self.parent.show("bfd peers")
        return any(one["peer"] == self.line.access.address and one["status"] == "up" for one in peers)

    def missing(self, there: Callable[[], bool]) -> float | None:
        """Now, when something is not there."""
        return None if there() else time.time()

    def ping(self, since: float) -> float | None:
        """When ping said for the third time in a row that nothing has come yet."""
        said = (self.folder / "ping").read_text()
        silent = [float(at) for at in re.findall(r"(?m)^\[([\d.]+)\] no answer yet", said)]
        return next(iter([at for at in silent if at >= since][2:]), None)

    def well(self) -> bool:
        """Whether everybody takes the line for well."""
        said = self.session()
        closed = all(one.closed_at is not None for one in self.incidents())
        return said is not None and said.state is State.OK and closed and self.ospf() and self.bfd()

    def round(self, break_line: Callable[[], None]) -> dict[str, float]:
        """Seconds that each took to find out."""
        wait_until(self.well, "the line to be well in the eyes of all", 120)
        time.sleep(random.random())  # else all begin at the same place between two packets
        since = time.time()
        break_line()
        knew: dict[str, float] = {}

        try:
            while len(knew) < len(self.who) and time.time() < since + _LONGEST:
                for name, know in self.who.items():
                    if name not in knew and (at := know(since)) is not None:
                        knew[name] = at - since
        finally:
            self.line.mend()
        if missing := self.who.keys() - knew.keys():
            raise SystemExit(f"not in {_LONGEST:g} s: {', '.join(missing)}")
        return knew


@contextlib.contextmanager
def contest(folder: Path) -> Iterator[Contest]:
    """All of it at work."""
    with (
        province(describe(districts=1, communes=2), folder) as built,
        monitored(built, folder, f"127.0.0.1:{free_port()}"),
    ):
        built.settle()
        for node, peer in ((COMMUNE, PARENT), (PARENT, COMMUNE)):
            _bfd(built, node, peer)
        ping = ("ping", "-n", "-D", "-O", "-i", "1", built.nodes[COMMUNE].host)
        with running(built.office("centre").argv("stdbuf", "-oL", *ping), ready=lambda: True, log=folder / "ping"):
            yield Contest(built, folder)


def _bfd(built: Province, node: str, peer: str) -> None:
    """A BFD session of a router with that at the line's other end. The daemon ends with the router."""
    router, access = built.router(node), built.line(COMMUNE).access
    address = access.address if peer == COMMUNE else access.far_address
    subprocess.run(router.argv(f"{_FRR}/bfdd", "-d", "-N", router.name, "-A", "127.0.0.1"), check=True)
    router.vtysh(f"configure terminal\nbfd\npeer {address}\nno shutdown")


def main() -> None:
    """``python -m bench.down [--rounds N] [--cut] [--json]``"""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--cut", action="store_true", help="the carrier goes too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    need("ip", "nft", "vtysh", "snmpd", "ping", f"{_FRR}/bfdd", root=True)
    with tempfile.TemporaryDirectory() as folder, contest(Path(folder)) as those:
        break_line = those.line.cut if options.cut else those.line.blackhole
        rounds = [those.round(break_line) for _ in range(options.rounds)]
    taken = {name: [one[name] for one in rounds] for name in rounds[0]}
    results = [
        Result(name, taken[name], OURS, f"{min(taken[name]):.2f} to {max(taken[name]):.2f}") for name in those.who
    ]
    show = as_json if options.json else table
    print(show(results, "s", machine() | debian_versions("frr", "iputils-ping")))


if __name__ == "__main__":
    main()
