"""What devices are asked with: communities and SNMPv3 users, and how the topology is to name them.

A secret is never an argument of the command: arguments are seen by every user of the host (ps, /proc) and stay in the
shell's history.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from checks.contract import explain
from checks.located import near
from checks.plan import REFERENCE
from checks.snmp import SnmpParams

VARIABLE: Final = "THONGSUOT_COMMUNITY"
_KEYS: Final = {"auth_key": "snmp-auth", "priv_key": "snmp-priv"}
_COMMUNITY: Final = "snmp-community"


class CredentialError(ValueError):
    """A credential that cannot be had. The message says which, and never shows it."""


class Credential(msgspec.Struct, frozen=True):
    """One way to ask. ``written`` are the parameters as the topology has them: secrets by name."""

    params: SnmpParams
    written: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credential({self.written})"


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look: ``communities`` are "@FILE", a community a line, or "secret:NAME"; ``users`` are TOML files with
    the parameters that the check ``snmp`` has for SNMPv3. ``secrets`` gives the collector's, by name."""

    communities: Sequence[str]
    users: Sequence[Path]
    environ: Mapping[str, str]
    secrets: Callable[[], Mapping[str, str]]
    prompt: Callable[[], str] | None


def credentials(sources: Sources) -> tuple[Credential, ...]:
    """The users, then the communities, in the order given: a community is readable on its way to whatever answers, a
    user's keys are not. Without either, the community of the environment, or the one that is typed. Raises
    CredentialError."""
    naming = _Naming()
    found = [_user(path, sources.secrets, naming) for path in sources.users]
    for text in sources.communities:
        found += _communities(text, sources.secrets, naming)
    if not found:
        found.append(_community(_unasked(sources), naming.name(_COMMUNITY)))
    return tuple(found)


class _Naming:
    """Names for secrets that have none: NAME, NAME-2, …"""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}

    def name(self, kind: str) -> str:
        self._count[kind] = self._count.get(kind, 0) + 1
        return kind if self._count[kind] == 1 else f"{kind}-{self._count[kind]}"


def _unasked(sources: Sources) -> str:
    if sources.environ.get(VARIABLE):
        return sources.environ[VARIABLE]
    typed = sources.prompt() if sources.prompt is not None else ""
    if not typed:
        raise CredentialError(
            "nothing to ask devices with: give --community @FILE or secret:NAME, --user FILE, "
            f"{VARIABLE} in the environment, or type it when asked on a terminal"
        )
    return typed


def _communities(text: str, secrets: Callable[[], Mapping[str, str]], naming: _Naming) -> Iterator[Credential]:
    if text.startswith(REFERENCE):
        yield _community(_secret(text, secrets(), "--community"), text.removeprefix(REFERENCE))
    elif text.startswith("@"):
        lines = [line.strip() for line in _read(Path(text[1:])).splitlines()]
        if not any(lines):
            raise CredentialError(f"{text[1:]}: empty: expected a community a line")
        yield from (_community(line, naming.name(_COMMUNITY)) for line in lines if line)
    else:
        raise CredentialError(
            "--community: expected @FILE or secret:NAME, not a community itself: "
            "what stands in a command is seen by every user of this host and stays in the shell's history"
        )


def _community(value: str, name: str) -> Credential:
    return Credential(SnmpParams(community=value), {"version": "2c", "community": REFERENCE + name})


def _user(path: Path, secrets: Callable[[], Mapping[str, str]], naming: _Naming) -> Credential:
    try:
        given: dict[str, Any] = {"version": "3", **tomllib.loads(_read(path))}
    except tomllib.TOMLDecodeError as error:
        raise CredentialError(f"{path}: not TOML: {error}") from error
    real, written = dict(given), dict(given)
    for key, kind in _KEYS.items():
        value = given.get(key)
        if isinstance(value, str) and value.startswith(REFERENCE):
            real[key] = _secret(value, secrets(), f"{path}, {key}")
        elif value:
            written[key] = REFERENCE + naming.name(kind)
    try:
        return Credential(msgspec.convert(real, SnmpParams), written)
    except msgspec.ValidationError as error:
        raise CredentialError(f"{path}: {explain(error, SnmpParams)}") from error


def _secret(reference: str, secrets: Mapping[str, str], place: str) -> str:
    name = reference.removeprefix(REFERENCE)
    if name not in secrets:
        raise CredentialError(f"{place}: no secret {name!r} in the collector's settings: {near(name, secrets)}")
    return secrets[name]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise CredentialError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CredentialError(f"{path}: not text in UTF-8") from error
