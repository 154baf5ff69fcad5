"""The collector's own reflector: whose packets are answered, and which are signs of life. Packets are real."""

from __future__ import annotations

import contextlib
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from checks.model import Beat
from checks.registry import CHECKS
from checks.stamp.packet import Sent, read_reflected, write_sent
from checks.stamp.timestamp import ntp
from checks.topology import loads
from collector.beats import Beats
from collector.centre import Centre
from collector.coverage import Reach
from collector.settings import Listen, Settings
from collector.state import StateFile
from tests.collector.centres import Agent, TurnedClock, opened, pass_time, running
from tests.collector.provinces import DAY, SECRETS, TEXT, topology
from tests.peers import free_port

PROVINCE = loads(
    TEXT.replace("template: centre}", 'template: centre, reflector: "127.0.0.1:8862"}').replace(
        "measured_by: parent\n", "measured_by: self\n    checks: [{check: host}]\n"
    ),
    "province.yaml",
    CHECKS,
)
"""Everybody has an agent, and a session with the centre."""

NODES = ("bk", "d1", "c1", "c2")


class Sending:
    """An agent's packets, over a socket of its own."""

    def __init__(self, centre: Centre, clock: TurnedClock, node: str, port: int) -> None:
        plan = centre.plan_of(node)
        assert plan is not None
        self.beat: Beat = plan.beats[0]
        self.key = self.beat.job.params["key"].encode()
        self.clock, self.port, self.sent = clock, port, 0
        self.ahead = 0.0
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)

    def packet(self, key: bytes = b"") -> bytes:
        """The next."""
        self.sent += 1
        stamp = ntp(self.clock.now() * 1_000_000 + round(self.ahead * 1e9))
        return write_sent(Sent(self.sent, stamp, 1, self.beat.ssid), key or self.key)

    def send(self, packet: bytes | None = None) -> None:
        self.sock.sendto(packet or self.packet(), ("127.0.0.1", self.port))

    def answered(self) -> bool:
        """Whether an authentic answer is there."""
        try:
            read_reflected(self.sock.recv(9000), self.key)
        except BlockingIOError:
            return False
        return True


@contextlib.asynccontextmanager
async def at_work(folder: Path, clock: TurnedClock, *nodes: str) -> AsyncIterator[tuple[Centre, list[Sending]]]:
    """A centre with its reflector open, and the agents of these nodes."""
    port = free_port(socket.SOCK_DGRAM)
    settings = Settings(
        state_dir=str(folder),
        register_day=DAY,
        secrets=dict(SECRETS),
        listen=Listen(reflector=f"127.0.0.1:{port}"),
    )
    centre = await opened(folder, clock, province=PROVINCE, settings=settings)
    for node in NODES[2:]:
        centre.state.set_token(node, f"token of {node}", clock.now())
    with centre.beats.reflecting(settings.listen.reflector), contextlib.ExitStack() as undo:
        async with running(centre):
            agents = [Sending(centre, clock, node, port) for node in nodes]
            for agent in agents:
                undo.callback(agent.sock.close)
            yield centre, agents


async def seconds(centre: Centre, clock: TurnedClock, count: int, *agents: Sending) -> None:
    """Lets time pass, with a packet of each of these agents in each second."""

    def each() -> None:
        for agent in agents:
            agent.send()

    await pass_time(centre, clock, count, each)


async def test_a_beat_proves_its_node_and_a_plan_holds_the_key_of_its_own_session_alone(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, "d1") as (centre, (d1,)):
        await seconds(centre, clock, 1, d1)
        assert d1.answered()
        assert centre.answers.judged().nodes["d1"] is Reach.CONNECTED
        assert centre.evidence.proven_at("d1") == clock.now()
        assert (centre.beats.expected, centre.watch.beating) == (4, 1)
        beats = [beat for node in NODES for beat in centre.scope.plans[node].beats]
        assert [beat.job.id for beat in beats] == [f"{node}/stamp/centre" for node in NODES]
        assert len({beat.ssid for beat in beats}) == len({beat.job.params["key"] for beat in beats}) == 4
        assert all(centre.inforce.scope.jobs[beat.job.id].agent == beat.job.node for beat in beats)


async def test_one_agent_s_key_does_not_open_another_s_session(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, "d1", "c1") as (centre, (d1, c1)):
        d1.send(d1.packet(c1.key))
        centre.beats.catch_up()
        assert (centre.beats.counters.forged, centre.evidence.proven_at("d1")) == (1, 0)
        d1.send(d1.packet()[:100])
        centre.beats.catch_up()
        assert centre.evidence.proven_at("d1") == 0


async def test_an_agent_whose_token_was_revoked_is_not_answered(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, "d1") as (centre, (d1,)):
        await seconds(centre, clock, 1, d1)
        assert d1.answered()
        centre.state.revoke("d1")
        await seconds(centre, clock, 1)
        await seconds(centre, clock, 1, d1)
        assert not d1.answered()
        assert (centre.beats.counters.unknown, centre.beats.expected) == (1, 3)


@pytest.mark.parametrize("killed", [True, False], ids=["after a kill", "after a stop"])
async def test_what_was_recorded_before_a_restart_is_no_life_after_it(tmp_path: Path, killed: bool) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path / "a", clock, "d1") as (centre, (d1,)):
        recorded = d1.packet()
        d1.send(recorded)
        await seconds(centre, clock, 2)
        late = d1.packet()  # not kept any more when the process is killed
        d1.send(late)
        centre.beats.catch_up()
        assert centre.beats.counters.reflected == 2
        ssid, key = d1.beat.ssid, d1.key
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    clock.turn(2)
    async with at_work(tmp_path / ("b" if killed else "a"), clock, "d1") as (centre, (d1,)):
        assert (d1.beat.ssid, d1.key) == (ssid, key)
        for packet in (recorded, late):
            d1.send(packet)
            centre.beats.catch_up()
        assert (centre.beats.counters.replayed, centre.evidence.proven_at("d1")) == (2, 0)
        await seconds(centre, clock, 2, d1)
        assert centre.evidence.proven_at("d1") == clock.now()


@pytest.mark.parametrize("restarted", [False, True], ids=["while it runs", "while it was off"])
async def test_an_agent_whose_clock_was_set_back_is_believed_after_its_next_report(
    tmp_path: Path, restarted: bool
) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, "d1", "d1") as (centre, (ahead, anew)):
        ahead.ahead = 3600
        await seconds(centre, clock, 1, ahead)
        ahead.ahead = 0
        right = anew if restarted else ahead
        await seconds(centre, clock, 1, right)
        assert centre.evidence.beaten_at["d1"] == clock.now() - 1000
        await Agent(centre, clock, "d1").report()
        await seconds(centre, clock, 1, right)
        assert centre.evidence.beaten_at["d1"] == clock.now()


async def test_a_topology_and_settings_that_contradict_each_other_are_told_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    named, unnamed = PROVINCE.on(DAY), topology().on(DAY)
    state = StateFile(tmp_path / "state.db")
    for listening, register in (("", named), ("127.0.0.1:0", unnamed), ("", unnamed), ("127.0.0.1:0", named)):
        beats = Beats(state, "a key", lambda _: None)
        beats.admit(register, set())
        with beats.reflecting(listening):
            beats.admit(register, set())
    state.close()

    first, second = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert first.startswith("node bk: reflector: agents send STAMP packets to 127.0.0.1:8862, and nobody answers there")
    assert 'set listen.reflector = "0.0.0.0:8862", or leave the node\'s reflector out' in first
    assert second.startswith("node bk: no reflector is named, so no agent keeps up a STAMP session")


async def test_a_dead_line_is_an_incident_within_four_seconds_and_names_who_is_behind_it(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, *NODES) as (centre, (bk, d1, c1, c2)):
        await seconds(centre, clock, 5, bk, d1, c1, c2)
        assert centre.answers.incidents(open_only=True) == []
        await seconds(centre, clock, 2, bk)
        assert centre.answers.incidents(open_only=True) == []
        await seconds(centre, clock, 1, bk)
        (incident,) = centre.answers.incidents(open_only=True)
        assert (incident.node, incident.behind, incident.offices) == ("d1", ["c1", "c2"], 6)
        await seconds(centre, clock, 1, bk, d1, c1, c2)
        assert centre.answers.incidents(open_only=True) == []


async def test_when_all_fall_silent_together_the_collector_suspects_itself(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, *NODES) as (centre, agents):
        await seconds(centre, clock, 5, *agents)
        await seconds(centre, clock, 20)
        assert centre.answers.incidents(open_only=True) == []


async def test_what_waits_in_the_socket_counts_before_anybody_is_called_silent(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock, "bk", "d1") as (centre, (bk, d1)):
        await seconds(centre, clock, 2, bk, d1)
        for _ in range(6):
            clock.turn(0.5)
            bk.send()
            d1.send()
        await centre.tick()
        assert centre.answers.incidents(open_only=True) == []


async def test_numbers_are_given_once_and_a_full_disk_is_told_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = TurnedClock()
    async with at_work(tmp_path, clock) as (centre, _):
        before = centre.beats.sessions_for(NODES)
        assert centre.beats.sessions_for([*NODES, "new"]).ssids == {**before.ssids, "new": 5}
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 1")
        assert set(centre.beats.sessions_for([*NODES, "newer"]).ssids) == {*NODES, "newer"}
        with centre.state._engine.connect() as db:
            db.exec_driver_sql("PRAGMA query_only = 0")
        assert "after a restart agents will need new plans" in caplog.text
