"""What we ask of InfluxDB, in the language that all its versions answer, and what its answers say. Pure.

https://docs.influxdata.com/influxdb/v1/query_language/spec/
"""

from __future__ import annotations

from array import array
from collections.abc import Callable

import msgspec

from collector.store.lineproto import decoded, encoded
from collector.store.model import MAX_AT, Points, Selector, SeriesKey, StoreError, order

_TAGS = {"node": "node", "label": "target", "instance": "instance"}

LATEST = MAX_AT
"""The latest ms that a query can name."""

KeyOf = Callable[[str, str, str, str, str], SeriesKey]
"""The series of a node, check, label, metric and instance, with the unit that the registry remembers."""


class _Series(msgspec.Struct):
    name: str = ""
    columns: list[str] = []
    tags: dict[str, str] = {}
    values: list[list[object]] = []


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


def identifier(name: str) -> str:
    """A quoted identifier that stays one, whatever the name is."""
    return '"' + _escaped(name).replace('"', '\\"') + '"'


def literal(text: str) -> str:
    """A quoted string that stays one, whatever the text is."""
    return "'" + _escaped(text).replace("'", "\\'") + "'"


def select(selector: Selector, start: int, end: int, limit: int | None) -> str:
    """The query for the points in ``start`` ≤ time < ``end`` (Unix ms), newest first."""
    fields = "*" if selector.metric is None else identifier(encoded(selector.metric))
    measurement = "/.*/" if selector.check is None else identifier(encoded(selector.check))
    wanted = [f"time >= {start}ms", f"time < {end}ms"]
    for field, tag in _TAGS.items():
        value = getattr(selector, field)
        if value is not None:
            wanted.append(f"{identifier(tag)} = {literal(encoded(value))}")
    # A limit counts rows, and a row of several fields may lack the one that is wanted.
    limited = f" LIMIT {limit}" if limit is not None and selector.metric is not None else ""
    where = " AND ".join(wanted)
    # InfluxQL binds no identifiers: what is put in here was made by identifier, literal or an int.
    return f"SELECT {fields} FROM {measurement} WHERE {where} GROUP BY * ORDER BY time DESC{limited}"  # noqa: S608


def delete(before: int) -> str:
    """The statement that forgets what is older than ``before`` (Unix ms)."""
    return f"DELETE WHERE time < {before}ms"


def points(body: bytes, key_of: KeyOf, limit: int | None) -> list[Points]:
    """The series of an answer to :func:`select`. Raises StoreError with the server's own words."""
    found: dict[SeriesKey, tuple[array[int], array[float]]] = {}
    for series in _results(body):
        for column, name in enumerate(series.columns[1:], 1):
            key = key_of(
                decoded(series.tags.get("node", "")),
                decoded(series.name),
                decoded(series.tags.get("target", "")),
                decoded(name),
                decoded(series.tags.get("instance", "")),
            )
            at, values = found.setdefault(key, (array("q"), array("d")))
            for row in series.values:
                moment, value = row[0], row[column]
                if isinstance(moment, int) and isinstance(value, int | float) and (limit is None or len(at) < limit):
                    at.append(moment)
                    values.append(value)
    return [
        Points(key, found[key][0][::-1], found[key][1][::-1]) for key in sorted(found, key=order) if len(found[key][0])
    ]


def check_answer(body: bytes) -> None:
    """Raises StoreError with the server's own words, if the answer is an error."""
    _results(body)


def _results(body: bytes) -> list[_Series]:
    try:
        answer = msgspec.json.decode(body, type=_Answer)
    except msgspec.MsgspecError as error:
        raise StoreError(f"InfluxDB: expected an answer to InfluxQL in JSON, got {body[:100]!r}: {error}") from error
    for said in (answer.error, *(result.error for result in answer.results)):
        if said:
            raise StoreError(f"InfluxDB: {said}")
    return [series for result in answer.results for series in result.series]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")
