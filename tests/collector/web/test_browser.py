from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.chromium import CHROMIUM, FLAGS
from tests.collector.web.measured import router
from tests.collector.web.province import NOW, Province, incident, jobs_of, province, samples
from tests.collector.web.serving import Routers, app_of, served
from tests.peers import need, which

pytestmark = [pytest.mark.peer, pytest.mark.slow]


class Browser:
    """A page in Chromium, and what it complained of and asked for."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))

    async def open(self, path: str) -> None:
        """Opens a page, and waits until it is live."""
        await self.page.goto(self.address + path)
        await expect(self.page.locator("#live")).to_be_visible()

    def check(self) -> None:
        """No complaint, and no request to anywhere else."""
        assert self.complaints == []
        assert [url for url in self.asked if not url.startswith((self.address, "data:"))] == []


@pytest.fixture
def bac_kan() -> Province:
    made = province()
    made.jobs = {node.id: jobs_of(node) for node in made.nodes()}
    made.samples = samples(NOW - 3_600_000, NOW)
    return made


@pytest.fixture
def routers() -> Routers:
    return Routers()


@pytest.fixture
async def browser(bac_kan: Province, routers: Routers) -> AsyncIterator[Browser]:
    need(CHROMIUM)
    async with served(app_of(bac_kan, demo=routers), bac_kan) as address, async_playwright() as playwright:
        chromium = await playwright.chromium.launch(executable_path=which(CHROMIUM), args=FLAGS)
        try:
            yield Browser(await chromium.new_page(viewport={"width": 1920, "height": 1080}), address)
        finally:
            await chromium.close()


async def test_the_front_page_changes_in_place_when_a_commune_goes_down(browser: Browser, bac_kan: Province) -> None:
    page = browser.page
    await browser.open("/")
    await expect(page.locator("#figure")).to_have_text("100 %")
    await page.evaluate("window.loadedOnce = true")
    await page.locator("#cell-c01840").focus()

    bac_kan.change("c01834", "down")
    bac_kan.opened = [incident(1, bac_kan.all["c01834"])]
    bac_kan.publish("overview", {})

    await expect(page.locator("#figure")).to_have_text("85,71 %")
    await expect(page.locator("#cell-c01834")).to_have_attribute("data-reach", "down")
    await expect(page.locator("#incident-1")).to_contain_text("Phường Nguyễn Thị Minh Khai mất kết nối")
    await expect(page.locator("#cell-c01840")).to_be_focused()
    assert await page.evaluate("window.loadedOnce"), "nothing was loaded anew"
    size = await page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert size == [1920, 1080], "a wall display shows all without scrolling"
    browser.check()


async def test_a_node_s_charts_are_drawn_live_without_eval(
    browser: Browser, bac_kan: Province, routers: Routers
) -> None:
    page = browser.page
    await browser.open("/nodes/c01834")
    await expect(page.locator("#chart-quality svg.marks")).to_be_visible(timeout=30_000)
    await expect(page.locator("#chart-traffic svg.marks")).to_contain_text("wan0")
    await page.get_by_role("button", name="Tắt thiết bị mô phỏng này").click()
    await expect(page.get_by_role("button", name="Bật thiết bị mô phỏng này")).to_be_visible()
    assert routers.stopped == {"c01834"}
    browser.check()


async def test_typing_a_name_dims_the_other_nodes_and_enter_opens_the_one(browser: Browser) -> None:
    page = browser.page
    await browser.open("/")
    await page.get_by_role("searchbox").fill("duc xuan")
    await expect(page.locator(".cell[data-find]:not([data-dim])")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Phường Đức Xuân")
    browser.check()


async def test_a_lost_stream_is_said_and_what_was_missed_is_fetched(browser: Browser, bac_kan: Province) -> None:
    page = browser.page
    await browser.open("/")
    lost = page.get_by_role("alert").filter(has_text="Mất kết nối với trung tâm")
    bac_kan.change("c01834", "down")
    bac_kan.end_streams()
    await expect(lost).to_be_visible()
    await expect(lost).to_be_hidden()
    await expect(page.locator("#figure")).to_have_text("85,71 %")


async def test_a_phone_shows_everything_in_its_width(browser: Browser) -> None:
    page = browser.page
    await page.set_viewport_size({"width": 390, "height": 844})
    for path in ("/", "/nodes/c01834", "/nodes", "/incidents"):
        await browser.open(path)
        assert await page.evaluate("document.documentElement.scrollWidth") == 390, path


async def test_what_was_unfolded_stays_so_when_the_page_is_brought_up_to_date(
    browser: Browser, bac_kan: Province
) -> None:
    page = browser.page
    bac_kan.jobs["c01834"] = [router()]
    await browser.open("/nodes/c01834")
    await page.locator("#device-r1-cpu-more summary").click()
    bac_kan.change("c01834", "down")
    bac_kan.publish("nodes", {"ids": ["c01834"]})
    await expect(page.locator(".verdict")).to_contain_text("mất kết nối")
    await expect(page.locator("#device-r1-cpu-more li").first).to_be_visible()
    browser.check()
