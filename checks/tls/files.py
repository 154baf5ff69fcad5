"""A file of certificates on the agent's host."""

from __future__ import annotations

import stat
from pathlib import Path

from checks.errors import ObserverError, TargetError

_MOST = 4 << 20


def is_file(target: str) -> bool:
    """Whether a target is the absolute path of a file, rather than a server."""
    return target.startswith("/")


def fetch(target: str) -> bytes:
    """What is in the file. Raises TargetError when there is none or it is something else, ObserverError when this agent
    may not read it."""
    path = Path(target)
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe or device would keep us waiting
            raise TargetError("no-file", f"{target}: expected a file of certificates, and it is none")
        if status.st_size > _MOST:
            raise TargetError("malformed", f"{target}: {status.st_size} bytes are too many for certificates")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise TargetError("no-file", f"{target}: there is no such file") from error
    except OSError as error:
        text = f"{target}: this agent cannot read it ({error.strerror}): give its user the right to"
        raise ObserverError("no-permission", text) from error
