"""Charts are drawn, and their JavaScript is made, in a child process.

vl-convert runs a JavaScript engine inside Python and holds the interpreter's lock while it works: 0.7 s for the first
chart, 30 ms for the next ones, 2.4 s for the bundle, 75 to 160 MB of memory. In the collector's own process, even in a
thread, nothing else would run meanwhile. So a child does it: started at the first need, gone when idle or when the
collector is.

Over the child's pipes: a JSON line in, ``{"svg": spec}`` or ``{"bundle": true}``; out a status byte (0 well, 1 error),
four bytes of length, big-endian, and that many of UTF-8.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import json
import select
import struct
import sys
from importlib import metadata
from typing import Any, Final

IDLE: Final = 120.0
"""Seconds without work after which the child ends."""
DEADLINE: Final = 30.0
"""Seconds that a drawing may take."""
HEAD: Final = struct.Struct(">BI")

bundle_version = functools.cache(lambda: metadata.version("vl-convert-python"))
"""The version of vl-convert, which names the bundle that it makes."""


class DrawingError(Exception):
    """A chart could not be drawn."""


class Drawer:
    """Draws Vega-Lite specifications as SVG, one at a time. Used by one event loop."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._lock = asyncio.Lock()
        self._bundle: bytes | None = None

    async def svg(self, spec: dict[str, Any]) -> str:
        """The chart as an SVG document. Raises DrawingError."""
        return (await self._ask({"svg": spec})).decode()

    async def bundle(self) -> bytes:
        """vega, vega-lite and vega-embed for browsers as one script, gzipped. Made once. Raises DrawingError."""
        if self._bundle is None:
            script = await self._ask({"bundle": True})
            self._bundle = await asyncio.to_thread(gzip.compress, script, 6, mtime=0)
        return self._bundle

    async def close(self) -> None:
        """Ends the child."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 2)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _ask(self, request: dict[str, Any]) -> bytes:
        line = json.dumps(request).encode() + b"\n"
        async with self._lock:
            for last in (False, True):
                try:
                    status, body = await asyncio.wait_for(self._exchange(line), DEADLINE)
                    break
                except (OSError, asyncio.IncompleteReadError) as error:
                    # It went idle between two requests; a fresh one is asked once.
                    await self.close()
                    if last:
                        raise DrawingError("the process that draws charts ended: is vl-convert installed?") from error
                except BaseException as error:
                    # Late, or nobody waits any more: what it still writes must not answer the next request.
                    await self._kill()
                    if isinstance(error, TimeoutError):
                        raise DrawingError(f"the chart was not drawn in {DEADLINE:g} s") from error
                    raise
        if status != 0:
            raise DrawingError(body.decode())
        return body

    async def _exchange(self, line: bytes) -> tuple[int, bytes]:
        if self._process is None or self._process.returncode is not None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",
                "-m",
                "collector.web.drawing",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C is for the collector, which then closes our stdin
            )
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(line)
        await process.stdin.drain()
        status, length = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        return status, await process.stdout.readexactly(length)

    async def _kill(self) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self.close()


def _work(request: dict[str, Any]) -> str:
    import vl_convert  # noqa: PLC0415 - only the child may hold its JavaScript engine

    if "bundle" in request:
        return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
    # No base URL is allowed: a spec that named data elsewhere would be fetched from here.
    return str(vl_convert.vegalite_to_svg(request["svg"], allowed_base_urls=[]))


def main() -> None:
    """The child: answers requests until its parent closes the pipe, or none comes for a while."""
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    # One request at a time is under way, so that nothing waits in the buffer behind a line that was read.
    while select.select([source], [], [], IDLE)[0] and (line := source.readline()):
        try:
            status, text = 0, _work(json.loads(line))
        except Exception as error:  # whatever JavaScript threw is the answer
            status, text = 1, str(error)
        body = text.encode()
        sink.write(HEAD.pack(status, len(body)) + body)
        sink.flush()


if __name__ == "__main__":
    main()
