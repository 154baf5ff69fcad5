"""What is known of who could be reached: the newest proofs and failures, by node and observer."""

from __future__ import annotations

import msgspec

from checks.model import Outcome, State

PROBES_TO_BE_SICK = 3
"""An observer that probes this many other nodes and reaches none is the suspect itself."""


class Sight(msgspec.Struct):
    """What one observer last saw of one node. Times in Unix ms by the collector's clock; 0 for never."""

    answered_at: int = 0
    failed_at: int = 0


class Evidence:
    """Live evidence. A node's own agent proves it by beats and by reports; another agent by an answer from it."""

    def __init__(self) -> None:
        self.reported_at: dict[str, int] = {}
        self.beaten_at: dict[str, int] = {}
        self.sights: dict[str, dict[str, Sight]] = {}
        self._probed: dict[str, set[str]] = {}
        self._reached_at: dict[str, int] = {}

    def report(self, agent: str, at: int) -> None:
        """A live report of the node's own agent arrived."""
        self.reported_at[agent] = max(at, self.reported_at.get(agent, 0))

    def beat(self, agent: str, at: int) -> None:
        """A packet of the STAMP session of the node's own agent arrived."""
        self.beaten_at[agent] = max(at, self.beaten_at.get(agent, 0))

    def observe(self, observer: str, node: str, outcome: Outcome, at: int) -> None:
        """An agent measured something of a node. What an agent says of its own node adds nothing to its report."""
        if observer == node:
            return
        sight = self.sights.setdefault(node, {}).setdefault(observer, Sight())
        self._probed.setdefault(observer, set()).add(node)
        if outcome.answered:
            sight.answered_at = max(sight.answered_at, at)
            self._reached_at[observer] = max(at, self._reached_at.get(observer, 0))
        elif outcome.state is State.CRIT:
            sight.failed_at = max(sight.failed_at, at)

    def proven_at(self, node: str) -> int:
        """When traffic last passed between the node and the centre, Unix ms; 0 for never seen."""
        answers = (sight.answered_at for sight in self.sights.get(node, {}).values())
        return max(self.reported_at.get(node, 0), self.beaten_at.get(node, 0), *answers)

    def failing(self, node: str, since: int) -> list[str]:
        """The healthy observers that have failed to reach the node since a time, and not reached it after."""
        return [
            observer
            for observer, sight in self.sights.get(node, {}).items()
            if sight.failed_at >= since and sight.failed_at > sight.answered_at and self.healthy(observer, since)
        ]

    def healthy(self, observer: str, since: int) -> bool:
        """Whether an observer's failures count: it has reported, and reached some of the nodes that it probes."""
        if self.reported_at.get(observer, 0) < since:
            return False
        few = len(self._probed.get(observer, ())) < PROBES_TO_BE_SICK
        return few or self._reached_at.get(observer, 0) >= since

    def set_back(self, lost: int) -> None:
        """The clock was set back by ``lost`` ms: what was seen before is dated by the new time."""
        for times in (self.reported_at, self.beaten_at, self._reached_at):
            for node in times:
                times[node] -= lost
        for sight in (sight for sights in self.sights.values() for sight in sights.values()):
            sight.answered_at -= lost
            sight.failed_at -= lost
