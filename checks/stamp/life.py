"""Which packets are proof that their sender lives now: of each agent, those that are later than all before.

A packet that somebody recorded is authentic for ever, and may come again from any address, long after its session is
forgotten, or to a reflector that has been started anew. So the newest timestamp of each Session Identifier that was
given to an agent is remembered beyond all sessions; whoever owns this keeps it on disk (:mod:`checks.stamp.kept`).

A sender whose clock was set back looks like a recording. Whoever knows better, by what the sender says over another
way, tells :meth:`Life.set_back`; where nobody's life is judged, :meth:`Life.forget_unchanged` bounds how long it lasts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from checks.stamp.keys import is_given
from checks.stamp.timestamp import is_later


class Life:
    """``on_beat`` is told of each sign of life, by its Session Identifier. ``newest`` are 64-bit timestamps, as an
    earlier one left them."""

    def __init__(self, on_beat: Callable[[int], None], newest: Mapping[int, int] | None = None) -> None:
        self.newest = dict(newest or {})
        self._on_beat = on_beat

    def is_new(self, ssid: int, timestamp: int) -> bool:
        """Whether an authentic packet is later than all before of an agent; of nobody in particular, it may be."""
        newest = self.newest.get(ssid)
        return newest is None or is_later(timestamp, newest)

    def take(self, ssid: int, timestamp: int) -> None:
        """Takes an authentic packet that is new."""
        if is_given(ssid):
            self.newest[ssid] = timestamp
            self._on_beat(ssid)

    def set_back(self, ssid: int, timestamp: int) -> None:
        """A sender's clock was set back to this: what it sent before must not keep it from being seen."""
        self.newest[ssid] = timestamp

    def forget(self, ssid: int) -> None:
        """The Session Identifier is another agent's from now on."""
        self.newest.pop(ssid, None)

    def forget_unchanged(self, before: Mapping[int, int]) -> None:
        """Forgets the agents of which nothing later came than what was the newest before."""
        for ssid in [ssid for ssid, newest in self.newest.items() if before.get(ssid) == newest]:
            self.forget(ssid)
