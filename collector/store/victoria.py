"""What we ask of VictoriaMetrics, which takes line protocol but answers InfluxQL with nonsense, and what it says. Pure.

It joins measurement and field to the metric's name, ``check_metric``; we write a tag ``check`` beside, to take the two
apart again. https://docs.victoriametrics.com/#how-to-export-data-in-json-line-format
"""

from __future__ import annotations

from array import array

import msgspec

from collector.store.chunks import tidy
from collector.store.influxql import KeyOf
from collector.store.lineproto import decoded, encoded
from collector.store.model import Points, Selector, SeriesKey, StoreError, order


class _Line(msgspec.Struct):
    metric: dict[str, str]
    values: list[float | None]
    timestamps: list[int]


def matcher(selector: Selector) -> str:
    """The series selector of an export. May match more than is wanted: the metric's name needs the check's."""
    wanted = ['check!=""' if selector.check is None else f"check={quoted(encoded(selector.check))}"]
    if selector.check is not None and selector.metric is not None:
        wanted.append(f"__name__={quoted(f'{encoded(selector.check)}_{encoded(selector.metric)}')}")
    for tag, value in (("node", selector.node), ("target", selector.label), ("instance", selector.instance)):
        if value is not None:
            wanted.append(f"{tag}={quoted(encoded(value))}")
    return "{" + ",".join(wanted) + "}"


def quoted(text: str) -> str:
    """A PromQL string that stays one, whatever the text is."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def points(body: bytes, key_of: KeyOf, selector: Selector, *, start: int, end: int, limit: int | None) -> list[Points]:
    """The series of an export. Raises StoreError for what is not one."""
    found: dict[SeriesKey, tuple[array[int], array[float]]] = {}
    try:
        exported = msgspec.json.Decoder(_Line).decode_lines(body)
    except msgspec.MsgspecError as error:
        raise StoreError(f"VictoriaMetrics: expected exported lines of JSON, got {body[:100]!r}: {error}") from error
    for line in exported:
        check = line.metric.get("check", "")
        key = key_of(
            decoded(line.metric.get("node", "")),
            decoded(check),
            decoded(line.metric.get("target", "")),
            decoded(line.metric.get("__name__", "").removeprefix(f"{check}_")),
            decoded(line.metric.get("instance", "")),
        )
        if not selector.takes(key):
            continue
        at, values = found.setdefault(key, (array("q"), array("d")))
        for moment, value in zip(line.timestamps, line.values, strict=True):
            if start <= moment < end and value is not None:
                at.append(moment)
                values.append(value)
    answer = []
    for key in sorted(found, key=order):
        at, values = tidy(*found[key])
        low = 0 if limit is None else max(0, len(at) - limit)
        if low < len(at):
            answer.append(Points(key, at[low:], values[low:]))
    return answer
