"""Which profile is a device's: the files in ``profiles/``, read when they are first needed."""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from checks.contract import explain
from checks.snmp.vocabulary import (
    AnyRule,
    Fact,
    Head,
    Memory,
    Neighbour,
    Profile,
    Sensor,
    Session,
    State,
    compiled,
)

FOLDER: Final = Path(__file__).parent / "profiles"
GENERIC: Final = "generic"
"""The profile of a device that no other is for."""
NET_SNMP: Final = "1.3.6.1.4.1.8072."
"""The sysObjectID of pfSense, OpenWrt, UniFi and others: that of the SNMP agent that they build in."""

HeadT = TypeVar("HeadT", bound=Head)


class ProfileError(ValueError):
    """A profile file that is not what it should be: its message names file and line."""


def choose(object_id: str, descr: str, folder: Path = FOLDER) -> str:
    """The name of the profile for a device: the longest match of its sysObjectID. Where none matches, or it is one that
    many vendors answer with, the one whose ``descr`` is found in sysDescr goes before."""
    known = heads(folder)
    by_descr = next((n for n, head in known.items() if head.descr and compiled(head.descr).search(descr)), None)
    matches = {
        prefix: name
        for name, head in known.items()
        for prefix in head.match
        if f"{object_id}.".startswith(f"{prefix}.")
    }
    if by_descr and (not matches or object_id.startswith(NET_SNMP)):
        return by_descr
    return matches[max(matches, key=len)] if matches else GENERIC


@functools.cache
def names(folder: Path = FOLDER) -> tuple[str, ...]:
    """The names of all profiles."""
    return tuple(path.stem for path in sorted(folder.glob("*.toml")))


@functools.cache
def heads(folder: Path = FOLDER) -> dict[str, Head]:
    """Every profile's head, by name: the lines before the first rule."""
    return {name: _read(folder / f"{name}.toml", Head, whole=False) for name in names(folder)}


Moved = tuple[tuple[str, str], ...]


@functools.cache
def load(name: str, folder: Path = FOLDER, moved: Moved = ()) -> Profile:
    """One profile, without what it includes. Raises ProfileError."""
    return _read(folder / f"{name}.toml", Profile, moved=moved)


def rules(name: str, folder: Path = FOLDER) -> tuple[AnyRule, ...]:
    """The rules of a profile and then of those it includes, each once. Raises ProfileError."""
    return tuple(rule for profile in _with_included(name, folder, (), set()) for rule in profile.rules)


def _with_included(name: str, folder: Path, moved: Moved, seen: set[str]) -> Iterator[Profile]:
    if name in seen:
        return
    seen.add(name)
    profile = load(name, folder, moved)
    yield profile
    for other in profile.include:
        if not (folder / f"{other}.toml").is_file():
            raise ProfileError(f"{folder / name}.toml: includes {other!r}, but there is no {other}.toml")
        yield from _with_included(other, folder, (*moved, *profile.moved.items()), seen)


def _read(path: Path, kind: type[HeadT], *, whole: bool = True, moved: Moved = ()) -> HeadT:
    text = path.read_text()
    for here, there in moved:
        text = text.replace(f'"{here}.', f'"{there}.')
    if not whole:
        text = re.split(r"^\[\[", text, maxsplit=1, flags=re.MULTILINE)[0]
    try:
        return msgspec.convert(tomllib.loads(text), kind)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        raise ProfileError(f"{path}:{found[1] if found else 1}: not TOML: {error}") from error
    except msgspec.ValidationError as error:
        line, expected = _place(text, str(error))
        raise ProfileError(f"{path}:{line}: {explain(error, expected or kind)}") from error


def _place(text: str, message: str) -> tuple[int, type[Any] | None]:
    """Where in a file an error is, and of which kind of rule: msgspec names ``$.sensor[2].divide``, and the file has
    ``[[sensor]]`` three times by then."""
    found = re.search(r"at `\$\.(\w+)\[(\d+)\](?:\.(\w+))?", message)
    lines = text.splitlines()
    if found is None:
        top = re.search(r"`(?:\$\.)?(\w+)", message)
        return next((n for n, line in enumerate(lines, 1) if top and line.startswith(top[1])), 1), None
    section, count = found[1], int(found[2])
    rule = _RULES[section]
    starts = [n for n, line in enumerate(lines, 1) if line.strip() == f"[[{section}]]"]
    if count >= len(starts):
        return 1, rule
    key = found[3] or next(iter(re.findall(r"unknown field `(\w+)`", message)), None)
    for n in range(starts[count], len(lines)):
        if lines[n].startswith("[["):
            break
        if key and re.match(rf"{key}\s*=", lines[n]):
            return n + 1, rule
    return starts[count], rule


_RULES: Final[dict[str, type[Any]]] = {
    "sensor": Sensor,
    "state": State,
    "memory": Memory,
    "session": Session,
    "neighbour": Neighbour,
    "fact": Fact,
}
