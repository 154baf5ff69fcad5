"""A process that polls devices as the agent does: the check ``snmp`` by the agent's runner.

    python -m bench.polling PARAMS CONCURRENCY TARGET...

PARAMS are the check's, in JSON. Each line on standard input makes it poll all once, and is answered with a line of
what that cost. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import msgspec

from agent.runner import Runner, among
from bench.peers import cpu_of_children, cpu_of_self
from checks.contract import SystemClock
from checks.model import Job
from checks.snmp import CHECK

_DEADLINE = 120.0


class Cost(msgspec.Struct, frozen=True):
    """Of one poll of all devices, in seconds; ``cpu`` with that of child processes. ``failed`` says of each device that
    could not be read why."""

    cpu: float
    wall: float
    failed: tuple[str, ...]


def main(params: str, concurrency: str, targets: Sequence[str]) -> None:
    values = json.loads(params)
    jobs = [Job(at, CHECK.name, "bench", at, 60.0, _DEADLINE, 60.0, values) for at in targets]
    runner = Runner(among({CHECK.name: CHECK}), SystemClock(), concurrency=int(concurrency))

    async def poll() -> tuple[str, ...]:
        outcomes = [measurement.outcome for measurement in await asyncio.gather(*map(runner.run, jobs))]
        return tuple(outcome.summary for outcome in outcomes if not outcome.answered)

    with asyncio.Runner() as loop:
        for _ in sys.stdin:
            began = time.perf_counter()
            with cpu_of_self() as own, cpu_of_children() as children:
                failed = loop.run(poll())
            cost = Cost(own.cpu + children.cpu, time.perf_counter() - began, failed)
            print(msgspec.json.encode(cost).decode(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
