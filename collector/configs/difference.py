"""What differs between two configurations. Pure."""

from __future__ import annotations

import difflib
from typing import Final

MOST_LINES: Final = 6
_MOST_WIDE: Final = 120


def changed_lines(old: str, new: str) -> tuple[list[str], list[str]]:
    """The lines that were removed, and those that were added."""
    diff = _diff(old, new, 0)
    return [line[1:] for line in diff if line[0] == "-"], [line[1:] for line in diff if line[0] == "+"]


def unified(old: str, new: str, most: int = 200, context: int = 3) -> list[str]:
    """A unified diff of at most so many lines, with ``…`` where lines are left out."""
    diff = ["…" if line.startswith("@@") else line for line in _diff(old, new, context)]
    return diff if len(diff) <= most else [*diff[:most], f"… and {len(diff) - most} lines more"]


def _diff(old: str, new: str, context: int) -> list[str]:
    """What both begin and end with alike is left out first: finding the rest takes time by the square of its length."""
    before, after = old.splitlines(), new.splitlines()
    begin = end = 0
    shorter = min(len(before), len(after))
    while begin < shorter and before[begin] == after[begin]:
        begin += 1
    while end < shorter - begin and before[-1 - end] == after[-1 - end]:
        end += 1
    begin, end = max(0, begin - context), max(0, end - context)
    parts = before[begin : len(before) - end], after[begin : len(after) - end]
    return list(difflib.unified_diff(*parts, lineterm="", n=context))[2:]


def in_words(old: str, new: str) -> str:
    """``+2 -1 lines: "+ …", "- …"``: how much, and the first of it."""
    removed, added = changed_lines(old, new)
    shown = [*(f"- {line.strip()}" for line in removed), *(f"+ {line.strip()}" for line in added)]
    quoted = [f"“{line[:_MOST_WIDE]}”" for line in shown[:MOST_LINES]]
    more = f" and {len(shown) - MOST_LINES} more" if len(shown) > MOST_LINES else ""
    return f"+{len(added)} -{len(removed)} lines: {', '.join(quoted)}{more}"
