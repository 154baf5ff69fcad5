"""One collector a state directory: two would both number the journal."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class LockedError(OSError):
    """Another process has the directory. Says which, and what to do."""


def lock(directory: Path) -> IO[str]:
    """Holds the directory until the file is closed or the process ends, however it ends. Raises LockedError."""
    path = directory / "lock"
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise LockedError(
            f"{directory}: another collector is running there: stop it, or set another state_dir"
        ) from None
    return file
