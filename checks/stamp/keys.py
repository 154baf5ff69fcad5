"""Who may beat at a reflector: each agent's Session Identifier, and a key of its own for each session.

Session Identifiers (RFC 8972, section 3) are shared out as ports are: those up to ``LAST_GIVEN`` are given, one to an
agent; a run of the check ``stamp`` takes one of those above at random. So a reflector can take 49,151 agents.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

LAST_GIVEN: Final = 0xBFFF
"""As of ports: those above are for whoever needs one for a while (RFC 6335, section 6)."""


def is_given(ssid: int) -> bool:
    """Whether a Session Identifier is an agent's own."""
    return 0 < ssid <= LAST_GIVEN


def allot(agents: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """A Session Identifier for each agent: the one that it had, else the lowest that is free. Those of agents that are
    gone are free again. Agents beyond the last have none."""
    wanted = list(agents)
    given = {agent: known[agent] for agent in wanted if agent in known}
    taken = set(given.values())
    free = (number for number in range(1, LAST_GIVEN + 1) if number not in taken)
    return given | dict(zip((agent for agent in wanted if agent not in given), free, strict=False))


class Sessions(msgspec.Struct, frozen=True):
    """``ssids`` by agent, and the ``master`` key of 32 random bytes, which never leaves the collector."""

    master: bytes
    ssids: Mapping[str, int]

    def key(self, reflector: str, agent: str) -> str:
        """The key of an agent's session with the reflector at a node, as 64 hexadecimal digits: it opens no other.

        HKDF-Expand with SHA-256 (RFC 5869, section 2.3), one block; the master key is random already.
        """
        info = f"thongsuot stamp\0{reflector}\0{agent}".encode()
        return hmac.digest(self.master, info + b"\x01", "sha256").hex()


NO_SESSIONS: Final = Sessions(b"", {})
