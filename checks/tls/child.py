"""Has certificates examined in a child process, and remembers the answer while nothing changes: what a server shows is
the same for months, so that the child runs once, and again when a certificate, a file or a validity does change."""

from __future__ import annotations

import asyncio
import hashlib
import sys
from pathlib import Path
from typing import Final

import msgspec

from checks import child
from checks.contract import Context
from checks.errors import CheckError, ObserverError, TargetError
from checks.tls.examined import Asked, Examined, Failed

_ROOT: Final = Path(__file__).parents[2]
# The environment adds nothing to what is imported; -m looks in the working directory first, which is where we are.
_ARGV: Final = (sys.executable, "-E", "-s", "-m", "checks.tls.examine")
_MEMORY: Final = "tls.examined"


async def examine(asked: Asked, place: str, ctx: Context, *, limit: float) -> Examined:
    """The answer, from memory while it is good. Raises TargetError that names the ``place`` when its certificates
    cannot be read; ObserverError when a file of ours cannot, or when it takes longer than ``limit`` s."""
    key = _key(asked)
    held: tuple[bytes, float, Examined] | None = ctx.memory.get(_MEMORY)
    if held is not None and held[0] == key and held[1] <= asked.at < held[2].until:
        return held[2]
    try:
        async with asyncio.timeout(limit):
            said = await child.ask(_ARGV, msgspec.msgpack.encode(asked), cwd=_ROOT)
    except TimeoutError as error:
        text = f"{place}: its certificates could not be examined within {limit:.3g} s: this host is overloaded"
        raise ObserverError("slow", text) from error
    try:
        answer = msgspec.msgpack.decode(said, type=Examined | Failed)
    except msgspec.MsgspecError as error:
        raise ObserverError("bug", f"{place}: the examination of its certificates ended without an answer") from error
    if isinstance(answer, Failed):
        raise _error(answer, place)
    ctx.memory[_MEMORY] = (key, asked.at, answer)
    return answer


def _error(failed: Failed, place: str) -> CheckError:
    if failed.reason == "malformed":
        return TargetError("malformed", f"{place}: its certificate cannot be read: {failed.text}", answered=True)
    return ObserverError(failed.reason, failed.text)


def _key(asked: Asked) -> bytes:
    """Another one when anything but the time of asking is another."""
    stamps = [_stamp(name) for name in (asked.ca_file, asked.crl_file)]
    content = msgspec.msgpack.encode((msgspec.structs.replace(asked, at=0.0), stamps))
    return hashlib.sha256(content).digest()


def _stamp(name: str) -> int:
    try:
        return Path(name).stat().st_mtime_ns if name else 0
    except OSError:
        return 0  # the child will say so
