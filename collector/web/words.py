"""The words of the page, from gettext catalogues that are read at start: no compiled files, no build step."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Final, Literal

from babel.messages.pofile import read_po
from markupsafe import Markup

Language = Literal["vi", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("vi", "en")


@functools.cache
def catalogue(language: Language) -> dict[str, str]:
    """The words of a language by their English msgid."""
    path = resources.files("collector.web") / "locale" / language / "LC_MESSAGES" / "web.po"
    with path.open("rb") as file:
        return {str(m.id): str(m.string) for m in read_po(file, locale=language, abort_invalid=True) if m.id}


class Words:
    """The page's words with one language first and the other beside it."""

    def __init__(self, language: Language) -> None:
        self.first: Language = language
        self.second: Language = "en" if language == "vi" else "vi"

    def text(self, msgid: str) -> str:
        """A phrase in the first language. Raises KeyError for one that no catalogue has."""
        return catalogue(self.first)[msgid]

    def word(self, key: str) -> str:
        """A word that comes with the data (a severity, the kind of an event): itself, where no catalogue has it."""
        return catalogue(self.first).get(key, key)

    def both(self, msgid: str) -> Markup:
        """A phrase in both languages, the second quieter. Raises KeyError for one that no catalogue has."""
        return self.pair(catalogue("vi")[msgid], catalogue("en")[msgid])

    def pair(self, vi: str, en: str) -> Markup:
        """Two texts that mean the same, marked up with their languages; once, when they are the same."""
        first, second = (vi, en) if self.first == "vi" else (en, vi)
        if not second or first == second:
            return Markup('<span lang="{}">{}</span>').format(self.first, first or second)
        return Markup('<span lang="{}">{}</span> <span class="second" lang="{}">{}</span>').format(
            self.first, first, self.second, second
        )

    def one(self, vi: str, en: str) -> str:
        """Of two texts that mean the same, the one in the first language."""
        return (vi or en) if self.first == "vi" else (en or vi)
