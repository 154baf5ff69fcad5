"""The plug-ins of Nagios, which Debian has as monitoring-plugins: what others find at the same server."""

from __future__ import annotations

import asyncio

from tests.peers import need

_FOLDER = "/usr/lib/nagios/plugins"


async def plugin(name: str, *words: str) -> tuple[int, str]:
    """What a plug-in exits with (0 for OK, 2 for CRITICAL), and what it prints."""
    program = f"{_FOLDER}/{name}"
    need(program)
    process = await asyncio.create_subprocess_exec(program, *words, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode(errors="replace")
