"""The arithmetic of a run: what was sent and what came back, to loss, round trips, jitter and the clocks' offset.

A stateful reflector numbers what it sends, from 0 in each session. So its numbers tell how many packets reached it, and
loss has a direction. A stateless one repeats the sender's numbers: there only the loss of the round trip is known.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

_JITTER_GAIN = 1 / 16
"""RFC 3550, section 6.4.1."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A packet that came back. Times are Unix ns: sent and returned by the sender's clock, received and reflected by
    the reflector's (T1, T4; T2, T3). ``ttl`` is what the sender's packet arrived with; 0 when not known."""

    sequence: int
    reflector_sequence: int
    sent: int
    received: int
    reflected: int
    returned: int
    ttl: int = 0

    @property
    def round_trip(self) -> int:
        """In ns, without the time that the reflector held the packet; unless its clock jumped meanwhile."""
        whole = self.returned - self.sent
        held = self.reflected - self.received
        return whole - held if 0 <= held <= whole else whole

    @property
    def offset(self) -> float:
        """The reflector's clock less the sender's in ns, as if both ways took as long (RFC 5905, section 8)."""
        return (self.received - self.sent + self.reflected - self.returned) / 2


class Mark(NamedTuple):
    """A packet that came back before a run began, by the numbers that it had there and back: from it the reflector's
    count goes on."""

    sequence: int
    reflector_sequence: int


BEGIN = Mark(-1, -1)
"""Of a run that its session begins with."""


class Loss(msgspec.Struct, frozen=True):
    """So many lost of so many."""

    lost: int
    of: int

    @property
    def percent(self) -> float:
        """In %."""
        return 100 * self.lost / self.of if self.of else 0.0


class Summary(msgspec.Struct, frozen=True):
    """A run in numbers. Times are seconds.

    ``forward`` and ``backward`` are None when the direction cannot be told. Both leave out what was sent after the
    last packet that came back: there nothing tells them apart, so it counts in ``loss`` alone, and in the directions of
    the next run of the session. ``round_trips`` are in
    ascending order. ``offset`` is the reflector's clock less ours, of the fastest round trip; half of that is its
    ``uncertainty``, whatever the two ways took. ``reordered`` are those that came after a later one (RFC 4737).
    """

    loss: Loss
    forward: Loss | None
    backward: Loss | None
    round_trips: tuple[float, ...]
    jitter_forward: float | None
    jitter_backward: float | None
    offset: float | None
    uncertainty: float | None
    duplicates: int
    reordered: int


def summarise(sent: int, replies: Sequence[Reply], *, stateful: bool, first: int = 0, since: Mark = BEGIN) -> Summary:
    """The numbers of a run of ``sent`` packets from number ``first`` on, from the replies in the order of their
    arrival. ``since`` is the last packet before them that came back."""
    by_number: dict[int, Reply] = {}
    for reply in replies:
        by_number.setdefault(reply.sequence, reply)
    kept = list(by_number.values())
    fastest = min(kept, key=lambda reply: reply.round_trip, default=None)
    known = stateful and bool(kept)
    forward, backward = _directions(first + sent - since.sequence - 1, replies, since) if known else (None, None)
    return Summary(
        loss=Loss(sent - len(kept), sent),
        forward=forward,
        backward=backward,
        round_trips=tuple(sorted(reply.round_trip / 1e9 for reply in kept)),
        jitter_forward=jitter((reply.sent, reply.received) for reply in sorted(kept, key=lambda one: one.received)),
        jitter_backward=jitter((reply.reflected, reply.returned) for reply in kept),
        offset=fastest.offset / 1e9 if fastest else None,
        uncertainty=fastest.round_trip / 2e9 if fastest else None,
        duplicates=len(replies) - len(kept),
        reordered=_reordered(reply.sequence for reply in kept),
    )


def _directions(sent: int, replies: Sequence[Reply], since: Mark) -> tuple[Loss | None, Loss | None]:
    """Loss there and back of the ``sent`` packets after a mark, up to the last that is known to have arrived. None when
    the reflector's numbers are not those of one session that began with ours."""
    owner: dict[int, int] = {}
    for reply in replies:
        number = reply.reflector_sequence - since.reflector_sequence - 1
        ours = reply.sequence - since.sequence - 1
        if number < 0 or owner.setdefault(number, ours) != ours:
            return None, None  # it counts from 0 again, or one number for two packets: the reflector began anew
    reflected = max(owner) + 1
    repeated = len(owner) - len(set(owner.values()))  # a reflector that answers duplicates counts them too
    arrived = reflected - repeated
    known = max(max(owner.values()) + 1, arrived)
    if known > sent:
        return None, None  # it counted before we began
    return Loss(known - arrived, known), Loss(reflected - len(owner), reflected)


def jitter(transits: Iterable[tuple[int, int]]) -> float | None:
    """Interarrival jitter in seconds of (sent, received) times in ns, in the order received (RFC 3550, section
    6.4.1); None of fewer than two. It starts at 0 and takes a sixteenth of each difference, so a short run shows less
    than a long one."""
    estimate: float | None = None
    for before, after in itertools.pairwise(transits):
        difference = abs((after[1] - before[1]) - (after[0] - before[0])) / 1e9
        estimate = (estimate or 0.0) + (difference - (estimate or 0.0)) * _JITTER_GAIN
    return estimate


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The smallest of the ascending values that so many per cent do not exceed (nearest rank). Raises IndexError of
    none."""
    return ordered[max(math.ceil(len(ordered) * percent / 100) - 1, 0)]


def _reordered(sequences: Iterable[int]) -> int:
    highest = -1
    late = 0
    for sequence in sequences:
        late += sequence < highest
        highest = max(highest, sequence)
    return late
