"""A child process that is asked again and again, one JSON line for another, until the conversation is closed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

import msgspec

from checks.child import environment
from checks.errors import ObserverError

_MOST_BYTES = 4 << 20
"""Of one line."""


class Conversation:
    """Begins with the first question."""

    def __init__(self, argv: Sequence[str], first: object) -> None:
        self._argv = argv
        self._first = first
        self._child: asyncio.subprocess.Process | None = None

    async def ask(self, question: object) -> bytes:
        """The line that answers a question. Raises ObserverError when the child ends instead. Cancelled, it is killed:
        what it would answer must not be taken for the answer to another question."""
        try:
            child = self._child = self._child or await self._begin()
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.write(msgspec.json.encode(question) + b"\n")
            line = await child.stdout.readline()
        except BaseException:
            await self.close()
            raise
        if not line.endswith(b"\n"):
            await self.close()
            raise ObserverError("bug", "a child process ended without an answer")
        return line

    async def _begin(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *self._argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
            limit=_MOST_BYTES,
        )
        assert child.stdin is not None
        child.stdin.write(msgspec.json.encode(self._first) + b"\n")
        return child

    async def close(self) -> None:
        """Ends the child; the next question begins another one."""
        child, self._child = self._child, None
        if child is not None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
