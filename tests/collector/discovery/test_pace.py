from __future__ import annotations

import asyncio
import time

from checks.contract import SystemClock
from collector.discovery.pace import Pace


async def test_turns_come_at_the_rate_whoever_asks_for_them() -> None:
    pace = Pace(200, SystemClock())
    began = time.monotonic()

    await asyncio.gather(*(pace.turn() for _ in range(21)))

    assert time.monotonic() - began >= 20 / 200


async def test_turns_that_were_not_taken_do_not_come_all_at_once() -> None:
    clock = SystemClock()
    pace = Pace(100, clock)
    await pace.turn()
    await asyncio.sleep(0.05)
    began = clock.monotonic()

    for _ in range(3):
        await pace.turn()

    assert clock.monotonic() - began >= 2 / 100
