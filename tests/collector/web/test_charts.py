from __future__ import annotations

import json
from typing import Any

from collector.view import SeriesView
from collector.web.charts import BUCKETS, OFFSET, Kind, Look, specification
from tests.collector.web.province import NOW, samples

START = NOW - 3_600_000
LOOK = Look("light", 700, "vi")


def drawn(kind: Kind, series: list[SeriesView], look: Look = LOOK) -> dict[str, Any]:
    return specification(kind, series, START, NOW, look)


def rows_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the layer with the lines."""
    flat = [inner for layer in spec["layer"] for inner in layer.get("layer", [layer])]
    (line,) = [layer for layer in flat if layer["mark"]["type"] == "line"]
    rows: list[dict[str, Any]] = line["data"]["values"]
    return rows


def test_the_time_axis_spans_what_was_asked_for_whatever_was_measured() -> None:
    times = drawn("quality", [])["layer"][0]["data"]["values"]
    assert [row["t"] for row in times] == [START + OFFSET, NOW + OFFSET]


def test_round_trip_time_is_in_ms_and_loss_beside_it_in_percent() -> None:
    spec = drawn("quality", samples(START, NOW))
    assert spec["description"] == "Mất gói, %, Thời gian khứ hồi, ms"
    assert all(row["v"] is None or 10 < row["v"] < 100 for row in rows_of(spec))


def test_whatever_sends_packets_over_a_line_has_a_curve_by_its_name() -> None:
    measured = [
        ("ping", "from-parent", "rtt"),
        ("wan", "primary", "wan.rtt.p50"),
        ("stamp", "centre", "stamp.rtt.median"),
    ]
    series = [SeriesView(check, label, metric, "", "s", [START], [0.02]) for check, label, metric in measured]
    assert {row["s"] for row in rows_of(drawn("quality", series))} == {
        "ping from-parent",
        "wan primary",
        "stamp centre",
    }


def test_a_window_of_runs_is_no_line_beside_the_run_itself() -> None:
    series = [SeriesView("wan", "primary", "wan.rtt.p50", each, "s", [START], [0.02]) for each in ("", "window")]
    assert {row["s"] for row in rows_of(drawn("quality", series))} == {"wan primary"}


def test_loss_has_a_mark_for_the_direction_that_lost_where_that_is_known() -> None:
    series = [
        SeriesView("stamp", "centre", metric, "", "%", [START], [value])
        for metric, value in (("stamp.loss", 30.0), ("stamp.loss.forward", 30.0), ("stamp.loss.backward", 0.0))
    ]
    bars, marks = drawn("quality", series)["layer"][1]["layer"]
    assert [row["v"] for row in bars["data"]["values"]] == [30]
    assert [(row["s"], row["w"], row["v"]) for row in marks["data"]["values"]] == [("stamp centre", "chiều đi", 30)]


def test_without_ping_the_answer_time_of_snmp_is_drawn() -> None:
    snmp = SeriesView("snmp", "router", "snmp.response_time", "", "s", [START, START + 30_000], [0.01, 0.02])
    spec = drawn("quality", [snmp])
    assert spec["description"] == "Thời gian trả lời SNMP, ms"
    assert [row["v"] for row in rows_of(spec)] == [10, 20]


def test_traffic_shows_the_four_busiest_interfaces_in_upward_and_out_downward() -> None:
    rows = rows_of(drawn("traffic", samples(START, NOW)))
    assert {row["s"] for row in rows} == {"wan0", "lan0", "tun0", "mgmt0"}
    assert all(row["v"] is None or (row["v"] > 0) == row["k"].startswith("ifInBits") for row in rows)


def test_a_line_breaks_where_nothing_was_measured() -> None:
    rows = [row for row in rows_of(drawn("traffic", samples(START, NOW))) if row["k"] == "ifInBits wan0"]
    assert [row["v"] for row in rows].count(None) == 1


def test_a_day_of_seconds_is_thinned_to_means() -> None:
    at = list(range(START, NOW, 1000))
    rtt = SeriesView("ping", "wan", "rtt", "", "s", at, [0.01 if i % 2 else 0.03 for i in range(len(at))])
    rows = rows_of(drawn("quality", [rtt]))
    assert len(rows) == BUCKETS
    assert {row["v"] for row in rows} == {20}


def test_what_was_not_measured_is_said() -> None:
    assert drawn("traffic", [])["layer"][1]["mark"]["text"] == "Không có số đo trong khoảng này"


def test_a_specification_fetches_nothing() -> None:
    text = json.dumps(drawn("traffic", samples(START, NOW))).replace(
        "https://vega.github.io/schema/vega-lite/v6.json", ""
    )
    assert "http" not in text
    assert '"url"' not in text
