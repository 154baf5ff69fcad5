from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.config.screen import last_line, shown


@pytest.mark.parametrize(
    ("sent", "seen"),
    [
        ("a\r\r\nb\r\n", "a\nb\n"),
        ("--More-- \r         \rSystem\r\n", "System\n"),  # FortiGate
        ("  ---- More ----\x1b[16D                \x1b[16Dinterface GE0/0/1", "interface GE0/0/1"),  # Huawei
        ("--More--\b\b\b\b\b\b\b\b        \b\b\b\b\b\b\b\bline vty", "line vty"),  # Cisco
        ("\x1b[1;31mred\x1b[0m \x1b[Kword\x1b[?25h", "red word"),
        ("\x1b]0;title\x07prompt# ", "prompt#"),
        ("long line\r\x1b[Knew", "new"),
        ("\x1b[4m\rrouter#\x1b[m ", "router#"),
        ("tab\there", "tab\there"),
        ("mô tả: Uỷ ban\r\n", "mô tả: Uỷ ban\n"),
    ],
)
def test_what_was_printed_over_is_gone(sent: str, seen: str) -> None:
    assert shown(sent) == seen


def test_the_cursor_stands_in_the_last_line() -> None:
    assert last_line("one\ntwo\rTW") == "TWo"


@given(st.text())
def test_whatever_is_sent_can_be_shown(text: str) -> None:
    assert "\x1b" not in shown(text)


@given(st.text(st.characters(exclude_categories=["Cc"])))
def test_plain_text_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text
