"""Settings of a service: a TOML file, over which the environment has the last word. Typed, and strict.

``PREFIX_KEY`` sets ``key``, ``PREFIX_SECTION__KEY`` sets ``key`` of ``[section]``. Lists are written with commas.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T", bound=msgspec.Struct)


class SettingsError(ValueError):
    """A setting that cannot be. The message names the file or variable, the key and what was expected."""


def load(kind: type[T], path: Path, environ: Mapping[str, str], prefix: str, *, required: bool) -> T:
    """The settings of a file and the environment. A file that is not ``required`` may be missing.

    Raises SettingsError.
    """
    values = read(path, required=required)
    for section, key, known in _unknown_keys(values, kind, ()):
        where = ".".join((*section, key))
        raise SettingsError(f"{path}: unknown key {where!r}: {_hint(key, known)}")
    _overlay(values, kind, environ, prefix)
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{path}: {_in_words(error, prefix)}") from error


def read(path: Path, *, required: bool) -> dict[str, Any]:
    """The plain values of a TOML file. Raises SettingsError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if not required:
            return {}
        raise SettingsError(f"{path}: no such file: write it, or name another with --config") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not TOML: {error}") from error


def _hint(wrong: str, known: list[str]) -> str:
    near = difflib.get_close_matches(wrong, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"


def _unknown_keys(
    values: Mapping[str, Any], kind: type[msgspec.Struct], section: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], str, list[str]]]:
    kinds = _sections(kind)
    for key, value in values.items():
        if key not in kind.__struct_fields__:
            yield section, key, list(kind.__struct_fields__)
        elif key in kinds and isinstance(value, Mapping):
            yield from _unknown_keys(value, kinds[key], (*section, key))


def _sections(kind: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """The fields of a struct that are structs themselves."""
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    return {field.name: field.type.cls for field in described.fields if isinstance(field.type, inspect.StructType)}


def _variables(kind: type[msgspec.Struct], prefix: str) -> dict[str, tuple[str, ...]]:
    """The environment variable of each key."""
    names: dict[str, tuple[str, ...]] = {}
    sections = _sections(kind)
    for key in kind.__struct_fields__:
        name = f"{prefix}{key.upper()}"
        if key in sections:
            nested = _variables(sections[key], f"{name}__")
            names.update({variable: (key, *rest) for variable, rest in nested.items()})
        else:
            names[name] = (key,)
    return names


def _overlay(values: dict[str, Any], kind: type[msgspec.Struct], environ: Mapping[str, str], prefix: str) -> None:
    """Puts the environment over the file. Another program's variables are left alone; a near miss is not."""
    names = _variables(kind, prefix)
    for name, value in environ.items():
        if name in names:
            *sections, key = names[name]
            place, owner = values, kind
            for section in sections:
                place, owner = place.setdefault(section, {}), _sections(owner)[section]
            listed = _is_list(owner, key)
            place[key] = [part.strip() for part in value.split(",") if part.strip()] if listed else value
        elif name.startswith(prefix) and (near := difflib.get_close_matches(name, names, n=1, cutoff=0.88)):
            raise SettingsError(f"environment: unknown variable {name}: did you mean {near[0]}?")


def _is_list(kind: type[msgspec.Struct], key: str) -> bool:
    described = inspect.type_info(kind)
    assert isinstance(described, inspect.StructType)
    field = next(field for field in described.fields if field.name == key)
    return isinstance(field.type, inspect.VarTupleType | inspect.ListType)


def _in_words(error: msgspec.ValidationError, prefix: str) -> str:
    text = str(error)
    what, _, where = text.partition(" - at `$.")
    if not where:
        missing = text.partition("missing required field `")[2].rstrip("`")
        return f"{missing!r} is missing: set it there, or in {prefix}{missing.upper()}" if missing else text
    return f"{where.rstrip('`')!r}: {what[:1].lower()}{what[1:]}"
