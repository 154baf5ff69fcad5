"""What a terminal would show of the bytes that a device sends: pagers wipe themselves out, colours vanish. Pure."""

from __future__ import annotations

import re
from typing import Final

_CONTROL: Final = re.compile(
    r"\x1b\[(?P<arguments>[0-?]*)[ -/]*(?P<final>[@-~])"  # CSI, ECMA-48 section 5.4
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: window titles
    r"|\x1b[ -/]*[0-~]"
    r"|[\x00-\x08\x0b-\x1f\x7f]"
)
_ENDS: Final = re.compile(r"\r+\n")


def shown(text: str) -> str:
    """The lines as they stand when all was printed; only a bare newline ends one."""
    return "\n".join(map(_line, _ENDS.sub("\n", text).split("\n")))


def last_line(text: str) -> str:
    """Where the cursor stands."""
    return _line(text[text.rfind("\n") + 1 :])


def _line(text: str) -> str:
    """One line: what is printed over is gone."""
    if _CONTROL.search(text) is None:
        return text
    cells: list[str] = []
    column = at = 0
    for control in _CONTROL.finditer(text):
        column = _print(cells, column, text[at : control.start()])
        at = control.end()
        column = _move(cells, column, control)
    _print(cells, column, text[at:])
    return "".join(cells).rstrip()


def _print(cells: list[str], column: int, text: str) -> int:
    cells += " " * (column - len(cells))
    cells[column : column + len(text)] = text
    return column + len(text)


def _move(cells: list[str], column: int, control: re.Match[str]) -> int:
    """Where the cursor is after a control sequence. Unknown ones do nothing."""
    if control["final"] is None:
        return {"\r": 0, "\b": max(0, column - 1)}.get(control[0], column)
    count = int(control["arguments"]) if control["arguments"].isdecimal() else 0
    if control["final"] == "D":
        return max(0, column - (count or 1))
    if control["final"] == "C":
        return column + (count or 1)
    if control["final"] == "K":
        if count == 2:
            cells.clear()
        elif count == 0:
            del cells[column:]
    return column
