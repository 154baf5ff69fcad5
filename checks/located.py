"""A YAML document that knows where everything stands, and collects what is wrong with it.

A mistake is told as ``topology.yaml:41:9: node c01834: unknown key 'parrent': did you mean 'parent'?``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, cast

import msgspec
import yaml

if TYPE_CHECKING:
    from yaml._yaml import Mark as CMark

Step = str | int
Place = tuple[Step, ...]
"""Where in a document: the keys and list indices from its top."""

MAX_BYTES: Final = 8 << 20
MAX_DEPTH: Final = 30
MAX_PROBLEMS: Final = 100
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Problem(msgspec.Struct, frozen=True):
    """One mistake. ``line`` and ``column`` count from 1; ``where`` is the place in words, empty for the whole file."""

    file: str
    line: int
    column: int
    where: str
    message: str

    def __str__(self) -> str:
        words = f"{self.where}: {self.message}" if self.where else self.message
        return f"{self.file}:{self.line}:{self.column}: {words}"


class StrictError(ValueError):
    """A document that is not what it should be. ``problems`` holds every mistake; ``str`` is a line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MAX_PROBLEMS]]
        if len(self.problems) > MAX_PROBLEMS:
            lines.append("… and more: correct these first")
        super().__init__("\n".join(lines))


class InvalidValueError(Exception):
    """The value could not be read; why is among the document's problems."""


def near(wrong: str, known: Iterable[str]) -> str:
    """What to say after an unknown word: ``did you mean 'parent'?``, or the few known ones."""
    words = list(known)
    close = difflib.get_close_matches(wrong, words, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    if len(words) > 20:
        return f"it is none of the {len(words)} known"
    return f"expected {alternatives(words)}" if words else "none is known"


def alternatives(words: Sequence[str]) -> str:
    """``a, b or c``."""
    *some, last = words
    return f"{', '.join(some)} or {last}" if some else last


def read(path: Path, *, name: str = "") -> Document:
    """The document in a file, named ``name`` (else the path) in messages. Raises StrictError; OSError if unreadable."""
    file = name or str(path)
    with path.open("rb") as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise StrictError([Problem(file, 1, 1, "", f"over {MAX_BYTES >> 20} MiB: expected a smaller file")])
    try:
        return compose(content.decode(), file)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise StrictError([Problem(file, line, 1, "", "not UTF-8: save the file as UTF-8")]) from error


def compose(text: str, file: str) -> Document:
    """The document in a YAML text. Raises StrictError, with one problem, when it is not YAML."""
    try:
        _refuse_depth(text, file)
        root = yaml.compose(text, _LOADER)
    except yaml.MarkedYAMLError as error:
        line, column = _line_column(error.problem_mark or error.context_mark)
        words = ", ".join(part for part in (error.problem, error.context) if part)
        raise StrictError([Problem(file, line, column, "", f"not YAML: {words}")]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = "not YAML: a control character that YAML does not allow: remove it"
        raise StrictError([Problem(file, line, 1, "", message)]) from error
    if root is None:
        raise StrictError([Problem(file, 1, 1, "", "the file is empty")])
    return Document(file, root)


def _refuse_depth(text: str, file: str) -> None:
    """Composing recurses on the C stack, so the depth is bounded before."""
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            line, column = _line_column(event.start_mark)
            message = f"nested deeper than {MAX_DEPTH} levels: expected a flatter file"
            raise StrictError([Problem(file, line, column, "", message)])


class Document:
    """A composed YAML document, and the problems found in it so far."""

    def __init__(self, file: str, root: yaml.Node) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._root = root
        self._seen: set[tuple[int, int, str]] = set()
        self._hints: dict[tuple[str, str], str] = {}

    def problem(self, at: Place, message: str) -> None:
        """Notes a mistake at a place; where the place does not exist, at the nearest one around it."""
        self.note(self.find(at), at, message)

    def unknown(self, at: Place, noun: str, wrong: str, known: Iterable[str]) -> None:
        """Notes a word that nobody knows, with the near match."""
        if len(self.problems) > MAX_PROBLEMS:
            return
        hint = self._hints.get((noun, wrong)) or near(wrong, known)  # costs a look at every known word, so once
        self._hints[noun, wrong] = hint
        self.problem(at, f"unknown {noun} {wrong!r}: {hint}")

    def finish(self) -> None:
        """Raises StrictError when a problem was noted, in the order of the file."""
        if self.problems:
            raise StrictError(sorted(self.problems, key=lambda p: (p.line, p.column)))

    def note(self, node: yaml.Node, at: Place, message: str) -> None:
        """Notes a mistake at a node, which belongs to a place."""
        line, column = _line_column(node.start_mark)
        key = (line, column, message)  # an anchor that is used ten times is wrong once
        if key not in self._seen and len(self.problems) <= MAX_PROBLEMS:
            self._seen.add(key)
            self.problems.append(Problem(self.file, line, column, self.words(at), message))

    def fail(self, node: yaml.Node, at: Place, message: str) -> NoReturn:
        """Notes a mistake, and raises InvalidValueError."""
        self.note(node, at, message)
        raise InvalidValueError

    def find(self, at: Place) -> yaml.Node:
        """The node at a place, or the nearest one around it."""
        node = self._root
        for step in at:
            child = _child(node, step)
            if child is None:
                return node
            node = child
        return node

    def words(self, at: Place) -> str:
        """``("nodes", 3, "links", 0, "kind")`` → ``node c01834, link wan, kind``."""
        words: list[str] = []
        node: yaml.Node | None = self._root
        before: Step = ""
        for step in at:
            node = _child(node, step) if node is not None else None
            name = step if isinstance(step, str) else _name_of(node) or step + 1
            plural = isinstance(before, str) and _singular(before)
            if plural or isinstance(step, int):
                words[-1] = f"{plural or words[-1]} {name}"
            else:
                words.append(str(name))
            before = step
        return ", ".join(words)


def _line_column(mark: yaml.Mark | CMark | None) -> tuple[int, int]:
    return (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)


def _child(node: yaml.Node, step: Step) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        return cast(yaml.Node, node.value[step]) if step < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((child for key, child in node.value if key.value == step), None)
    return None


def _singular(word: str) -> str:
    """``categories`` → ``category``; empty for a word that is not a plural."""
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else ""


def _name_of(node: yaml.Node | None) -> str:
    """What tells a list's item apart for a reader: its id, or the check it is."""
    if isinstance(node, yaml.MappingNode):
        for name in ("id", "check", "name"):
            child = _child(node, name)
            if isinstance(child, yaml.ScalarNode):
                return str(child.value)
    return ""
