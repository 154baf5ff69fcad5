"""Line protocol, the way InfluxDB and VictoriaMetrics both read it: measurement = check, tags node, target, instance.

https://docs.influxdata.com/influxdb/v1/write_protocols/line_protocol_reference/

A tag can hold neither a newline nor a backslash at its end; the two servers differ over backslashes elsewhere; and to
VictoriaMetrics a quote in a field's name begins a string that takes the value and the time with it. So control
characters, backslashes, quotes, and what would look like such an escape go as ``%XX``: see :func:`encoded`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from urllib.parse import unquote

import msgspec

from collector.store.model import SeriesKey

_UNSAFE = re.compile(r"""[\x00-\x1f\x7f\\"]|%(?=[0-9A-Fa-f]{2})|^#""")
_MEASUREMENT = str.maketrans({",": "\\,", " ": "\\ "})
_TAG = str.maketrans({",": "\\,", "=": "\\=", " ": "\\ "})


class Form(msgspec.Struct, frozen=True):
    """What is always the same of a series' points: the line up to its fields, and the field's name, both escaped."""

    prefix: str
    field: str


class Line(msgspec.Struct, frozen=True):
    """A line, without its newline, and the (series id, at, value) that it carries."""

    text: str
    points: tuple[tuple[int, int, float], ...]


def encoded(text: str) -> str:
    """A text in characters that every server keeps. Differs from the text only where that is hostile."""
    return _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", text)


def decoded(text: str) -> str:
    """What :func:`encoded` was given."""
    return unquote(text) if "%" in text else text


def form(key: SeriesKey, *, name_check: bool) -> Form:
    """How a series is written. ``name_check`` adds a tag ``check``, for a server that joins measurement and field."""
    tags = {"node": key.node, "target": key.label, "instance": key.instance}
    if name_check:
        tags = {"check": key.check, **tags}
    parts = [encoded(key.check).translate(_MEASUREMENT)]
    parts += [f"{name}={encoded(value).translate(_TAG)}" for name, value in tags.items() if value]
    return Form(",".join(parts), encoded(key.metric).translate(_TAG))


def lines(points: Iterable[tuple[int, int, float]], forms: Mapping[int, Form]) -> list[Line]:
    """Lines of (series id, at in ms, value) points: the fields of one moment in one line, of two alike the later.

    Numbers are always floats: an integer that later becomes one is a refused write.
    """
    moments: dict[tuple[str, int], dict[str, tuple[int, int, float]]] = {}
    for point in points:
        known = forms[point[0]]
        moments.setdefault((known.prefix, point[1]), {})[known.field] = point
    return [
        Line(
            f"{prefix} {','.join([f'{field}={float(point[2])!r}' for field, point in fields.items()])} {at}",
            tuple(fields.values()),
        )
        for (prefix, at), fields in moments.items()
    ]
