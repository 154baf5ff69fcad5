"""The routes of agents and of readers, over a whole collector."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest

from checks.model import Metric, Outcome, State
from collector.api.agents import MAX_BODY
from collector.app import create_agents_app, create_app
from collector.centre import Centre
from collector.store.embedded import EmbeddedStore
from collector.store.model import MAX_AT, Points, Selector, StoreAway
from tests.collector.centres import DEAD, UP, Agent, TurnedClock, drained, opened, pass_time, running
from tests.collector.senders import NOW, Sender

C1, C2 = "c1/ping/from-parent", "c2/ping/from-parent"


class Site:
    """A collector with both its applications, and a token for each agent."""

    def __init__(self, centre: Centre, clock: TurnedClock) -> None:
        self.centre, self.clock = centre, clock
        self.tokens = {node: centre.state.new_token(node, NOW) for node in ("bk", "d1", "c1")}
        self.page = _client(create_app(centre, clock, agents_too=False))
        self.agents = _client(create_agents_app(centre, clock))

    async def post(self, body: bytes, node: str = "d1") -> httpx.Response:
        return await self.agents.post("/api/v1/reports", content=body, headers=self.of(node))

    def of(self, node: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[node]}"}


def _client(app: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://collector")  # type: ignore[arg-type]  # an ASGI application


@contextlib.asynccontextmanager
async def open_site(directory: Path, store: EmbeddedStore | None = None) -> AsyncIterator[Site]:
    clock = TurnedClock()
    async with running(await opened(directory, clock, store=store)) as centre:
        site = Site(centre, clock)
        async with site.page, site.agents:
            yield site


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with open_site(tmp_path) as one:
        yield one


# What agents call


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic d1:x", "Bearer ' OR 1=1 --", "Bearer \xff\xfe", "bearer\t"],
)
@pytest.mark.parametrize(("method", "route"), [("POST", "/api/v1/reports"), ("GET", "/api/v1/plan")])
async def test_an_unknown_token_is_told_where_tokens_come_from(
    site: Site, authorization: str | None, method: str, route: str
) -> None:
    headers = {} if authorization is None else {b"authorization": authorization.encode("latin-1")}
    answer = await site.agents.request(method, route, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == {
        "error": "unknown-token",
        "detail": "expected 'Authorization: Bearer TOKEN' with the token that "
        "'thongsuot-collector agent add NODE' printed for this node",
    }


async def test_a_report_is_acknowledged_with_the_plan_to_run(site: Site) -> None:
    sender = Sender()
    answer = await site.post(sender.body(sender.rows(2)))
    assert answer.status_code == 200
    assert answer.json() == {"plan": site.centre.scope.plans["d1"].version, "backlog_share": 0.5}


async def test_a_revoked_token_is_refused_at_once(site: Site) -> None:
    assert (await site.post(Sender().body([]))).status_code == 200
    assert site.centre.state.revoke("d1")
    assert (await site.post(Sender().body([]))).status_code == 401


async def test_nobody_reports_in_the_name_of_another(site: Site) -> None:
    sender = Sender("d1")
    answer = await site.post(sender.body(sender.rows(1)), node="bk")
    assert answer.status_code == 403
    assert answer.json() == {"error": "wrong-agent", "detail": "bk's token cannot speak for 'd1'"}


async def test_a_node_without_an_agent_today_is_told_so(site: Site) -> None:
    answer = await site.post(Sender("c1").body([]), node="c1")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "node c1 has no agent in the topology of today"
    plan = await site.agents.get("/api/v1/plan", headers=site.of("c1"))
    assert plan.status_code == 404
    assert plan.json()["error"] == "no-plan"


async def test_unknown_words_are_asked_for(site: Site) -> None:
    sender = Sender()
    answer = await site.post(sender.body(sender.rows(1), words_from=(3, 1)))
    assert answer.status_code == 409
    assert answer.json()["error"] == "unknown-ids"


async def test_a_body_that_is_too_large_is_refused_before_it_is_read_whole(site: Site) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 65536
            yield bytes(65536)

    answer = await site.agents.post("/api/v1/reports", content=endless(), headers=site.of("d1"))
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"a report is at most {MAX_BODY} bytes: send fewer measurements at once"
    assert sent < 2 * MAX_BODY


@pytest.mark.parametrize("body", [b"", b"x", b"\x28\xb5\x2f\xfd", b"\0" * 1000, b"{}"])
async def test_a_body_that_is_no_report_is_malformed(site: Site, body: bytes) -> None:
    answer = await site.post(body)
    assert answer.status_code == 422
    assert answer.json()["error"] == "malformed"
    assert answer.json()["detail"].startswith("expected a ")


async def test_a_journal_that_cannot_write_says_when_to_come_again(site: Site) -> None:
    sender = Sender()
    body = sender.body(sender.rows(1))
    site.centre.journal._db.execute("PRAGMA query_only = 1")
    answer = await site.post(body)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert "free space on its disk" in answer.json()["detail"]
    site.centre.journal._db.execute("PRAGMA query_only = 0")
    assert (await site.post(body)).status_code == 200


async def test_agents_are_not_silent_because_our_disk_is_full(site: Site) -> None:
    sender = Sender()
    body = sender.body(sender.rows(1))
    site.centre.journal._db.execute("PRAGMA query_only = 1")

    async def refused() -> None:
        for node, report in (("d1", body), ("bk", Sender("bk").body(Sender("bk").rows(1)))):
            assert (await site.post(report, node)).status_code == 503

    await pass_time(site.centre, site.clock, 40, refused)
    assert site.centre.answers.incidents(open_only=True) == []
    assert site.centre.answers.judged().nodes["d1"].value == "connected"


async def test_a_plan_is_sent_once_and_holds_the_agents_secrets_alone(site: Site) -> None:
    answer = await site.agents.get("/api/v1/plan", headers=site.of("d1"))
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()["agent"] == "d1"
    assert "community-of-the-test" in answer.text
    again = await site.agents.get("/api/v1/plan", headers={**site.of("d1"), "If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = await site.agents.get("/api/v1/plan", headers=site.of("bk"))
    assert "community-of-the-test" not in other.text


async def test_agents_find_nothing_to_read_at_their_address(site: Site) -> None:
    for route in ("/", "/api/v1/overview", "/metrics", "/api/v1/openapi.json"):
        assert (await site.agents.get(route)).status_code == 404
    assert (await site.agents.get("/healthz")).status_code == 200


async def test_no_secret_is_readable(site: Site) -> None:
    for route in (
        "/api/v1/overview",
        "/api/v1/nodes/c1",
        "/api/v1/nodes",
        "/metrics",
        "/api/v1/openapi.json",
        "/nodes/c1",
    ):
        text = (await site.page.get(route)).text
        assert "community-of-the-test" not in text
        assert not any(token in text for token in site.tokens.values())


# What people and scripts read


async def test_openapi_describes_every_route_of_readers(site: Site) -> None:
    document = (await site.page.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) >= {
        "/api/v1/overview",
        "/api/v1/coverage",
        "/api/v1/nodes",
        "/api/v1/nodes/{node}",
        "/api/v1/nodes/{node}/series",
        "/api/v1/incidents",
        "/api/v1/incidents/{number}",
        "/api/v1/events",
    }
    for path in document["paths"].values():
        assert path["get"]["description"]


async def test_health_readiness_and_metrics_say_what_is(site: Site) -> None:
    agent = Agent(site.centre, site.clock)
    await pass_time(site.centre, site.clock, 2, lambda: agent.report([(C1, UP), (C2, UP)]))
    assert (await site.page.get("/healthz")).json() == {"status": "ok"}
    ready = await site.page.get("/readyz")
    assert (ready.status_code, ready.json()["ready"], ready.json()["store"]) == (200, True, "ok")
    metrics = await site.page.get("/metrics")
    assert metrics.headers["content-type"].startswith("text/plain; version=0.0.4")
    for line in (
        "thongsuot_measurements_total 4.0",
        "thongsuot_agents_expected 2.0",
        "thongsuot_agents_reporting 1.0",
        'thongsuot_offices{state="connected",tier="commune"} 4.0',
    ):
        assert line in metrics.text.splitlines()
    site.clock.turn(60)
    stuck = await site.page.get("/healthz")
    assert (stuck.status_code, stuck.json()) == (503, {"status": "stuck"})


@pytest.mark.parametrize(
    ("route", "words"),
    [
        ("/api/v1/nodes/nowhere", "no node 'nowhere' in the register"),
        ("/api/v1/nodes/nowhere/series", "no node 'nowhere' in the register"),
        ("/api/v1/nodes/%27;%20DROP%20TABLE%20agent", 'no node "\'; DROP TABLE agent" in the register'),
        ("/api/v1/incidents/7", "no incident 7"),
        ("/api/v1/incidents/-1", "no incident -1"),
        (f"/api/v1/incidents/{10**30}", f"no incident {10**30}"),
    ],
)
async def test_what_there_is_none_of_is_named(site: Site, route: str, words: str) -> None:
    answer = await site.page.get(route)
    assert (answer.status_code, answer.json()) == (404, {"detail": words})


@pytest.mark.parametrize(
    "query",
    [
        {"start": 5, "end": 5},
        {"start": 6, "end": 5},
        {"start": -1, "end": 5},
        {"end": MAX_AT + 1},
        {"end": 10**30},
        {"start": NOW - 32 * 86_400_000, "end": NOW},
    ],
)
async def test_a_time_that_cannot_be_asked_for_is_refused(site: Site, query: dict[str, int]) -> None:
    answer = await site.page.get("/api/v1/nodes/c1/series", params=query)
    assert answer.status_code == 422
    assert "expected start < end, at most 31 days apart" in answer.json()["detail"]


async def test_a_series_is_read_back_by_metric_and_check(site: Site) -> None:
    await Agent(site.centre, site.clock).report([(C1, UP), ("c1/snmp/r1", UP)])
    await drained(site.centre)
    (found,) = (await site.page.get("/api/v1/nodes/c1/series", params={"metric": "rtt", "check": "ping"})).json()
    assert (found["check"], found["metric"], found["unit"], found["values"]) == ("ping", "rtt", "s", [0.02])
    assert (await site.page.get("/api/v1/nodes/c1/series", params={"end": 1000})).json() == []
    assert (await site.page.get("/api/v1/nodes/c1/series", params={"metric": "' OR 1=1"})).json() == []


async def test_hostile_words_and_numbers_of_a_target_are_only_words(site: Site) -> None:
    hostile = Outcome(
        State.CRIT,
        "<script>alert(1)</script>\r\n\0 \u202e {{7*7}}",
        "'; DROP TABLE incident; --",
        metrics=(Metric("rtt", float("nan"), "s"), Metric("<b>", float("inf"), "\0", "'\"")),
        facts={"sysName": "</title><script>"},
    )
    agent = Agent(site.centre, site.clock)
    await pass_time(site.centre, site.clock, 20, lambda: agent.report([(C1, hostile), (C2, UP)]))
    node = (await site.page.get("/api/v1/nodes/c1")).json()
    (job,) = (job for job in node["jobs"] if job["id"] == C1)
    assert job["summary"] == hostile.summary
    assert [metric["value"] for metric in job["metrics"]] == [None, None]
    (incident,) = (await site.page.get("/api/v1/incidents", params={"open": True})).json()
    assert incident["node"] == "c1"
    for route in ("/", "/nodes/c1", f"/incidents/{incident['id']}", "/incidents", "/metrics"):
        page = await site.page.get(route)
        assert page.status_code == 200
        assert "<script>alert(1)" not in page.text
        assert "</title><script>" not in page.text


async def test_an_incident_is_told_whole(site: Site) -> None:
    agent = Agent(site.centre, site.clock)
    await pass_time(site.centre, site.clock, 20, lambda: agent.report([(C1, DEAD), (C2, UP)]))
    (brief,) = (await site.page.get("/api/v1/incidents", params={"node": "c1"})).json()
    whole = (await site.page.get(f"/api/v1/incidents/{brief['id']}")).json()
    assert whole["timeline"][0]["kind"] == "opened"
    assert whole["alerts"][0]["job"] == C1
    assert (await site.page.get("/api/v1/incidents", params={"node": "c2"})).json() == []


async def test_a_fact_that_changed_is_told_even_where_nothing_is_wrong(site: Site) -> None:
    agent = Agent(site.centre, site.clock)
    for fingerprint in ("aa:01", "aa:01", "bb:02"):
        await agent.report([(C1, msgspec.structs.replace(UP, facts={"fingerprint": fingerprint}))])
        await pass_time(site.centre, site.clock, 1)
    (change,) = (await site.page.get("/api/v1/fact-changes", params={"node": "c1"})).json()
    assert (change["job"], change["fact"], change["before"], change["after"]) == (C1, "fingerprint", "aa:01", "bb:02")
    assert (await site.page.get("/api/v1/fact-changes", params={"node": "c2"})).json() == []
    page = (await site.page.get("/nodes/c1")).text
    assert "aa:01" in page[page.index('id="changes"') :]


class Away(EmbeddedStore):
    """A store whose server does not answer questions."""

    async def query(self, selector: Selector, start: int, end: int, limit: int | None = None) -> list[Points]:
        del selector, start, end, limit
        raise StoreAway("http://127.0.0.1:1: connection refused")

    async def write(self, batches: Sequence[object]) -> None:
        del batches
        raise StoreAway("http://127.0.0.1:1: connection refused")


async def test_a_store_that_is_away_is_told_and_all_else_is_answered(tmp_path: Path) -> None:
    async with open_site(tmp_path, Away(tmp_path / "store.db")) as site:
        await Agent(site.centre, site.clock).report([(C1, UP)])
        answer = await site.page.get("/api/v1/nodes/c1/series")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "the store of measurements is away: http://127.0.0.1:1: connection refused"
        assert (await site.page.get("/api/v1/nodes/c1")).status_code == 200
        assert (await site.page.get("/nodes/c1")).status_code == 200


async def test_a_reader_who_comes_as_the_collector_stops_is_let_go(site: Site) -> None:
    site.centre.stream.close()
    answer = await site.page.get("/api/v1/events")
    assert answer.text == "retry: 2000\n\n"
