"""A short-lived child process that is asked one thing: its libraries take memory that the daemon must not keep."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from checks.errors import ObserverError

_ENVIRONMENT: Final = ("PATH", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR")
_MOST_BYTES: Final = 2 << 20


def script(file: Path) -> tuple[str, ...]:
    """How to run a file of ours alone: neither the working directory nor the environment says what is imported."""
    return sys.executable, "-I", str(file)


def environment() -> dict[str, str]:
    """What a child needs of this process's environment, and no secret that may be there."""
    return {key: os.environ[key] for key in _ENVIRONMENT if key in os.environ}


async def ask(argv: Sequence[str], request: bytes, *, cwd: Path | None = None, most: int = _MOST_BYTES) -> bytes:
    """What a program says on standard output about a request on standard input. Raises ObserverError when it says
    ``most`` bytes or more. Cancelled, the child is killed."""
    child = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=cwd,
        env=environment(),
    )
    try:
        said = await _talk(child, request, most)
        await child.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
        raise
    return said


async def _talk(child: asyncio.subprocess.Process, request: bytes, most: int) -> bytes:
    """Hands over the request, and reads what is said until the end."""
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write(request)
    child.stdin.close()
    try:
        await child.stdout.readexactly(most)
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    raise ObserverError("bug", f"a child process said {most} bytes or more")
