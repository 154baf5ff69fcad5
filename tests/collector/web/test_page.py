from __future__ import annotations

import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import httpx
import pytest

from collector.view import CertificateView, GapView
from tests.collector.web.measured import job, router
from tests.collector.web.province import NOW, Province, incident, jobs_of, province, samples
from tests.collector.web.serving import Routers, app_of

HOSTILE = "<script>alert(1)</script>\"'>&{{7*7}}"


class Reader(HTMLParser):
    """Every start tag of a page with its attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def words_of(html: str) -> str:
    return " ".join(Reader(html).text.split())


@pytest.fixture
def bac_kan() -> Province:
    made = province(reach={"c01834": "down", "c01858": "unobserved"})
    made.opened = [
        incident(1, made.all["c01834"]),
        incident(2, made.all["d060"], severity="warning"),
        incident(3, made.all["c01840"], closed_at=NOW - 60_000),
    ]
    made.jobs = {node.id: jobs_of(node) for node in made.nodes()}
    made.samples = samples(NOW - 3_600_000, NOW)
    return made


def client_of(readings: Province, demo: Routers | None = None) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app_of(readings, demo=demo))
    return httpx.AsyncClient(transport=transport, base_url="http://centre.test")


@pytest.fixture
async def client(bac_kan: Province) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(bac_kan) as made:
        yield made


PAGES = (
    "/",
    "/nodes",
    "/nodes?q=bang",
    "/nodes/bk",
    "/nodes/c01834",
    "/incidents",
    "/incidents/1",
    "/incidents/3",
    "/certificates",
)


async def test_the_front_page_says_the_coverage_with_what_is_down_and_unobserved_apart(
    client: httpx.AsyncClient,
) -> None:
    text = words_of((await client.get("/")).text)
    # 7 nodes of 4 offices; one commune is down, one unobserved.
    assert "Cơ quan, đơn vị đang kết nối Offices connected now 71,42 %" in text
    assert "đã kết nối connected 20 /28 mất kết nối down 4 không quan sát được unobserved 4" in text


async def test_a_hundred_percent_is_written_only_when_every_office_is_connected(bac_kan: Province) -> None:
    async with client_of(bac_kan) as client:
        for node in ("c01834", "c01858"):
            assert 'class="value">100<' not in (await client.get("/")).text
            bac_kan.change(node, "connected")
        assert 'class="value">100<' in (await client.get("/")).text


async def test_every_node_has_a_cell_that_says_its_name_and_reach_without_colour(
    client: httpx.AsyncClient, bac_kan: Province
) -> None:
    cells = {
        a["id"]: a for tag, a in Reader((await client.get("/")).text).tags if (a.get("id") or "").startswith("cell-")
    }
    assert cells.keys() == {f"cell-{node}" for node in bac_kan.all}
    down = cells["cell-c01834"]
    assert down["aria-label"] == "Phường Nguyễn Thị Minh Khai: mất kết nối, nghiêm trọng"
    assert down["href"] == "/nodes/c01834"


async def test_open_incidents_come_with_the_most_severe_first(client: httpx.AsyncClient) -> None:
    html = (await client.get("/")).text
    assert re.findall(r'<tr id="incident-(\d+)"', html) == ["1", "2"]


async def test_a_node_page_shows_its_jobs_interfaces_facts_and_incidents(client: httpx.AsyncClient) -> None:
    text = words_of((await client.get("/nodes/c01834")).text)
    for part in (
        "Phường Nguyễn Thị Minh Khai",
        "mất kết nối down",
        "Được đo bởi Measured by Thành phố Bắc Kạn",
        "10.66.1.1: no answer to 5 of 5 echo requests timeout",
        "quá hạn",
        "wan0 up 100 Mbit/s 8,2 Mbit/s (8,2 %)",
        "sysName r-01834",
        "đang mở open",
    ):
        assert part in text, part


async def test_a_node_page_shows_its_lines_devices_and_pools(bac_kan: Province, client: httpx.AsyncClient) -> None:
    pool = job("dhcp", "lan", ("dhcp.pool.utilization", "10.0.2.0/24", 90.0, "%"))
    line = job("wan", "wan1", ("wan.loss", "", 2.0, "%"), ("wan.rtt.p50", "", 0.018, "s"), facts={"line": "primary"})
    bac_kan.jobs["c01834"] = [line, router(), pool]
    text = words_of((await client.get("/nodes/c01834")).text)
    for part in (
        "đang truyền dữ liệu carries the traffic mất gói 2 % khứ hồi 18 ms",
        "Số sê-ri Serial number FGT5HD3916803570",
        "core 7 7 %",
        "memory 43 % 3,6 GB / 8,4 GB",
        "4 mục khác",
        "BGP 10.45.1.2 active",
        "LLDP ether2 sw1 ge-0/0/1",
        "10.0.2.0/24 90 %",
    ):
        assert part in text, part


async def test_where_nothing_is_measured_nothing_is_shown(bac_kan: Province, client: httpx.AsyncClient) -> None:
    bac_kan.jobs["c01834"] = []
    html = (await client.get("/nodes/c01834")).text
    assert not {"devices", "pools", "interfaces"} & {attributes.get("id") for _, attributes in Reader(html).tags}


async def test_hostile_text_in_any_field_is_shown_and_never_run(bac_kan: Province) -> None:
    bac_kan.rename("c01834", HOSTILE)
    bac_kan.opened = [incident(1, bac_kan.all["c01834"], severity=HOSTILE)]
    bac_kan.simulated = HOSTILE
    async with client_of(bac_kan, Routers()) as client:
        for path in ("/", "/nodes", "/nodes/c01834", "/incidents", "/incidents/1", "/nodes?q=" + HOSTILE):
            html = (await client.get(path)).text
            assert "alert(1)" in html
            assert "<script>alert" not in html
            # What broke out of an attribute would be one of its own.
            assert not [a for _, a in Reader(html).tags if any("alert" in name for name in a)], path


async def test_vietnamese_comes_first_and_english_beside_it_unless_turned_round(client: httpx.AsyncClient) -> None:
    first = (await client.get("/")).text
    assert '<html lang="vi"' in first
    assert "Sự cố đang mở Open incidents" in words_of(first)
    turned = await client.get("/?lang=en")
    assert '<html lang="en"' in turned.text
    assert "Open incidents Sự cố đang mở" in words_of(turned.text)
    assert "71.42" in words_of(turned.text)
    assert '<html lang="en"' in (await client.get("/incidents")).text, "the choice is kept"


async def test_an_unknown_language_is_vietnamese(client: httpx.AsyncClient) -> None:
    assert '<html lang="vi"' in (await client.get("/?lang=fr")).text


@pytest.mark.parametrize("path", [*PAGES, "/nodes/none"])
async def test_no_page_names_anything_outside_the_centre(client: httpx.AsyncClient, path: str) -> None:
    html = (await client.get(path)).text
    for tag, attributes in Reader(html).tags:
        for name in ("href", "src", "srcset", "action", "data-chart", "data-bundle"):
            address = attributes.get(name) or ""
            assert not urlsplit(address).netloc, f"{tag} {name}={address}"
        assert not [name for name in attributes if name.startswith("on") or name == "style"], "the policy forbids them"


async def test_files_name_nothing_outside_the_centre(client: httpx.AsyncClient) -> None:
    for name in ("page.css", "page.js", "live.js", "refresh.js", "ages.js", "find.js", "charts.js", "icon.svg"):
        file = await client.get(f"/static/{name}")
        assert file.status_code == 200
        assert not re.findall(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[a-z]+\.[a-z]", file.text), name
        assert file.headers["x-content-type-options"] == "nosniff"


async def test_pages_forbid_inline_script_eval_and_framing(client: httpx.AsyncClient) -> None:
    headers = (await client.get("/")).headers
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
    assert headers["x-frame-options"] == "DENY"


@pytest.mark.parametrize("path", ["/nodes/none", "/nodes/a%22b", "/incidents/99", "/incidents/first"])
async def test_what_is_not_there_is_said_in_words(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    words = words_of(answer.text)
    assert "Không có điểm nút này There is no such node" in words or "Không có sự cố này" in words


async def test_nodes_are_found_without_vietnamese_marks(client: httpx.AsyncClient) -> None:
    for query, found in (("duc xuan", "c01840"), ("ĐỨC", "c01840"), ("01858", "c01858")):
        html = (await client.get("/nodes", params={"q": query})).text
        assert re.findall(r'<tr id="node-(\w+)"', html) == [found]
    assert "Không có điểm nút nào tên như vậy" in (await client.get("/nodes?q=zzz")).text


async def test_a_page_without_script_reloads_itself(client: httpx.AsyncClient) -> None:
    assert '<noscript><meta http-equiv="refresh" content="30"></noscript>' in (await client.get("/")).text


async def test_without_a_demo_there_are_no_buttons(client: httpx.AsyncClient) -> None:
    assert "/demo/" not in (await client.get("/nodes/c01834")).text
    assert (await client.post("/demo/routers/c01834/stop")).status_code == 404


OURS = {"Sec-Fetch-Site": "same-origin"}


async def test_the_demo_stops_and_starts_a_simulated_router(bac_kan: Province) -> None:
    routers = Routers()
    async with client_of(bac_kan, routers) as client:
        assert 'action="/demo/routers/c01834/stop"' in (await client.get("/nodes/c01834")).text
        answer = await client.post("/demo/routers/c01834/stop", headers=OURS)
        assert (answer.status_code, answer.headers["location"]) == (303, "/nodes/c01834")
        assert routers.stopped == {"c01834"}
        assert 'action="/demo/routers/c01834/start"' in (await client.get("/nodes/c01834")).text
        await client.post("/demo/routers/c01834/start", headers={"Origin": "http://centre.test"})
        assert routers.stopped == set()


@pytest.mark.parametrize(
    "headers", [{}, {"Origin": "http://elsewhere.test"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}]
)
async def test_another_site_cannot_press_the_buttons(bac_kan: Province, headers: dict[str, str]) -> None:
    routers = Routers()
    async with client_of(bac_kan, routers) as client:
        answer = await client.post("/demo/routers/c01834/stop", headers=headers)
    assert answer.status_code == 403
    assert answer.json()["detail"] == "this button works from the collector's own page only: open the node's page"
    assert not routers.stopped


async def test_a_real_router_cannot_be_stopped(bac_kan: Province) -> None:
    routers = Routers()
    async with client_of(bac_kan, routers) as client:
        assert "/demo/" not in (await client.get("/nodes/d058")).text
        answer = await client.post("/demo/routers/d058/stop", headers=OURS)
        assert answer.status_code == 409
        assert answer.json()["detail"] == "the router of d058 is not simulated: it cannot be stopped from here"
        assert (await client.post("/demo/routers/none/stop", headers=OURS)).status_code == 404
    assert not routers.stopped


async def test_every_page_of_a_demo_says_what_is_simulated(bac_kan: Province) -> None:
    bac_kan.simulated = "the routers of 4 communes"
    async with client_of(bac_kan, Routers()) as client:
        for path in PAGES:
            assert "Mô phỏng Simulated the routers of 4 communes" in words_of((await client.get(path)).text), path


async def test_a_chart_that_there_is_none_of_is_refused_in_words(client: httpx.AsyncClient) -> None:
    answer = await client.get("/nodes/c01834/charts/weather.svg")
    assert (answer.status_code, answer.text) == (
        404,
        "no chart weather.svg: expected quality or traffic, as svg or json\n",
    )
    assert (await client.get("/nodes/none/charts/traffic.json")).status_code == 404


async def test_what_an_agent_lost_is_shown_on_its_node_and_nowhere_else(bac_kan: Province) -> None:
    bac_kan.lost = [GapView("c01834", NOW - 7_200_000, NOW - 3_600_000, 41, "spool-full")]
    async with client_of(bac_kan) as client:
        page = (await client.get("/nodes/c01834")).text
        other = (await client.get("/nodes/c01837")).text
    assert "Khoảng trống số liệu" in page
    assert "spool-full" in page
    assert ">41<" in page
    assert "Khoảng trống số liệu" not in other


async def test_certificates_are_listed_with_what_is_left_of_them(bac_kan: Province) -> None:
    day = 86_400_000
    jobs = [f"c0183{n}/tls/portal" for n in range(4, 9)]
    bac_kan.shown = [
        CertificateView("a aa", HOSTILE, "aa", "unused", NOW - day, "", "", NOW, [jobs[0]]),
        CertificateView("b bb", "portal.example", "bb", "server", NOW + 20 * day, "BK CA", "RSA 2048", NOW, jobs),
    ]
    async with client_of(bac_kan) as client:
        page = (await client.get("/certificates")).text
    text = words_of(page)
    assert "<script>alert" not in page
    assert "đã hết hạn không cần đến" in text
    assert "còn 20 ngày máy chủ BK CA RSA 2048" in text
    assert "và 2 nơi khác" in text
