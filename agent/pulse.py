"""When the next packet of a STAMP session goes, and whether its line is dead: told the time, it answers. Pure.

A packet goes every ``spacing``, at a phase of its own. When nothing has come back for one and a half of that, ten times
as many go: on a line that merely loses packets one of them is answered, and all is as before; on a dead one none is,
and after one more spacing it is called dead. So it takes ten packets at least, whatever the line loses, and the
reflector hears of a living sender within two and a half spacings unless eleven packets in a row are lost on the way.
At a random loss of 5 % each way that is 0.05^11 = 5e-15 for a gap, 2e-9 in an hour of 117 sessions; three misses in a
row at one packet a second would be 0.45 in an hour of a single one.
"""

from __future__ import annotations

import math
from typing import Final

QUICK_AFTER: Final = 1.5
DEAD_AFTER: Final = 2.5
"""In spacings, since something came back."""

QUICKER: Final = 10
ENOUGH: Final = 8
"""Packets in a row that must be unanswered: fewer have gone when the host slept, or was too busy to send."""


class Pulse:
    """One session's. ``spacing`` and all times are seconds of a monotonic clock; ``phase`` is a fraction of a spacing.
    ``dead`` says whether nothing comes back; ``unanswered`` counts the packets since something did."""

    def __init__(self, spacing: float, phase: float, now: float) -> None:
        self.dead = False
        self.unanswered = 0
        self._spacing = spacing
        self._phase = phase
        self._next = self._after(now)
        self._sent_at = -math.inf
        self._heard_at = now

    def _after(self, now: float) -> float:
        """The first place on the grid after a time. Places that were missed are not made up for."""
        place = (math.floor(now / self._spacing - self._phase) + 1 + self._phase) * self._spacing
        return place if place > now else place + self._spacing  # now was that place, but for the last bits

    def heard(self, now: float) -> None:
        """An answer came."""
        self._heard_at = now
        self.unanswered = 0
        self.dead = False

    def wake_at(self) -> float:
        """When to ask :meth:`due` next, unless something is heard before."""
        if self.dead:
            return self._next
        quick = max(self._heard_at + QUICK_AFTER * self._spacing, self._sent_at + self._spacing / QUICKER)
        return min(self._next, quick, self._heard_at + DEAD_AFTER * self._spacing)

    def due(self, now: float) -> bool:
        """Whether a packet is to go now; it is taken to have gone."""
        if not self.dead and now >= self._heard_at + DEAD_AFTER * self._spacing:
            self._give_up(now)
        on_grid = now >= self._next
        if on_grid:
            self._next = self._after(now)
        if on_grid or self._quick(now):
            self._sent_at = now
            self.unanswered += 1
            return True
        return False

    def _give_up(self, now: float) -> None:
        if self.unanswered >= ENOUGH:
            self.dead = True
        else:
            self._heard_at = now - QUICK_AFTER * self._spacing

    def _quick(self, now: float) -> bool:
        quick = not self.dead and now >= self._heard_at + QUICK_AFTER * self._spacing
        return quick and now >= self._sent_at + self._spacing / QUICKER
