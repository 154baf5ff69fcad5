"""A tunnel as its daemon or its router shows it at one moment."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Final, Self

from checks.contract import Address
from checks.errors import ObserverError

_MOST_NAMED: Final = 10


@dataclasses.dataclass(frozen=True)
class Count:
    """Bytes of each way, as this end sees them."""

    received: int
    sent: int

    def __add__(self, other: Count) -> Count:
        return Count(self.received + other.received, self.sent + other.sent)


NOTHING: Final = Count(0, 0)


@dataclasses.dataclass(frozen=True)
class Tunnel:
    """``up`` says that keys were agreed upon and are still good, ``said`` how things stand, in words.

    ``known`` is false when nobody could be asked: the daemon does not run. ``peer`` is the other end; ``age`` is the
    seconds since the handshake, or since the SA was made. ``keys`` names the keys in use: another name is a rekey.
    ``counts`` are by what is counted together (an SA, a peer), from 0 when that is new; empty when not told."""

    up: bool
    said: str
    known: bool = True
    peer: str = ""
    age: float | None = None
    keys: str = ""
    counts: Mapping[str, Count] = dataclasses.field(default_factory=dict)
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def unknown(cls, said: str) -> Self:
        """Of a daemon that is not there."""
        return cls(up=False, said=said, known=False)

    @property
    def total(self) -> Count:
        """Of everything that is counted."""
        return sum(self.counts.values(), NOTHING)

    def grown_since(self, before: Tunnel) -> Count | None:
        """What was counted since an earlier reading; None when that cannot be told, since something that was counted is
        gone, or began anew."""
        if not self.counts or not before.counts.keys() <= self.counts.keys():
            return None
        grown = NOTHING
        for name, now in self.counts.items():
            then = before.counts.get(name, NOTHING)
            if now.received < then.received or now.sent < then.sent:
                return None
            grown += Count(now.received - then.received, now.sent - then.sent)
        return grown


class AbsentError(Exception):
    """Nobody is there to be asked of a tunnel. The message says who, and where."""


def no_such(what: str, wanted: str, known: Iterable[str]) -> ObserverError:
    """The error of a name that nothing goes by, with the near match."""
    names = sorted(set(known))
    near = difflib.get_close_matches(wanted, names, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names[:_MOST_NAMED]) or 'none'}"
    return ObserverError("no-such-tunnel", f"{what} {wanted!r}: {hint}")


def endpoint(host: str | Address, port: int | str) -> str:
    """host:port, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
