"""A process that shows recorded devices, each at an address of its own in 127.0.0.0/8, and counts what it is asked.

    python -m bench.recorded PORT DEVICES FILE...

The files are shown again, in their order, until there are so many devices. Once all are there, each line on standard
input is answered with a line of the totals so far. It ends with its input.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from tests.acceptance import ber
from tests.acceptance.recording import Recording
from tests.acceptance.responder import Responder


class Totals(msgspec.Struct, frozen=True):
    """Requests, and variables in what was answered to them."""

    requests: int
    variables: int


def addresses(devices: int) -> Iterator[str]:
    """Where the devices are; Linux answers on all of 127.0.0.0/8."""
    return (f"127.44.{number // 250}.{number % 250 + 1}" for number in range(devices))


class Shown:
    """The View of a recording. Each variable is encoded once, so that nobody waits long for this process."""

    def __init__(self, recording: Recording) -> None:
        self.variables = 0
        self._get = functools.cache(recording.get)
        self._after = functools.cache(recording.after)

    def get(self, name: ber.Oid) -> bytes:
        self.variables += 1
        return self._get(name)

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        self.variables += 1
        return self._after(name)


async def _serve(port: int, devices: int, files: Sequence[Path]) -> None:
    loop = asyncio.get_running_loop()
    views = [Shown(Recording(file)) for file in files]
    responders = []
    for address, view in zip(addresses(devices), itertools.cycle(views), strict=False):
        make: Callable[[], Responder] = functools.partial(Responder, view)
        _, responder = await loop.create_datagram_endpoint(make, local_addr=(address, port))
        responders.append(responder)

    ended = asyncio.Event()

    def asked() -> None:
        if not sys.stdin.readline():
            ended.set()
            return
        totals = Totals(sum(one.requests for one in responders), sum(view.variables for view in views))
        print(msgspec.json.encode(totals).decode(), flush=True)

    loop.add_reader(sys.stdin.fileno(), asked)
    await ended.wait()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2]), [Path(file) for file in sys.argv[3:]]))
