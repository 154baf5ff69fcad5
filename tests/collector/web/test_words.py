from __future__ import annotations

import re
from pathlib import Path

import pytest

import collector.web
from alerts.model import Severity, TimelineKind
from checks.model import State
from collector.web.words import LANGUAGES, Words, catalogue

VERDICTS = ("proven", "negotiated only", "leaking", "down")
FOLDER = Path(collector.web.__file__).parent
ASKED = re.compile(r"""words\.(?:text|both)\((?P<quote>["'])(.+?)(?P=quote)""")


def used() -> set[str]:
    """Every phrase that a template or a module asks for by name."""
    files = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("*.py")]
    return {found[2] for file in files for found in ASKED.finditer(file.read_text())}


def test_both_catalogues_have_every_phrase_that_is_used() -> None:
    asked = used()
    assert len(asked) > 50
    for language in LANGUAGES:
        assert not asked - catalogue(language).keys()


def test_both_catalogues_have_the_same_phrases_and_none_is_empty() -> None:
    assert catalogue("vi").keys() == catalogue("en").keys()
    assert all(text for language in LANGUAGES for text in catalogue(language).values())


def test_the_words_that_come_with_data_are_translated() -> None:
    words = {one.value for kind in (Severity, TimelineKind, State) for one in kind}
    assert not (words | {"connected", "down", "unobserved", "primary", "backup", *VERDICTS}) - catalogue("vi").keys()


def test_a_phrase_in_both_languages_marks_each() -> None:
    both = Words("vi").both("down")
    assert both == '<span lang="vi">mất kết nối</span> <span class="second" lang="en">down</span>'
    assert Words("en").both("down").startswith('<span lang="en">down</span>')


def test_a_word_that_no_catalogue_has_is_shown_as_it_is() -> None:
    assert Words("vi").word("satellite") == "satellite"


def test_two_texts_from_data_are_escaped_and_written_once_when_they_are_one() -> None:
    assert Words("vi").pair("<b>", "<b>") == '<span lang="vi">&lt;b&gt;</span>'


def test_a_phrase_of_the_page_that_is_missing_is_an_error() -> None:
    for ask in (Words("vi").text, Words("vi").both):
        with pytest.raises(KeyError):
            ask("no such phrase")
