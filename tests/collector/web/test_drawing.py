from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from collector.web.charts import Look, specification
from collector.web.drawing import Drawer, DrawingError
from tests.collector.web.province import NOW, province, samples
from tests.collector.web.serving import app_of

START = NOW - 3_600_000


@pytest.fixture
async def drawer() -> AsyncIterator[Drawer]:
    made = Drawer()
    yield made
    await made.close()


@pytest.mark.slow
async def test_charts_become_svg_with_vietnamese_in_both_themes(drawer: Drawer) -> None:
    for theme, colour in (("light", "#0b6b62"), ("dark", "#57bfae")):
        look = Look("dark" if theme == "dark" else "light", 700, "vi")
        svg = await drawer.svg(specification("quality", samples(START, NOW), START, NOW, look))
        assert 'width="700"' in svg
        assert "Thời gian khứ hồi, ms" in svg
        assert colour in svg


@pytest.mark.slow
async def test_a_wrong_specification_is_an_error_and_the_next_is_drawn(drawer: Drawer) -> None:
    with pytest.raises(DrawingError):
        await drawer.svg({"mark": "no such mark"})
    assert "<svg" in await drawer.svg(specification("traffic", [], START, NOW, Look("light", 300, "en")))


@pytest.mark.slow
async def test_data_named_elsewhere_is_not_fetched(drawer: Drawer) -> None:
    spec = {
        "data": {"url": "http://127.0.0.1:9/x.json"},
        "mark": "point",
        "encoding": {"x": {"field": "a", "type": "quantitative"}},
    }
    with pytest.raises(DrawingError, match="allowed"):
        await drawer.svg(spec)


@pytest.mark.slow
async def test_a_child_that_ended_is_started_again(drawer: Drawer) -> None:
    spec = specification("traffic", [], START, NOW, Look("light", 300, "en"))
    await drawer.svg(spec)
    assert drawer._process is not None
    drawer._process.kill()
    assert "<svg" in await drawer.svg(spec)


@pytest.mark.slow
async def test_the_bundle_is_made_once_and_kept_by_browsers() -> None:
    app = app_of(province())
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://centre.test") as client,
    ):
        first = await client.get("/static/vega.js")
        assert first.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "immutable" in first.headers["cache-control"]
        assert "window.vegaEmbed" in first.text
        assert len(gzip.compress(first.content)) < 400_000
        again = await client.get("/static/vega.js", headers={"If-None-Match": first.headers["etag"]})
        assert again.status_code == 304
        chart = await client.get("/nodes/bk/charts/quality.svg")
        assert chart.headers["content-type"] == "image/svg+xml"
        assert chart.text.startswith("<svg")
