"""Certificates that agents saw, listed at the centre."""

from __future__ import annotations

import datetime
from pathlib import Path

import httpx

from checks.model import Outcome
from checks.net.certificates import Certificate
from checks.registry import CHECKS
from checks.tls.examined import Examined
from checks.tls.handshake import Handshake
from checks.tls.judge import Shown, Subject, judge
from checks.tls.params import TlsParams
from checks.topology import Topology, loads
from collector.app import create_app
from collector.centre import Centre
from tests.checks.tls.looking import values
from tests.collector.centres import DEAD, Agent, TurnedClock, opened, pass_time, running
from tests.collector.provinces import TEXT
from tests.collector.senders import NOW
from tests.pki import DAY, issue

START = datetime.datetime.fromtimestamp(NOW / 1000, datetime.UTC).replace(microsecond=0)
ROOT = issue("BK Root CA", authority=True, start=START - DAY, end=START + 900 * DAY)
OLD = issue("BK Old CA", authority=True, by=ROOT, start=START - DAY, end=START - DAY / 2)
JOBS = ("bk/tls/portal", "bk/tls/mail")


def province() -> Topology:
    """The small province, whose centre looks at two servers."""
    looks = ", ".join(f"{{check: tls, target: {n}.bk.example, label: {n}, interval: 3600}}" for n in ("portal", "mail"))
    return loads(
        TEXT.replace("self, checks: [{check: host}]}", f"self, checks: [{{check: host}}, {looks}]}}"), "", CHECKS
    )


def certificates(name: str, left: float) -> tuple[Certificate, ...]:
    return values(issue(name, name, by=ROOT, start=START - DAY, end=START + left * DAY), ROOT)


def outcome(chain: tuple[Certificate, ...], *spare: Certificate) -> Outcome:
    name = chain[0].subject
    shown = Shown(Examined(chain, spare), Handshake("TLSv1.3", (), cipher="X", bits=256))
    return judge(Subject(name, name, NOW / 1000), shown, TlsParams(), {})


PORTAL = certificates("portal.bk.example", 60)
MAIL = certificates("mail.bk.example", 20.5)


async def listed(centre: Centre, clock: TurnedClock) -> list[dict[str, object]]:
    app = create_app(centre, clock, agents_too=False)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector") as client:
        found: list[dict[str, object]] = (await client.get("/api/v1/certificates")).json()
    return found


async def test_every_certificate_is_listed_once_by_its_end_with_the_jobs_that_see_it(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=province())) as centre:
        agent = Agent(centre, clock, "bk")
        await agent.report([(JOBS[0], outcome(PORTAL, *values(OLD))), (JOBS[1], outcome(MAIL))])
        found = await listed(centre, clock)
    assert [(one["subject"], one["role"], one["jobs"]) for one in found] == [
        ("BK Old CA", "unused", [JOBS[0]]),
        ("mail.bk.example", "server", [JOBS[1]]),
        ("portal.bk.example", "server", [JOBS[0]]),
        ("BK Root CA", "chain", sorted(JOBS)),
    ]
    assert found[1] == {
        "id": MAIL[0].instance,
        "subject": "mail.bk.example",
        "fingerprint": MAIL[0].fingerprint[:8],
        "role": "server",
        "not_after": round(MAIL[0].not_after * 1000),
        "issuer": "BK Root CA",
        "key": "EC 256",
        "seen_at": NOW,
        "jobs": [JOBS[1]],
    }


async def test_what_was_seen_outlives_a_restart_and_a_server_that_is_away(tmp_path: Path) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=province())) as centre:
        agent = Agent(centre, clock, "bk")
        await agent.report([(JOBS[0], outcome(PORTAL))])
        await pass_time(centre, clock, 1)
        await agent.report([(JOBS[0], DEAD)])
        before = await listed(centre, clock)
        assert [one["subject"] for one in before] == ["portal.bk.example", "BK Root CA"]
    async with running(await opened(tmp_path, clock, province=province())) as centre:
        assert await listed(centre, clock) == before


async def test_a_renewed_certificate_takes_the_place_of_the_old_and_a_job_that_is_gone_takes_its_own_away(
    tmp_path: Path,
) -> None:
    clock = TurnedClock()
    async with running(await opened(tmp_path, clock, province=province())) as centre:
        agent = Agent(centre, clock, "bk")
        await agent.report([(JOBS[0], outcome(PORTAL))])
        clock.turn(1)
        renewed = certificates("portal.bk.example", 400)
        await agent.report([(JOBS[0], outcome(renewed))])
        assert [one["id"] for one in await listed(centre, clock)] == [renewed[0].instance, renewed[1].instance]
    async with running(await opened(tmp_path, clock)) as centre:
        assert await listed(centre, clock) == []
