"""Recorded devices on addresses of the network namespace that this runs in: ``recorded.py ADDRESS=FILE…``"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tests.acceptance.recording import Recording
from tests.acceptance.responder import Responder


async def serve(devices: dict[str, Path]) -> None:
    """Says ``ready`` when all are there, and runs until it is ended."""
    loop = asyncio.get_running_loop()
    for address, file in devices.items():
        device = Responder(Recording(file))
        await loop.create_datagram_endpoint(lambda device=device: device, local_addr=(address, 161))  # type: ignore[misc] # mypy infers no type of a lambda's default
    print("ready", flush=True)
    await loop.create_future()


if __name__ == "__main__":
    asyncio.run(serve({address: Path(file) for address, _, file in (word.partition("=") for word in sys.argv[1:])}))
