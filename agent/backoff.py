"""How long to wait before the next attempt: exponential, with full jitter, so that a fleet does not return in step."""

from __future__ import annotations

import random


class Backoff:
    """``uniform(0, min(cap, first · 2ⁿ))`` seconds before attempt n + 2 (Brooker, "Exponential Backoff And Jitter")."""

    def __init__(self, chance: random.Random, *, first: float = 0.5, cap: float = 60.0) -> None:
        self._chance = chance
        self._first = first
        self._cap = cap
        self._failures = 0

    def failed(self) -> float:
        """Seconds to wait after one more failure."""
        self._failures = min(self._failures + 1, 32)
        return self._chance.uniform(0, min(self._cap, self._first * 2**self._failures))

    def succeeded(self) -> None:
        """The next failure is the first again."""
        self._failures = 0
