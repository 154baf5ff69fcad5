"""A located YAML document → typed values.

The type says what a scalar is, never its looks: where a text is wanted, ``no`` and ``02011`` are refused with "quote
it" rather than read as a boolean and as an octal number. Every mistake of the document is noted, not the first alone.
"""

from __future__ import annotations

import contextlib
import datetime
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeVar, cast

import yaml
from msgspec import inspect

from checks.located import MAX_DEPTH, Document, InvalidValueError, Place, alternatives, near

T = TypeVar("T")

_MAX_VALUES: Final = 1_000_000  # of a document whose aliases name each other over and over
_TAG: Final = "tag:yaml.org,2002:"
_KINDS: Final = {"int": "number", "float": "number", "bool": "boolean", "timestamp": "date"}
_PLAIN_TAGS: Final = {_TAG + kind for kind in ("str", "null", "seq", "map", "merge", "value", *_KINDS)}
_WHOLE: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})\Z")
_NUMBER: Final = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?\Z")
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d\Z")


def convert(document: Document, kind: type[T], at: Place = (), *, noun: str = "key") -> T:
    """The value at a place, as a type: a msgspec Struct, tuple, dict, Literal, Enum, date, number, text or a union.

    Struct fields without a default must be there and no others may; ``noun`` is what an unknown key is called. What is
    wrong is noted in the document; then raises InvalidValueError.
    """
    return cast(T, _Converter(document).convert(document.find(at), inspect.type_info(kind), at, noun))


class _Converter:
    def __init__(self, document: Document) -> None:
        self.document = document
        self._values = 0

    def convert(self, node: yaml.Node, kind: inspect.Type, at: Place, noun: str = "key") -> Any:  # noqa: PLR0912 - one line a type
        self._values += 1
        if self._values > _MAX_VALUES or len(at) > MAX_DEPTH:
            self.document.fail(node, at, "aliases repeat too much: write it out, or shorter")
        if node.tag not in _PLAIN_TAGS:
            self.document.fail(node, at, f"tag {node.tag.replace(_TAG, '!!')!r} is not allowed: write a plain value")
        match kind:
            case inspect.Metadata():
                return self._metadata(node, kind, at, noun)
            case inspect.StructType():
                return self._struct(node, kind, at, noun)
            case inspect.UnionType():
                return self._union(node, kind, at, noun)
            case inspect.VarTupleType() | inspect.ListType() | inspect.SetType() | inspect.FrozenSetType():
                items = self._items(node, kind.item_type, at)
                make = {inspect.ListType: list, inspect.SetType: set, inspect.FrozenSetType: frozenset}
                return make.get(type(kind), tuple)(items)
            case inspect.TupleType():
                return self._fixed(node, kind.item_types, at)
            case inspect.DictType():
                return self._dict(node, kind, at)
            case inspect.EnumType():
                values = {str(member.value): member for member in kind.cls}
                return values[self._one_of(node, list(values), at)]
            case inspect.LiteralType():
                return self._one_of(node, [str(value) for value in kind.values], at)
            case inspect.StrType():
                return self._text(node, kind, at)
            case inspect.BoolType():
                if _plain(node, "bool") and node.value in ("true", "false"):
                    return bool(node.value == "true")
                self.document.fail(node, at, f"expected true or false, got {_described(node)}")
            case inspect.IntType() | inspect.FloatType():
                return self._number(node, kind, at)
            case inspect.DateType():
                return self._date(node, at)
            case inspect.NoneType():
                if not _plain(node, "null"):
                    self.document.fail(node, at, f"expected nothing, got {_described(node)}")
                return None
            case inspect.AnyType():
                return self._any(node, at)
        raise TypeError(f"{self.document.file}: {self.document.words(at)}: strict YAML cannot be read as {kind}")

    def _metadata(self, node: yaml.Node, kind: inspect.Metadata, at: Place, noun: str) -> Any:
        expected = (kind.extra or {}).get("expected")
        if expected and isinstance(kind.type, inspect.StrType) and kind.type.pattern:
            text = self._text(node, inspect.StrType(), at)
            if not re.search(kind.type.pattern, text):
                self.document.fail(node, at, f"expected {expected}, got {text!r}")
            return text
        return self.convert(node, kind.type, at, noun)

    def _struct(self, node: yaml.Node, kind: inspect.StructType, at: Place, noun: str) -> Any:
        fields = {field.encode_name: field for field in kind.fields}
        values: dict[str, Any] = {}
        whole = True
        for key, child in self._pairs(node, at):
            field = fields.get(key.value)
            try:
                if field is None:
                    self.document.fail(key, at, f"unknown {noun} {key.value!r}: {near(key.value, fields)}")
                values[field.name] = self.convert(child, field.type, (*at, key.value))
            except InvalidValueError:
                whole = False
        written = {key.value for key, _ in node.value}
        for field in kind.fields:
            if field.required and field.encode_name not in written:
                whole = False
                self.document.note(node, at, f"{field.encode_name!r} is missing")
        if not whole:
            raise InvalidValueError
        try:
            return kind.cls(**values)
        except (ValueError, TypeError) as error:  # of its __post_init__
            self.document.fail(node, at, str(error))

    def _pairs(self, node: yaml.Node, at: Place) -> Iterable[tuple[yaml.Node, yaml.Node]]:
        """Keys and values; a key that stands twice is noted, and given once."""
        if not isinstance(node, yaml.MappingNode):
            self.document.fail(node, at, f"expected a mapping (key: value), got {_described(node)}")
        first: dict[str, int] = {}
        for key, child in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self.document.fail(key, at, f"expected a text as key, got {_described(key)}")
            if key.value in first:
                self.document.note(
                    key, at, f"key {key.value!r} stands twice, first in line {first[key.value]}: remove one"
                )
                continue
            first[key.value] = key.start_mark.line + 1
            yield key, child

    def _union(self, node: yaml.Node, kind: inspect.UnionType, at: Place, noun: str) -> Any:
        if _plain(node, "null") and kind.includes_none:
            return None
        members: list[inspect.Type] = [member for member in kind.types if not isinstance(member, inspect.NoneType)]
        structs = [member for member in members if isinstance(member, inspect.StructType)]
        if isinstance(node, yaml.MappingNode) and len(structs) == 1:
            members = [structs[0]]
        if len(members) == 1:
            return self.convert(node, members[0], at, noun)
        for member in members:
            attempt = _Converter(Document(self.document.file, node))
            with contextlib.suppress(InvalidValueError):
                return attempt.convert(node, member, at, noun)
        return self.document.fail(node, at, f"expected {alternatives(_named(members))}, got {_described(node)}")

    def _items(self, node: yaml.Node, kind: inspect.Type, at: Place) -> list[Any]:
        if not isinstance(node, yaml.SequenceNode):
            self.document.fail(node, at, f"expected a list, got {_described(node)}")
        return self._each(list(zip(node.value, [kind] * len(node.value), strict=True)), at)

    def _fixed(self, node: yaml.Node, kinds: Sequence[inspect.Type], at: Place) -> tuple[Any, ...]:
        if not isinstance(node, yaml.SequenceNode) or len(node.value) != len(kinds):
            got = f"{len(node.value)}" if isinstance(node, yaml.SequenceNode) else _described(node)
            self.document.fail(node, at, f"expected a list of {len(kinds)} values, got {got}")
        return tuple(self._each(list(zip(node.value, kinds, strict=True)), at))

    def _each(self, items: Sequence[tuple[yaml.Node, inspect.Type]], at: Place) -> list[Any]:
        values = []
        for i, (child, kind) in enumerate(items):
            try:
                values.append(self.convert(child, kind, (*at, i)))
            except InvalidValueError:
                continue
        if len(values) < len(items):
            raise InvalidValueError
        return values

    def _dict(self, node: yaml.Node, kind: inspect.DictType, at: Place) -> dict[Any, Any]:
        values, whole = {}, True
        for key, child in self._pairs(node, at):
            try:
                name = self.convert(key, kind.key_type, at)
                values[name] = self.convert(child, kind.value_type, (*at, key.value))
            except InvalidValueError:
                whole = False
        if not whole:
            raise InvalidValueError
        return values

    def _text(self, node: yaml.Node, kind: inspect.StrType, at: Place) -> str:
        if not isinstance(node, yaml.ScalarNode) or _plain(node, "null"):
            self.document.fail(node, at, f"expected a text, got {_described(node)}")
        text = str(node.value)
        if not node.style and (node.tag != _TAG + "str" or text.isdigit()):
            self.document.fail(node, at, f'expected a text, got {_described(node)}: quote it: "{text}"')
        if kind.min_length and len(text) < kind.min_length:
            self.document.fail(node, at, "expected a text, got an empty one")
        if kind.pattern and not re.search(kind.pattern, text):
            self.document.fail(node, at, f"expected a text that matches {kind.pattern}, got {text!r}")
        return text

    def _one_of(self, node: yaml.Node, known: Sequence[str], at: Place) -> str:
        text = self._text(node, inspect.StrType(), at)
        if text not in known:
            noun = next((step for step in reversed(at) if isinstance(step, str)), "value")
            self.document.fail(node, at, f"unknown {noun} {text!r}: {near(text, known)}")
        return text

    def _number(self, node: yaml.Node, kind: inspect.IntType | inspect.FloatType, at: Place) -> int | float:
        whole = isinstance(kind, inspect.IntType)
        expected = "a whole number" if whole else "a number"
        if (_plain(node, "int") or _plain(node, "float")) and not _NUMBER.match(node.value):
            self.document.fail(node, at, f"expected {expected}, written in decimal digits, got {node.value}")
        if not isinstance(node, yaml.ScalarNode) or node.style or not (_WHOLE if whole else _NUMBER).match(node.value):
            self.document.fail(node, at, f"expected {expected}, got {_described(node)}")
        value = int(node.value) if whole else float(node.value)
        for bound, broken, words in (
            (kind.ge, kind.ge is not None and value < kind.ge, "at least"),
            (kind.gt, kind.gt is not None and value <= kind.gt, "more than"),
            (kind.le, kind.le is not None and value > kind.le, "at most"),
            (kind.lt, kind.lt is not None and value >= kind.lt, "less than"),
        ):
            if broken:
                self.document.fail(node, at, f"expected {expected} of {words} {bound:g}, got {node.value}")
        return value

    def _date(self, node: yaml.Node, at: Place) -> datetime.date:
        if not isinstance(node, yaml.ScalarNode) or not _DATE.match(node.value):
            self.document.fail(node, at, f"expected a date such as 2025-07-01, got {_described(node)}")
        try:
            return datetime.date.fromisoformat(node.value)
        except ValueError:
            self.document.fail(node, at, f"{node.value} is no day of the calendar")

    def _any(self, node: yaml.Node, at: Place) -> Any:
        """A plain value: text, number, boolean, None, list or mapping."""
        if isinstance(node, yaml.MappingNode):
            return self._dict(node, inspect.DictType(inspect.StrType(), inspect.AnyType()), at)
        if isinstance(node, yaml.SequenceNode):
            return self._items(node, inspect.AnyType(), at)
        if _plain(node, "null"):
            return None
        if _plain(node, "timestamp"):
            return self._date(node, at).isoformat()
        kinds = {"bool": inspect.BoolType(), "int": inspect.IntType(), "float": inspect.FloatType()}
        kind = next((kind for name, kind in kinds.items() if _plain(node, name)), inspect.StrType())
        return self.convert(node, kind, at)


def _plain(node: yaml.Node, kind: str) -> bool:
    """Whether it is a scalar that YAML's rules read, unquoted, as this kind."""
    return isinstance(node, yaml.ScalarNode) and not node.style and node.tag == _TAG + kind


def _described(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    if _plain(node, "null"):
        return "nothing"
    assert isinstance(node, yaml.ScalarNode)
    if node.style:
        return f"the text {node.value!r}"
    kind = _KINDS.get(node.tag.removeprefix(_TAG), "number" if node.value.isdigit() else "text")
    return f"the {kind} {node.value}" if kind != "text" else f"the text {node.value!r}"


def _named(kinds: Iterable[inspect.Type]) -> list[str]:
    """Types in a reader's words."""
    words = {"Str": "a text", "Int": "a whole number", "Float": "a number", "Bool": "true or false", "Date": "a date"}
    names = [type(kind).__name__.removesuffix("Type") for kind in kinds]
    more = {"Struct": "a mapping", "Dict": "a mapping", "Literal": "a known word", "Enum": "a known word"}
    return list(dict.fromkeys((words | more).get(name, "a list") for name in names))
