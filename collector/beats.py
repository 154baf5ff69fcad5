"""The agents' STAMP sessions with the collector: who has which, by what key, and which packets are signs of life.

Session Identifiers, the master key and each agent's newest timestamp are kept with the state. So after a restart every
plan is the same, and nothing that was recorded before counts as life.
"""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from typing import Final

import msgspec

from checks.stamp.kept import read, written
from checks.stamp.keys import LAST_GIVEN, Sessions, allot, is_given
from checks.stamp.life import Life
from checks.stamp.reflector import Counters, Reflector, open_reflector
from checks.stamp.timestamp import ntp
from checks.topology import Node, Register
from collector.listener import unusable
from collector.settings import host_and_port
from collector.state import Changes, StateError, StateFile

CLOCK_STEP: Final = 5_000
"""ms that an agent's clock shows less, by its report, than by its packets, to be taken for set back."""

_KIND, _MASTER, _SSIDS, _NEWEST = "stamp", "master", "ssids", "newest"

log = logging.getLogger(__name__)


_decode_ssids = msgspec.msgpack.Decoder(dict[str, int]).decode


class Beats:
    """The sessions, and the reflector while it is open. ``shared`` is the key of those who have no session of their
    own, the check ``stamp`` by hand or in a plan; ``on_beat`` is told of the agent of each sign of life."""

    def __init__(self, state: StateFile, shared: str, on_beat: Callable[[str], None]) -> None:
        self.counters = Counters()
        self._state, self._shared, self._on_beat = state, shared.encode(), on_beat
        kept = state.things(_KIND)
        self._ssids = _decode_ssids(kept[_SSIDS]) if _SSIDS in kept else {}
        self._master = kept.get(_MASTER) or secrets.token_bytes(32)
        if _MASTER not in kept:
            self._save({_MASTER: self._master})
        self._life = Life(self._beat, read(kept[_NEWEST]) if _NEWEST in kept else None)
        self._reflector: Reflector | None = None
        self._agents: dict[int, str] = {}
        self._keys: dict[int, bytes] = {}
        self._root: Node | None = None
        self._listening: str | None = None
        """The setting listen.reflector, once that is known."""
        self._told = ""

    def sessions_for(self, agents: Iterable[str]) -> Sessions:
        """The sessions of these agents, and of no others from now on. One that had a Session Identifier keeps it."""
        wanted = list(agents)
        ssids = allot(wanted, self._ssids)
        if len(ssids) < len(wanted):
            log.error("%d agents are beyond the %d that can have a session", len(wanted) - len(ssids), LAST_GIVEN)
        if ssids != self._ssids:
            for agent in self._ssids.keys() - ssids.keys():
                self._life.forget(self._ssids[agent])
            self._ssids = ssids
            self._save({_SSIDS: msgspec.msgpack.encode(ssids)})
        return Sessions(self._master, ssids)

    def _save(self, things: Mapping[str, bytes]) -> None:
        try:
            self._state.save(Changes(things={(_KIND, key): body for key, body in things.items()}))
        except StateError as error:
            log.error("after a restart agents will need new plans: %s", error)

    def admit(self, register: Register, holders: Set[str]) -> None:
        """Answers those agents of a register that hold a token, and no others."""
        here = register.root if register.root.reflector else None
        known = Sessions(self._master, self._ssids)
        self._agents = {self._ssids[a]: a for a in register.agents if here and a in holders and a in self._ssids}
        self._keys = {n: known.key(register.root.id, agent).encode() for n, agent in self._agents.items()}
        self._root = register.root
        self._tell_disagreement()

    def _tell_disagreement(self) -> None:
        """Says once what is wrong between the topology in force and the settings."""
        if self._root is None or self._listening is None:
            return
        wrong = disagreement(self._root, self._listening)
        if wrong and wrong != self._told:
            log.warning("%s", wrong)
        self._told = wrong

    def _key_of(self, _source: str, ssid: int) -> bytes | None:
        return self._keys.get(ssid) if is_given(ssid) else self._shared

    def _beat(self, ssid: int) -> None:
        self._on_beat(self._agents[ssid])

    def clock_of(self, agent: str, now: int) -> None:
        """An agent's report was sent at ``now``, in Unix ms, by its own clock. When its packets were ahead of that, the
        clock has been set back since, and they must not keep the next ones from being taken."""
        ssid = self._ssids.get(agent, 0)
        if not self._life.is_new(ssid, ntp((now + CLOCK_STEP) * 1_000_000)):
            log.warning("the clock of the agent of %s was set back", agent)
            self._life.set_back(ssid, ntp(now * 1_000_000))

    @property
    def expected(self) -> int:
        """How many agents are answered."""
        return len(self._agents)

    def catch_up(self) -> None:
        """Takes whatever has come: who is about to judge must not take for silence that we were busy."""
        if self._reflector is not None:
            self._reflector.answer_all()

    def kept(self, *, clean: bool = False) -> tuple[tuple[str, str], bytes]:
        """What is to be kept now; ``clean`` when no packet will be taken any more."""
        return (_KIND, _NEWEST), written(self._life.newest, clean=clean)

    @contextlib.contextmanager
    def reflecting(self, address: str) -> Iterator[None]:
        """Reflects at the address of the setting listen.reflector, if it has one. Raises SettingsError."""
        self._listening = address
        self._tell_disagreement()
        if not address:
            yield
            return
        place = host_and_port(address, "listen.reflector")
        try:
            self._reflector = open_reflector(*place, self._key_of, counters=self.counters, life=self._life)
        except OSError as error:
            raise unusable("listen.reflector", address, error) from error
        log.info("STAMP packets are reflected at udp %s", address)
        if not self._shared:
            log.warning("the reflector answers anybody: set a secret named stamp, and it answers only who has it")
        try:
            yield
        finally:
            self._reflector.close()
            self._reflector = None


def disagreement(root: Node, listening: str) -> str:
    """How the root's reflector in the topology and ``listening``, the setting listen.reflector, contradict each other,
    and what to do; empty when they agree."""
    if root.reflector and not listening:
        return (
            f"node {root.id}: reflector: agents send STAMP packets to {root.reflector}, and nobody answers there, for "
            "listen.reflector is empty: every stamp/centre will be CRIT: "
            f'set listen.reflector = "0.0.0.0:{root.reflector.rpartition(":")[2]}", or leave the node\'s reflector out'
        )
    if listening and not root.reflector:
        return (
            f"node {root.id}: no reflector is named, so no agent keeps up a STAMP session, though listen.reflector is "
            f'{listening}: give the node a reflector: "host:port", as agents reach it, or leave the setting empty '
            "unless checks use it"
        )
    return ""
