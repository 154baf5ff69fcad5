"""From what a device said to its backup: what changes by itself gone, secrets masked. Pure."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence

from checks.config.mask import masked
from checks.config.platform import About, Platform
from checks.config.screen import shown
from checks.errors import TargetError

Answer = tuple[str, str] | None
"""A command and what was said to it, raw; None when the device refuses it."""


@dataclasses.dataclass(frozen=True)
class Backup:
    """``text`` is the configuration, below what is known of the device as comments; ``version`` says whether two are
    the same, ``by`` who changed it last, where the device tells."""

    text: str
    version: str
    by: str


def backup(platform: Platform, answers: Sequence[Answer], prompt: str, credentials: Iterable[str]) -> Backup:
    """The backup of a device from the answers to ``platform.commands``. Raises TargetError when there is no
    configuration among them."""
    *others, last = answers
    if last is None:
        ways = " or ".join(f"“{command}”" for command in platform.config)
        raise TargetError("refused-command", f"the device refuses {ways}: give the user the right to it", answered=True)
    configuration = re.sub(platform.joined, "", said(*last, prompt)) if platform.joined else said(*last, prompt)
    if not configuration.strip():
        raise TargetError("empty", f"“{last[0]}” shows nothing: give the user the right to see it", answered=True)
    lines = (
        line for about, answer in zip(platform.about, others, strict=True) for line in _known(about, answer, prompt)
    )
    whole = "".join(f"{platform.comment} {line}\n" for line in lines) + configuration
    text = masked(_without(platform.drop, whole), platform, credentials)
    return Backup(text, version(platform, text), _changed_by(platform, whole))


def version(platform: Platform, text: str) -> str:
    """The first 16 hex digits of the SHA-256 of what counts in a backup."""
    return hashlib.sha256(significant(platform, text).encode()).hexdigest()[:16]


def significant(platform: Platform, text: str) -> str:
    """A backup without what is kept but does not count."""
    return _without(platform.aside, text)


def said(command: str, answer: str, prompt: str) -> str:
    """An answer's lines without the echo of the command before and the prompt after them."""
    lines = shown(answer).split("\n")
    while lines and lines[0].strip().removeprefix(prompt).strip() == command:
        del lines[0]
    if prompt and lines and lines[-1].strip() == prompt:
        del lines[-1]
    return "\n".join(lines).strip("\n") + "\n"


def _known(about: About, answer: Answer, prompt: str) -> Iterator[str]:
    if answer is None:
        return
    text = said(*answer, prompt)
    for pattern, written in about.lines:
        for found in re.finditer(pattern, text, re.MULTILINE):
            yield found.expand(written)


def _without(patterns: tuple[str, ...], text: str) -> str:
    return _lines(patterns).sub("", text) if patterns else text


@functools.cache
def _lines(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"^(?:{'|'.join(patterns)})[ \t]*\n", re.MULTILINE)


def _changed_by(platform: Platform, text: str) -> str:
    found = (re.search(pattern, text, re.MULTILINE) for pattern in platform.changed_by)
    return next((match[1] for match in found if match), "")
