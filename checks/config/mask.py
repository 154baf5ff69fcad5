"""Puts a mask where a secret stands. Pure."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from typing import Final

from checks.config.platform import MASK, Platform

_MASKED: Final = "\x00"
"""For the mask while patterns are at work: its own words would look like a secret to some."""
_EVERYWHERE: Final = (
    # A private key, whoever wrote it down.
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]*)-----END [A-Z ]*PRIVATE KEY-----",
    # A user's password in an address.
    r"(?<![a-z0-9+.-])[a-z][a-z0-9+.-]*://[^\s:/@\"']+:([^\s@/\"']+)@",
    # A hash as crypt(5) writes it, also Cisco's types 4 to 14 and Juniper's $9$.
    r"(?<![\w$])(\$(?:1|2[abxy]?|3|4|5|6|7|8|9|14|y|gy|sha1|argon2\w*|nt)\$[^\s\"';<>]+)",
)


def masked(text: str, platform: Platform, credentials: Iterable[str] = ()) -> str:
    """The text without the secrets of a platform's syntax, of any syntax, and those known by their letters."""
    text = text.replace(MASK, _MASKED)
    for block, pattern in platform.secrets_in:
        inner = _compiled(pattern)
        text = _compiled(block).sub(lambda found, inner=inner: inner.sub(_hide, found[0]), text)  # type: ignore[misc]
    for pattern in (*platform.secrets, *_EVERYWHERE):
        text = _compiled(pattern).sub(_hide, text)
    return without(text.replace(_MASKED, MASK), credentials)


def without(text: str, credentials: Iterable[str]) -> str:
    """The text without some secrets, where they stand as words."""
    for secret in sorted(filter(None, credentials), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)" if len(secret) < 8 else re.escape(secret), MASK, text)
    return text


@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.MULTILINE)


def _hide(found: re.Match[str]) -> str:
    """What was found, with a mask in place of each group."""
    parts: list[str] = []
    at = found.start()
    for group in range(1, (found.re.groups or 0) + 1):
        begin, end = found.span(group)
        if begin < 0:
            continue
        parts += (found.string[at:begin], _MASKED)
        at = end
    return "".join((*parts, found.string[at : found.end()]))
