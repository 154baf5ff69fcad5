"""How many bytes a line of a government office has carried: a week's rhythm with noise, as a function of time alone.

The noise is laid over *busy time*, which runs fast in office hours and nearly stands still at night. So the volume has
a closed form, costs the same after a second and after a year, never falls, and is the same for the same seed.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from typing import Final

_WORKING_DAY: Final = (
    *(0.05, 0.04, 0.04, 0.04, 0.04, 0.05, 0.12, 0.45, 0.85, 1.00, 0.95, 0.60),
    *(0.28, 0.55, 0.90, 0.95, 0.75, 0.35, 0.18, 0.14, 0.12, 0.10, 0.08, 0.06),
)
"""Busyness at each full hour, between which it is linear. Offices work from 7:00 to 11:30 and from 13:30 to 17:00."""
_WEEKEND: Final = 0.2
"""The part of a working day's busyness that Saturday and Sunday have."""

_HOUR: Final = 3600.0
_WEEK: Final = 168 * _HOUR
_MONDAY: Final = 4 * 86_400 - 7 * 3600
"""Unix time of Monday, 1970-01-05 00:00 in Asia/Ho_Chi_Minh, which is UTC+7 and has no summer time."""

_KNOTS: Final = tuple(busy * (1 if day < 5 else _WEEKEND) for day in range(7) for busy in _WORKING_DAY)
_NEXT: Final = (*_KNOTS[1:], _KNOTS[0])
_AREA: Final = tuple(itertools.accumulate(((a + b) / 2 * _HOUR for a, b in zip(_KNOTS, _NEXT, strict=True)), initial=0))


def busyness(seconds: float) -> float:
    """How busy offices are at a Unix time: 0.008 in the night of a Sunday, 1 on a working day at 9:00."""
    hour, part = divmod((seconds - _MONDAY) % _WEEK / _HOUR, 1)
    return _KNOTS[int(hour)] * (1 - part) + _NEXT[int(hour)] * part


def busy_time(seconds: float) -> float:
    """The integral of :func:`busyness` over time, in seconds."""
    week, rest = divmod(seconds - _MONDAY, _WEEK)
    hour, part = divmod(rest / _HOUR, 1)
    before, start, slope = _AREA[int(hour)], _KNOTS[int(hour)], _NEXT[int(hour)] - _KNOTS[int(hour)]
    return week * _AREA[-1] + before + (start * part + slope * part * part / 2) * _HOUR


@dataclass(frozen=True, slots=True)
class Wave:
    """A part of the noise: ``height`` is relative to the flow, ``pace`` is radians per busy second,
    ``phase`` radians."""

    height: float
    pace: float
    phase: float


@dataclass(frozen=True, slots=True)
class Flow:
    """What runs one way through a line. ``busy_rate`` is its mean at the busiest hour, in By/s; ``ahead`` is how much
    earlier than the average this place goes to work, in seconds."""

    busy_rate: float
    ahead: float
    waves: tuple[Wave, ...]

    @classmethod
    def noisy(cls, busy_rate: float, chance: random.Random) -> Flow:
        """A flow with noise of its own: from half a minute to over an hour long, at most 0.45 of the mean in sum."""
        waves = tuple(
            Wave(height, math.tau / (period * chance.uniform(0.8, 1.2)), chance.uniform(0, math.tau))
            for height, period in ((0.12, 35.0), (0.12, 170.0), (0.13, 900.0), (0.08, 5000.0))
        )
        return cls(busy_rate, chance.uniform(-1200, 1200), waves)

    def volume(self, seconds: float) -> float:
        """Bytes since some moment before 1970 until a Unix time. Only differences mean anything."""
        busy = busy_time(seconds + self.ahead)
        swing = sum(wave.height / wave.pace * math.sin(wave.pace * busy + wave.phase) for wave in self.waves)
        return self.busy_rate * (busy + swing)

    def rate(self, seconds: float) -> float:
        """By/s at a Unix time: the derivative of :meth:`volume`."""
        at = seconds + self.ahead
        swing = sum(wave.height * math.cos(wave.pace * busy_time(at) + wave.phase) for wave in self.waves)
        return self.busy_rate * busyness(at) * (1 + swing)
