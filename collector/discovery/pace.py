"""Not too fast: turns that come at a rate."""

from __future__ import annotations

import asyncio

from checks.contract import Clock


class Pace:
    """At most so many turns a second, evenly: a burst that was missed is not caught up."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._step = 1 / rate
        self._clock = clock
        self._next = 0.0

    async def turn(self) -> None:
        """Waits for the next turn; in the order of asking."""
        now = self._clock.monotonic()
        at = max(now, self._next)
        self._next = at + self._step
        if at > now:
            await asyncio.sleep(at - now)
