"""Opens the spool whatever state its file is in: a damaged one is set aside, counted and told of, and work goes on."""

from __future__ import annotations

import os
from pathlib import Path

from agent.spoolfile import CorruptError, SpoolFile


def open_or_replace(path: Path, max_bytes: int, now: int) -> tuple[SpoolFile, str]:
    """The spool; a damaged file is set aside as ``….corrupt-<Unix ms>`` and a fresh one, with an epoch of its own,
    begins with a gap record.

    Returns it and, when one was set aside, a sentence about that. Raises SpoolError when the file is sound but
    cannot be used.
    """
    try:
        return SpoolFile(path, max_bytes), ""
    except CorruptError as error:
        why = str(error)
    aside = _move_aside(path, now)
    # What is lost is mostly older than the file's last change; how much older nobody can say.
    end = min(now, aside.stat().st_mtime_ns // 1_000_000)
    fresh = SpoolFile(path, max_bytes, corrupted=len(_set_aside_before(path)))
    fresh.note_corrupt(end, now)
    return fresh, f"{why}. It was set aside as {aside}; what it held is lost unless a person can read it"


def _set_aside_before(path: Path) -> list[Path]:
    return list(path.parent.glob(f"{path.name}.corrupt-*"))


def _move_aside(path: Path, now: int) -> Path:
    """Moves a damaged file and its log away. Earlier ones are emptied, so that they can be counted and do not fill
    the disk."""
    wal = path.with_name(f"{path.name}-wal")
    for earlier in _set_aside_before(path):
        os.truncate(earlier, 0)
    aside = path.with_name(f"{path.name}.corrupt-{now}")
    path.rename(aside)
    if wal.exists():
        wal.replace(path.with_name(f"{path.name}-wal.corrupt"))
    return aside
