"""SnmpReader over pysnmp, which forgives what gufo-snmp does not: for odd devices. It takes 45 MB that the daemon must
not keep, so it lives in a child process for the length of a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from checks.child import script
from checks.contract import Clock
from checks.errors import CheckError, ObserverError, TargetError
from checks.snmp import mib, silence, usm
from checks.snmp.conversation import Conversation
from checks.snmp.order import Order
from checks.snmp.reader import Access, Value

_FILE: Final = Path(__file__).with_name("pysnmp_child.py")  # not imported: that would bring its needs into this process

_REPORTS: Final = {
    "UnsupportedSecurityLevel": 1,
    "NotInTimeWindow": 2,
    "UnknownUserName": 3,
    "UnknownSecurityName": 3,
    "UnknownEngineID": 4,
    "WrongDigest": 5,
    "AuthenticationFailure": 5,
    "DecryptionError": 6,
}
"""pysnmp's name of an error → the usmStats counter that the device reported (RFC 3414, 5)."""

_NO_ACCESS: Final = 16
"""authorizationError (RFC 3416, 3)."""


class _Octets(msgspec.Struct):
    hex: str


class _Reply(msgspec.Struct):
    """See ``pysnmp_child.Reply``."""

    rows: list[tuple[str, int | str | _Octets]] = []
    status: int = 0
    ended: bool = False
    failed: str = ""
    about: str = ""
    missing: str = ""
    bug: str = ""


class PysnmpReader:
    """Reads one device."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access = access
        self._clock = clock
        self._conversation = Conversation(script(_FILE), _session(access))
        self._answered = False
        self._proven = False
        self._round_trip: float | None = None
        self._bulk = access.version != "1"
        self._bulk_proven = False
        self._faults: set[str] = set()

    @property
    def faults(self) -> frozenset[str]:
        return frozenset(self._faults)

    @property
    def counter64(self) -> bool:
        return self.access.version != "1"

    @property
    def round_trip(self) -> float | None:
        return self._round_trip

    def begin(self) -> None:
        self._answered = False

    async def end(self) -> None:
        await self._conversation.close()

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        step = self.access.max_varbinds
        for start in range(0, len(oids), step):
            found.update(await self._get(oids[start : start + step]))
        return found

    async def _get(self, oids: Sequence[str]) -> dict[str, Value]:
        """One request, or where that is answered with an error (tooBig, SNMPv1's noSuchName) two for half as much."""
        started = self._clock.monotonic()
        reply = await self._ask("get", oids)
        self._round_trip = self._clock.monotonic() - started
        if not reply.status or len(oids) == 1:
            return dict(_values(reply))
        middle = len(oids) // 2
        return {**await self._get(oids[:middle]), **await self._get(oids[middle:])}

    async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        order = Order()
        after, inside = column, f"{column}."
        while not order.ended:
            reply = await self._following(after)
            for oid, value in _values(reply):
                if not oid.startswith(inside):
                    order.ended = True
                if order.ended:
                    break
                if order.admits(tuple(map(int, oid.split(".")))):
                    yield oid, value
                after = oid
            if reply.ended or not reply.rows:
                break
        self._faults |= order.faults

    async def _following(self, oid: str) -> _Reply:
        """The rows after an OID: many by GETBULK, or one where the device does not know that."""
        if not self._bulk:
            return await self._ask("next", [oid])
        try:
            reply = await self._ask("bulk", [oid])
        except TargetError:
            if self._bulk_proven or not self._answered:
                raise
            reply = _Reply()
        if reply.rows or reply.ended or self._bulk_proven:
            self._bulk_proven = True
            return reply
        one = await self._ask("next", [oid])
        if one.rows:
            self._bulk = False
            self._faults.add("no-getbulk")
        return one

    async def _ask(self, kind: str, oids: Sequence[str]) -> _Reply:
        """The answer to a request, tried as often as the settings say."""
        question = {"kind": kind, "oids": oids, "repetitions": self.access.max_repetitions}
        said = await self._conversation.ask(question)
        reply = msgspec.json.decode(said, type=_Reply)
        if reply.missing:
            raise ObserverError(
                "not-installed",
                f"{self.access.where}: the engine pysnmp needs {reply.missing}: "
                "install thongsuot[probes] on the agent's host",
            )
        if reply.bug:
            raise ObserverError("bug", f"bug in the engine pysnmp: {reply.bug.strip().splitlines()[-1]}")
        if reply.failed == "RequestTimedOut":
            raise await self._silence()
        if reply.failed in _REPORTS or reply.status == _NO_ACCESS:
            self._answered = True
            raise usm.refusal(self.access, _REPORTS.get(reply.failed, 0))
        if reply.failed:
            raise TargetError(
                "malformed", f"{self.access.where}: expected an SNMP answer, got something else: {reply.about}"
            )
        self._answered = self._proven = True
        return reply

    async def _silence(self) -> CheckError:
        access = self.access
        if self._answered:
            return silence.fell_silent(access)
        if access.priv and not self._proven and await self._answers_unencrypted():
            return ObserverError(*usm.wrong_privacy_key(access), answered=True)
        return silence.never_answered(access)

    async def _answers_unencrypted(self) -> bool:
        """Whether the device takes our authentication when nothing is encrypted, be it to deny the access."""
        plain = PysnmpReader(msgspec.structs.replace(self.access, priv="", priv_key=""), self._clock)
        try:
            await plain.get([mib.SYS_UP_TIME])
        except CheckError as error:
            return error.reason == "access-denied"
        finally:
            await plain.end()
        return True


def _values(reply: _Reply) -> list[tuple[str, Value]]:
    return [(oid, bytes.fromhex(value.hex) if isinstance(value, _Octets) else value) for oid, value in reply.rows]


def _session(access: Access) -> dict[str, Any]:
    """What the child is told: see ``pysnmp_child.Session``."""
    names = {"auth": usm.PYSNMP_AUTH.get(access.auth, ""), "priv": usm.PYSNMP_PRIV.get(access.priv, "")}
    return msgspec.structs.asdict(access) | names
