"""What a stateful reflector remembers of its sessions: how far each has counted, and which packets it has seen.

A session is a sender's address, port and Session Identifier. A packet that was seen before is a replay (or a duplicate
that the network made: one cannot tell). A sender that starts anew from the same port counts from 0 again; its
timestamps are then later than any before, which no replay's are, so a new session begins.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from checks.stamp.timestamp import is_later

_WINDOW: Final = 1024
"""Sequence numbers behind the highest that are told apart; older ones count as seen (as RFC 4303, section 3.4.3)."""

_SEEN_BITS: Final = (1 << _WINDOW) - 1


class ReplayedError(Exception):
    """A packet that was seen before."""


class FullError(Exception):
    """A new session, with no room for it."""


class _Session:
    __slots__ = ("highest", "newest", "next", "seen", "used")

    def __init__(self, sequence: int, timestamp: int) -> None:
        self.highest = sequence
        self.newest = timestamp
        self.seen = 1
        """Bit n: the packet n before the highest was seen."""
        self.next = 0
        self.used = 0.0


class SessionTable:
    """At most ``most`` sessions; one is forgotten when nothing came for ``idle`` seconds. One that is in use is never
    given up for a new one, so that a flood of new ones cannot disturb it."""

    def __init__(self, most: int, idle: float) -> None:
        self._most = most
        self._idle = idle
        self._sessions: OrderedDict[Hashable, _Session] = OrderedDict()
        """The least recently used first."""

    def __len__(self) -> int:
        return len(self._sessions)

    def count(self, key: Hashable, sequence: int, timestamp: int, now: float, *, may_begin: bool = True) -> int:
        """The reflector's sequence number for a sender's packet with these 32-bit sequence number and 64-bit
        timestamp, at ``now`` in seconds of a monotonic clock. One that would begin a session and may not is a replay
        too. Raises ReplayedError or FullError."""
        session = self._sessions.get(key)
        if session is None or now - session.used > self._idle or not _take(session, sequence, timestamp):
            if not may_begin:
                raise ReplayedError
            session = self._begin(key, sequence, timestamp, now)
        session.used = now
        self._sessions.move_to_end(key)
        number = session.next
        session.next = number + 1 & 0xFFFF_FFFF
        return number

    def forget(self, now: float) -> None:
        """Drops the sessions that nothing came for."""
        while self._sessions:
            key, session = next(iter(self._sessions.items()))
            if now - session.used <= self._idle:
                return
            del self._sessions[key]

    def _begin(self, key: Hashable, sequence: int, timestamp: int, now: float) -> _Session:
        self.forget(now)
        if key not in self._sessions and len(self._sessions) >= self._most:
            raise FullError
        session = self._sessions[key] = _Session(sequence, timestamp)
        return session


def _take(session: _Session, sequence: int, timestamp: int) -> bool:
    """Marks a packet as seen. False when it begins a new session; raises ReplayedError when it was seen before."""
    later = is_later(timestamp, session.newest)
    ahead = sequence - session.highest
    if ahead > 0:
        session.seen = (session.seen << min(ahead, _WINDOW) | 1) & _SEEN_BITS
        session.highest = sequence
    elif later:
        return False
    elif -ahead >= _WINDOW or session.seen >> -ahead & 1:
        raise ReplayedError
    else:
        session.seen |= 1 << -ahead
    if later:
        session.newest = timestamp
    return True
