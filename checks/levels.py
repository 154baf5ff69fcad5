"""A value and a threshold make a state. Once, for every check."""

from __future__ import annotations

import msgspec

from checks.model import State


class Levels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a value starts to be WARN and CRIT, inclusive.

    With warn ≤ crit more is worse (temperature); with warn > crit less is worse (days left). Either may be None.
    ``margin`` is the hysteresis, in the value's unit: a level once entered is left only when the value is better
    than its threshold by more than this, so that a value on the edge does not flap. Alone, ``warn`` or ``crit``
    means "more is worse"; ``below=True`` turns it.
    """

    warn: float | None = None
    crit: float | None = None
    margin: float = 0.0
    below: bool | None = None

    def __post_init__(self) -> None:
        if self.margin < 0:
            raise ValueError("margin must not be negative")
        if self.below is not None and self.warn is not None and self.crit is not None:
            ordered = self.warn >= self.crit if self.below else self.warn <= self.crit
            if not ordered:
                raise ValueError(
                    f"warn {self.warn:g} and crit {self.crit:g} are in the wrong order for below={self.below}"
                )

    @property
    def less_is_worse(self) -> bool:
        """Which way is worse."""
        if self.below is not None:
            return self.below
        return self.warn is not None and self.crit is not None and self.warn > self.crit


def judge(value: float, levels: Levels, previous: State = State.OK) -> State:
    """The state of a value. ``previous`` is the state that the same value had last time, for the hysteresis."""
    sign = -1.0 if levels.less_is_worse else 1.0

    def entered(threshold: float | None, level: State) -> bool:
        if threshold is None:
            return False
        held = previous in (State.WARN, State.CRIT) and previous.rank >= level.rank
        return sign * (value - threshold) >= (-levels.margin if held else 0.0)

    if entered(levels.crit, State.CRIT):
        return State.CRIT
    if entered(levels.warn, State.WARN):
        return State.WARN
    return State.OK
