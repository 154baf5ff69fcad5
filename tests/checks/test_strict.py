"""YAML is read by the type that is wanted, and every mistake is told with its place."""

from __future__ import annotations

import datetime
import enum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from checks import located, strict
from checks.located import InvalidValueError, StrictError


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Span(msgspec.Struct, frozen=True):
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is over high {self.high:g}")


class Item(msgspec.Struct, frozen=True):
    id: str
    code: str = ""
    kind: Literal["router", "switch"] = "router"
    colour: Colour = Colour.RED
    ok: bool = True
    count: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    day: datetime.date | None = None
    at: tuple[float, float] | None = None
    tags: tuple[str, ...] = ()
    span: Span = Span()
    either: int | str = 0
    extra: dict[str, Any] = {}


class File(msgspec.Struct, frozen=True):
    items: tuple[Item, ...]
    names: dict[str, Item] = {}


def parsed(text: str) -> File:
    document = located.compose(text, "f.yaml")
    try:
        value = strict.convert(document, File)
    except InvalidValueError:
        document.finish()
        raise
    document.finish()
    return value


def complaint(text: str) -> str:
    with pytest.raises(StrictError) as caught:
        parsed(text)
    return str(caught.value)


def test_every_type_is_read_as_itself() -> None:
    text = """
items:
  - {id: a, code: "01834", kind: switch, colour: green, ok: false, count: 5, day: 2025-07-01, at: [22.1, 105],
     tags: [x, y], span: {low: -1e-3}, either: word, extra: {n: 1, s: "1", b: true, d: 2025-07-01, l: [null, 1.5]}}
names:
  b: {id: b}
"""
    item = parsed(text).items[0]
    assert item == Item(
        "a", "01834", "switch", Colour.GREEN, False, 5, datetime.date(2025, 7, 1), (22.1, 105.0), ("x", "y"),
        Span(-0.001), "word", {"n": 1, "s": "1", "b": True, "d": "2025-07-01", "l": [None, 1.5]},
    )  # fmt: skip
    assert parsed(text).names == {"b": Item("b")}


def test_an_anchor_is_read_wherever_it_is_named() -> None:
    assert parsed("items: [&one {id: a}, *one]").items == (Item("a"), Item("a"))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ("{id: a, cuont: 1}", "f.yaml:1:17: item a: unknown key 'cuont': did you mean 'count'?"),
        ("{code: x}", "f.yaml:1:9: item 1: 'id' is missing"),
        ("{id: a, id: b}", "f.yaml:1:17: item a: key 'id' stands twice, first in line 1: remove one"),
        ("{id: a, code: 02011}", 'f.yaml:1:23: item a, code: expected a text, got the number 02011: quote it: "02011"'),
        ("{id: a, code: 01834}", 'f.yaml:1:23: item a, code: expected a text, got the number 01834: quote it: "01834"'),
        ("{id: no}", 'f.yaml:1:14: item no, id: expected a text, got the boolean no: quote it: "no"'),
        (
            "{id: a, code: 2025-07-01}",
            'f.yaml:1:23: item a, code: expected a text, got the date 2025-07-01: quote it: "2025-07-01"',
        ),
        ("{id: a, code: }", "f.yaml:1:23: item a, code: expected a text, got nothing"),
        ("{id: a, ok: on}", "f.yaml:1:21: item a, ok: expected true or false, got the boolean on"),
        ("{id: a, count: 9}", "f.yaml:1:24: item a, count: expected a whole number of at most 5, got 9"),
        ("{id: a, count: 60s}", "f.yaml:1:24: item a, count: expected a whole number, got the text '60s'"),
        ("{id: a, count: 1.5}", "f.yaml:1:24: item a, count: expected a whole number, got the number 1.5"),
        (
            "{id: a, count: 010}",
            "f.yaml:1:24: item a, count: expected a whole number, written in decimal digits, got 010",
        ),
        ("{id: a, span: {low: .nan}}", "expected a number, written in decimal digits, got .nan"),
        ("{id: a, kind: ruoter}", "f.yaml:1:23: item a, kind: unknown kind 'ruoter': did you mean 'router'?"),
        ("{id: a, kind: x}", "f.yaml:1:23: item a, kind: unknown kind 'x': expected router or switch"),
        ("{id: a, colour: gren}", "f.yaml:1:25: item a, colour: unknown colour 'gren': did you mean 'green'?"),
        ("{id: a, day: 2025-02-30}", "f.yaml:1:22: item a, day: 2025-02-30 is no day of the calendar"),
        ("{id: a, day: today}", "f.yaml:1:22: item a, day: expected a date such as 2025-07-01, got the text 'today'"),
        ("{id: a, at: [1, 2, 3]}", "f.yaml:1:21: item a, at: expected a list of 2 values, got 3"),
        ("{id: a, at: [1, b]}", "f.yaml:1:25: item a, at 2: expected a number, got the text 'b'"),
        ("{id: a, tags: x}", "f.yaml:1:23: item a, tags: expected a list, got the text 'x'"),
        ("{id: a, tags: [x, 1]}", 'f.yaml:1:27: item a, tag 2: expected a text, got the number 1: quote it: "1"'),
        ("{id: a, span: {low: 2}}", "f.yaml:1:23: item a, span: low 2 is over high 1"),
        ("{id: a, either: [1]}", "f.yaml:1:25: item a, either: expected a whole number or a text, got a list"),
        ("{id: a, code: !!python/name:os.system x}", "item a, code: tag '!!python/name:os.system' is not allowed"),
        ("router", "f.yaml:1:9: item 1: expected a mapping (key: value), got the text 'router'"),
    ],
)
def test_a_mistake_names_place_expectation_and_near_match(item: str, message: str) -> None:
    assert message in complaint(f"items: [{item}]")


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file() -> None:
    said = complaint("items:\n- {id: a, count: 0}\n- {idd: b}\nname: {}\n").splitlines()
    assert said == [
        "f.yaml:2:18: item a, count: expected a whole number of at least 1, got 0",
        "f.yaml:3:3: item 2: 'id' is missing",
        "f.yaml:3:4: item 2: unknown key 'idd': did you mean 'id'?",
        "f.yaml:4:1: unknown key 'name': did you mean 'names'?",
    ]


def test_a_mistake_in_an_anchor_is_told_once() -> None:
    assert complaint("items: [&one {id: a, count: 0}, *one, *one]").count("\n") == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("items: [\n- x: [", "f.yaml:2:1: not YAML: "),
        ("a: b: c", "f.yaml:1:5: not YAML: mapping values are not allowed"),
        ("a: *b", "f.yaml:1:4: not YAML: found undefined alias"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: not YAML: but found another document"),
        ("a: 1\nb: \x07", "f.yaml:2:1: not YAML: a control character that YAML does not allow: remove it"),
        ("[" * 100_000, "f.yaml:1:31: nested deeper than 30 levels: expected a flatter file"),
        ("items: &a [*a]", "f.yaml:1:8: item 1: expected a mapping (key: value), got a list"),
        ("items: [{id: a, extra: &a {b: *a}}]", "aliases repeat too much"),
    ],
)
def test_what_is_not_yaml_is_told_in_one_line(text: str, message: str) -> None:
    said = complaint(text)
    assert message in said
    assert "\n" not in said


def test_a_thousand_mistakes_are_cut_short() -> None:
    said = complaint("items:\n" + "- {}\n" * 1000)
    assert said.count("\n") == located.MAX_PROBLEMS
    assert said.endswith("… and more: correct these first")


def test_a_file_must_be_utf8_and_of_a_sane_size(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: 1\nb: \xff\n")
    with pytest.raises(StrictError, match=r"f\.yaml:2:1: not UTF-8: save the file as UTF-8"):
        located.read(file)
    file.write_bytes(b"#" * (located.MAX_BYTES + 1))
    with pytest.raises(StrictError, match=r"f\.yaml:1:1: over 8 MiB: expected a smaller file"):
        located.read(file)
