"""A node's two charts as Vega-Lite specifications: pure, and the same on the server and in the browser."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from collector.view import SeriesView
from collector.web.figures import HO_CHI_MINH
from collector.web.words import Language, Words

Kind = Literal["quality", "traffic"]
KINDS: Final[tuple[Kind, ...]] = ("quality", "traffic")
HOURS: Final = (1, 6, 24)
BUCKETS: Final = 360
"""Points of a line at most: one is the mean of what falls into its time, for loss the highest."""
COLUMN: Final = 170
"""Of a legend, in px."""
HEIGHT: Final = 228
"""Of a chart, in px."""
SHOWN: Final = 4
"""Interfaces in the traffic chart, those with the most traffic."""
OFFSET: Final = int(HO_CHI_MINH.utcoffset(None).total_seconds() * 1000)
Row = dict[str, Any]
_MARK: Final = {"type": "point", "filled": True, "size": 34, "opacity": 1}


@dataclass(frozen=True)
class Look:
    """What a chart is drawn with."""

    theme: Literal["light", "dark"]
    width: int
    language: Language


@dataclass(frozen=True)
class Palette:
    """Colours of a theme, as in page.css. ``lines`` tell series apart also for people who see few colours."""

    ink: str
    quiet: str
    rule: str
    down: str
    lines: tuple[str, ...]


PALETTES: Final = {
    "light": Palette(
        "#14211e", "#55645f", "#dfe5e2", "#b3261e", ("#0b6b62", "#a5540a", "#5b4bb0", "#2f6fa8", "#8a2f6a", "#5f6b1a")
    ),
    "dark": Palette(
        "#e6ecea", "#9aa8a3", "#2b3734", "#ff8a7d", ("#57bfae", "#e3a055", "#a99bf0", "#79b4e6", "#e08cc0", "#bcc76a")
    ),
}
RTT: Final = ("rtt", "wan.rtt.p50", "stamp.rtt.median", "vpn.rtt")
"""What tells the round trip of a line: the checks ping, wan, stamp, vpn."""
LOSS: Final = ("loss", "wan.loss", "stamp.loss", "vpn.loss")
WAYS: Final = {
    "wan.loss.forward": "outbound",
    "stamp.loss.forward": "outbound",
    "wan.loss.backward": "inbound",
    "stamp.loss.backward": "inbound",
}
"""Loss in one direction, as those tell it who measure with a reflector, and the page's phrase for it."""
INSTEAD: Final = "snmp.response_time"
"""Of a node that nobody sends packets to."""


def metrics_of(kind: Kind) -> tuple[str, ...]:
    """The metrics that a chart may be drawn from."""
    return (*RTT, *LOSS, *WAYS, INSTEAD) if kind == "quality" else ("ifInBits", "ifOutBits")


@dataclass(frozen=True)
class _Frame:
    """What every layer of a chart shares."""

    start: int
    end: int
    palette: Palette
    words: Words
    columns: int
    """Of a legend, so that all its names fit."""


def specification(kind: Kind, series: Sequence[SeriesView], start: int, end: int, look: Look) -> dict[str, Any]:
    """The Vega-Lite specification (version 6) of a chart over start ≤ t < end, Unix ms, with its data inside."""
    draw = _quality if kind == "quality" else _traffic
    palette, words = PALETTES[look.theme], Words(look.language)
    frame = _Frame(start, end, palette, words, max(look.width // COLUMN, 1))
    layers, names = draw(series, frame)
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",  # the format's name; nobody fetches it
        "description": ", ".join(names) or words.text("No measurements in this time"),
        "autosize": {"type": "fit", "contains": "padding"},
        "width": look.width,
        "height": HEIGHT,
        "background": "transparent",
        "padding": 4,
        "config": _config(palette),
        "resolve": {"scale": {"y": "independent"}},
        "layer": [_span(frame), *(layers or [_nothing(frame)])],
    }


def _config(palette: Palette) -> dict[str, Any]:
    return {
        "font": "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif",
        "axis": {
            "labelColor": palette.quiet,
            "titleColor": palette.quiet,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "gridColor": palette.rule,
            "domain": False,
            "tickColor": palette.rule,
        },
        "legend": {
            "labelColor": palette.ink,
            "labelFontSize": 11,
            "orient": "top",
            "title": None,
            "symbolType": "stroke",
            "symbolStrokeWidth": 3,
            "labelLimit": COLUMN - 25,
        },
        "view": {"stroke": None},
    }


def _time() -> dict[str, Any]:
    # The province's clock, whatever zone the server and the browser are in: shifted, and drawn as if it were UTC.
    return {
        "field": "t",
        "type": "temporal",
        "scale": {"type": "utc", "nice": False},
        "axis": {"format": "%H:%M", "title": None, "grid": False, "tickCount": 8},
    }


def _span(frame: _Frame) -> dict[str, Any]:
    # Holds the axis to the whole time asked for. A `domain` would, but Vega-Lite 6.4 merges those of layers wrongly.
    return {
        "data": {"values": [{"t": frame.start + OFFSET}, {"t": frame.end + OFFSET}]},
        "mark": {"type": "point", "opacity": 0, "tooltip": None},
        "encoding": {"x": _time()},
    }


def _quality(series: Sequence[SeriesView], frame: _Frame) -> tuple[list[dict[str, Any]], list[str]]:
    runs = [s for s in series if s.at and not s.instance]  # those with an instance are of a window of several runs
    rtt = [s for s in runs if s.metric in RTT] or [s for s in runs if s.metric == INSTEAD]
    times = _rows(rtt, frame, statistics.fmean, _as_ms)
    layers = list(_losses(runs, frame))
    names = [frame.words.text("Loss, %") for _ in layers]
    if any(row["v"] is not None for row in times):
        title = frame.words.text("Round-trip time, ms" if rtt[0].metric in RTT else "SNMP response time, ms")
        layers.append(_line(times, {"title": title, "scale": {"zero": True}}, frame))
        names.append(title)
    return layers, names


def _losses(series: Sequence[SeriesView], frame: _Frame) -> Iterator[dict[str, Any]]:
    """Loss as bars, and on them a mark for each direction that lost, where that is known."""
    lost = [s for s in series if s.metric in LOSS]
    bars = [row for row in _rows(lost, frame, max, _as_percent) if row["v"]]
    if not bars:
        return
    title = frame.words.text("Loss, %")
    encoding = {
        "x": _time(),
        "y": {
            "field": "v",
            "type": "quantitative",
            "stack": None,
            "title": title,
            "scale": {"domain": [0, 100]},
            "axis": {"orient": "right", "grid": False, "values": [0, 50, 100]},
        },
        "tooltip": _tooltip(title, frame.words),
    }
    bar = {"type": "bar", "color": frame.palette.down, "opacity": 0.55, "width": 3, "tooltip": True}
    layers: list[dict[str, Any]] = [{"data": {"values": bars}, "mark": bar, "encoding": encoding}]
    marks = [
        row | {"w": frame.words.text(WAYS[one.metric])}
        for one in series
        if one.metric in WAYS
        for row in _rows([one], frame, max, _as_percent)
        if row["v"]
    ]
    if marks:
        layers.append({"data": {"values": marks}, "mark": _MARK, "encoding": encoding | _by_way(frame)})
    yield {"layer": layers, "resolve": {"scale": {"y": "shared"}}}


def _by_way(frame: _Frame) -> dict[str, Any]:
    ways = [frame.words.text(way) for way in dict.fromkeys(WAYS.values())]
    return {
        "shape": {
            "field": "w",
            "type": "nominal",
            "scale": {"domain": ways, "range": ["triangle-up", "triangle-down"]},
            "legend": {
                "orient": "bottom",
                "symbolType": None,
                "symbolStrokeWidth": 0,
                "symbolFillColor": frame.palette.ink,
            },
        },
        "color": {"value": frame.palette.ink},
        "tooltip": [
            *_tooltip(frame.words.text("Loss, %"), frame.words),
            {"field": "w", "title": frame.words.text("Way")},
        ],
    }


def _traffic(series: Sequence[SeriesView], frame: _Frame) -> tuple[list[dict[str, Any]], list[str]]:
    volume: dict[str, float] = {}
    for one in series:
        volume[one.instance] = volume.get(one.instance, 0.0) + sum(one.values)
    busiest = sorted(volume, key=lambda name: (-volume[name], name))[:SHOWN]
    shown = [s for s in series if s.instance in busiest]
    rows = _rows(shown, frame, statistics.fmean, _in_up_out_down)
    if not any(row["v"] is not None for row in rows):
        return [], []
    title = frame.words.text("← out, bit/s, in →")
    axis = {"title": title, "axis": {"labelExpr": "format(abs(datum.value), '~s')", "tickCount": 6}}
    zero = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": frame.palette.quiet},
        "encoding": {"y": {"datum": 0}},
    }
    line = _line(rows, axis, frame)
    # One layer with both, for they share the scale of y.
    return [{"layer": [zero, line], "resolve": {"scale": {"y": "shared"}}}], [title, *busiest]


def _line(rows: list[Row], y: dict[str, Any], frame: _Frame) -> dict[str, Any]:
    names = sorted({row["s"] for row in rows})
    return {
        "data": {"values": rows},
        "mark": {"type": "line", "strokeWidth": 1.6, "interpolate": "monotone", "invalid": "break-paths-show-domains"},
        "encoding": {
            "x": _time(),
            "y": {"field": "v", "type": "quantitative", **y},
            "color": {
                "field": "s",
                "type": "nominal",
                "scale": {"domain": names, "range": list(frame.palette.lines)},
                "legend": {"columns": frame.columns} if len(names) > 1 else None,
            },
            "detail": {"field": "k"},
            "tooltip": _tooltip(y["title"], frame.words),
        },
    }


def _tooltip(title: str, words: Words) -> list[dict[str, Any]]:
    return [
        {"field": "t", "type": "temporal", "scale": {"type": "utc"}, "format": "%H:%M:%S", "title": words.text("Time")},
        {"field": "s", "title": words.text("Series")},
        {"field": "v", "type": "quantitative", "format": ".4~s", "title": title},
    ]


def _nothing(frame: _Frame) -> dict[str, Any]:
    return {
        "data": {"values": [{"t": (frame.start + frame.end) // 2 + OFFSET}]},
        "mark": {
            "type": "text",
            "color": frame.palette.quiet,
            "fontSize": 14,
            "text": frame.words.text("No measurements in this time"),
        },
        "encoding": {"x": _time()},
    }


def _rows(
    series: Iterable[SeriesView],
    frame: _Frame,
    reduce: Callable[[list[float]], float],
    convert: Callable[[SeriesView, float], float],
) -> list[Row]:
    rows: list[Row] = []
    for one in series:
        name = one.instance or f"{one.check} {one.label}"
        for at, value in _thinned(one, frame.start, frame.end, reduce):
            written = None if value is None else round(convert(one, value), 4)
            rows.append({"t": at + OFFSET, "v": written, "s": name, "k": f"{one.metric} {name}"})
    return rows


def _as_ms(_: SeriesView, value: float) -> float:
    return value * 1000


def _in_up_out_down(series: SeriesView, value: float) -> float:
    return value if series.metric == "ifInBits" else -value


def _as_percent(series: SeriesView, value: float) -> float:
    return value if series.unit == "%" else value * 100


def _thinned(
    series: SeriesView, start: int, end: int, reduce: Callable[[list[float]], float]
) -> Iterator[tuple[int, float | None]]:
    """At most BUCKETS points, and an empty one wherever nothing was measured for over three times the usual step."""
    size = max((end - start) // BUCKETS, 1)
    buckets: dict[int, list[float]] = {}
    for at, value in zip(series.at, series.values, strict=True):
        if start <= at < end:
            buckets.setdefault((at - start) // size, []).append(value)
    places = sorted(buckets)
    steps = [b - a for a, b in itertools.pairwise(places)]
    usual = statistics.median(steps) if steps else 1
    before: int | None = None
    for place in places:
        if before is not None and place - before > 3 * usual:
            yield start + (before + 1) * size, None
        yield start + place * size + size // 2, reduce(buckets[place])
        before = place
