"""A node's line is cut: its agent finds out, and the centre has an incident, each within seconds. The collector, two
agents and the line are real; the line is a cable between two network namespaces."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent import status
from agent.status import JobStatus, StatusError
from alerts.model import Incident, Verdict
from checks.model import State
from tests.lab.netns import Namespace, cable, namespaces
from tests.peers import need, running, wait_until
from tests.pki import issue

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

BIN = Path(sys.executable).parent
TARGET = 4.0
"""Seconds from the cut to the incident."""

TOPOLOGY = """
province: {name: T, name_en: T, timezone: Asia/Ho_Chi_Minh}
tiers: [{id: province, vi: T, en: T}, {id: commune, vi: X, en: C}]
categories: [{id: party, vi: D, en: P}]
templates:
  centre: {tier: province, checks: [{check: host}]}
  commune: {tier: commune, checks: [{check: host}], offices: [{id: party, vi: D, category: party}]}
nodes:
  - {id: bk, name: B, template: centre, reflector: "10.9.9.2:8862"}
  - {id: c1, name: C, template: commune, parent: bk}
"""


class Province:
    """The collector at 10.9.9.2 with the centre's agent beside it, and the commune's agent at 10.9.9.1, over the
    line."""

    def __init__(self, folder: Path, commune: Namespace, centre: Namespace) -> None:
        self.folder, self.commune, self.centre = folder, commune, centre
        authority = issue("authority", authority=True)
        self.authority, _ = authority.write(folder, "authority")
        certificate, key = issue("collector", "10.9.9.2", by=authority).write(folder, "collector")
        (folder / "topology.yaml").write_text(TOPOLOGY)
        self.config = folder / "collector.toml"
        self.config.write_text(
            f'topology = "{folder / "topology.yaml"}"\nstate_dir = "{folder / "collector"}"\n'
            f'[listen]\npage = "127.0.0.1:8080"\nagents = "10.9.9.2:8443"\nreflector = "10.9.9.2:8862"\n'
            f'certificate = "{certificate}"\nkey = "{key}"\n'
        )

    def collector(self, *words: str) -> list[str]:
        return [str(BIN / "thongsuot-collector"), *words, "--config", str(self.config)]

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        """All of it, with a session of each agent that has told that its line is well."""
        argv = self.centre.argv(*self.collector("run"))
        with (
            running(argv, ready=lambda: self.logged("STAMP packets are reflected"), log=self.log, seconds=30),
            self.agent("bk", self.centre),
            self.agent("c1", self.commune),
        ):
            yield

    @contextlib.contextmanager
    def agent(self, node: str, where: Namespace) -> Iterator[None]:
        add = subprocess.run(self.collector("agent", "add", node), check=True, capture_output=True, text=True)
        file = self.folder / f"{node}.toml"
        file.write_text(
            f'node = "{node}"\ncollector = "https://10.9.9.2:8443"\ntoken = "{add.stdout.strip()}"\n'
            f'state_dir = "{self.folder / node}"\nca_file = "{self.authority}"\n'
        )
        argv = where.argv(str(BIN / "thongsuot-agent"), "run", "--config", str(file))
        with running(argv, ready=lambda: self.well(node), log=self.log, seconds=60):
            yield

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def logged(self, words: str) -> bool:
        return words in self.log.read_text()

    def session(self, node: str) -> JobStatus | None:
        """What an agent last told of its session with the centre."""
        with contextlib.suppress(StatusError):
            jobs = status.read(self.folder / node / status.FILE_NAME).jobs
            return next((job for job in jobs if job.job == f"{node}/stamp/centre"), None)
        return None

    def well(self, node: str) -> bool:
        """Whether that was good."""
        session = self.session(node)
        return session is not None and session.state is State.OK

    def silences(self, since: float) -> list[Incident]:
        """The incidents since a Unix time that say of a node that it is not there."""
        state = self.folder / "collector" / "state.db"
        with contextlib.closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=10)) as db:
            found = [
                msgspec.msgpack.decode(body, type=Incident)
                for (body,) in db.execute("SELECT body FROM incident ORDER BY id")
            ]
        return [one for one in found if one.verdict is not Verdict.FAULT and one.opened_at >= since * 1000]


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    need("ip", "nft", root=True)
    with namespaces("commune", "centre") as (commune, centre):
        cable(commune, "eth0", centre, "eth0")
        commune.address("eth0", "10.9.9.1/24")
        centre.address("eth0", "10.9.9.2/24")
        made = Province(tmp_path_factory.mktemp("province"), commune, centre)
        with made.at_work():
            yield made


@contextlib.contextmanager
def dropping(what: str, *ends: Namespace) -> Iterator[float]:
    """Of what arrives over the line at these ends; since when."""
    chain = f'chain i {{ type filter hook ingress device "eth0" priority 0; {what} drop; }}'
    begin = time.time()
    for end in ends:
        end("nft", f"table netdev f {{ {chain}; }}")
    try:
        yield begin
    finally:
        for end in ends:
            end("nft", "flush", "ruleset")


def test_a_cut_line_is_found_at_both_ends_within_four_seconds_and_its_end_at_once(province: Province) -> None:
    with dropping("", province.commune, province.centre) as cut:
        wait_until(lambda: province.silences(cut) != [], "an incident")
        wait_until(lambda: not province.well("c1"), "the agent to notice")
        (incident,) = province.silences(cut)
        session = province.session("c1")
    mend = time.time()
    wait_until(lambda: province.silences(cut)[0].closed_at is not None, "its end")
    wait_until(lambda: province.well("c1"), "the agent to notice that too")

    assert session is not None
    assert session.state is State.CRIT
    assert (incident.node, incident.verdict, incident.offices) == ("c1", Verdict.SILENT, 1)
    assert incident.alerts[0].reason == "beatless"
    noticed, opened = session.at / 1000 - cut, incident.opened_at / 1000 - cut
    closed = (province.silences(cut)[0].closed_at or 0) / 1000 - mend
    print(f"the agent noticed after {noticed:.2f} s, the centre after {opened:.2f} s, and the end after {closed:.2f} s")
    assert noticed < TARGET
    assert opened < TARGET
    assert closed < TARGET


def test_a_line_that_loses_a_fifth_of_its_packets_each_way_is_not_dead(province: Province) -> None:
    with dropping("ip protocol udp numgen random mod 100 < 20", province.commune, province.centre) as begin:
        wait_until(lambda: province.silences(begin) != [] or time.time() > begin + 15, "15 s to pass", 30)

    assert province.silences(begin) == []


def test_a_filter_of_udp_alone_makes_the_session_bad_and_nobody_silent(province: Province) -> None:
    wait_until(lambda: province.well("c1"), "a good line", 60)
    with dropping("ip protocol udp", province.centre) as begin:
        wait_until(lambda: not province.well("c1"), "the agent to notice")
        wait_until(lambda: province.silences(begin) != [] or time.time() > begin + 8, "8 s to pass")

    assert province.silences(begin) == []


def test_an_agent_whose_own_cable_is_out_blames_that_and_not_the_line(province: Province) -> None:
    wait_until(lambda: province.well("c1"), "a good line", 60)
    out = time.time()
    province.centre.ip("link", "set", "dev", "eth0", "down")  # so the commune's end of the cable has no link
    try:
        wait_until(lambda: not province.well("c1"), "the agent to notice")
        session = province.session("c1")
        wait_until(lambda: province.silences(out) != [], "the centre to hear nothing of it", 45)
    finally:
        province.centre.ip("link", "set", "dev", "eth0", "up")

    assert session is not None
    assert session.state is State.UNKNOWN
    assert session.summary.startswith("interface eth0 of this agent's host, with 10.9.9.1, has no link")
