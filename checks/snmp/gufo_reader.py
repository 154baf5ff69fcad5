"""SnmpReader over gufo-snmp: BER and USM in Rust, datagrams and their authenticity in :mod:`checks.snmp.session`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from gufo.snmp import SnmpAuthError, SnmpDecodeError, SnmpError

from checks.contract import Clock
from checks.errors import CheckError, ObserverError, TargetError, from_os_error
from checks.snmp import mib, silence, usm
from checks.snmp.message import parse
from checks.snmp.order import Order
from checks.snmp.reader import Access, Value
from checks.snmp.session import Session

T = TypeVar("T")

_TIME_WINDOW: Final = 100.0
"""Seconds without an answer after which the engine's time is asked again: it is good for 150 (RFC 3414, 2.2.3), and
gufo-snmp does not advance it by itself."""


class GufoReader:
    """Reads one device. It may be kept between runs: it then spares the discovery of the engine. After an error it
    must be thrown away, since the error may be its socket's (an address of this host that is gone)."""

    def __init__(self, access: Access, clock: Clock) -> None:
        self.access = access
        self._clock = clock
        self._session: Session | None = None
        self._proven = False
        self._answered = False
        self._forged = False
        self._heard_at = 0.0
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
        return

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        found: dict[str, Value] = {}
        step = self.access.max_varbinds
        for start in range(0, len(oids), step):
            found.update(await self._get(oids[start : start + step]))
        return found

    async def _get(self, oids: Sequence[str], *, split: bool = True) -> dict[str, Value]:
        """One request. Of an answer with nothing in it, gufo-snmp does not tell an error status (tooBig, genErr,
        SNMPv1's noSuchName) from instances that are not there: so ask for less."""

        async def request(session: Session) -> dict[str, Value]:
            started = self._clock.monotonic()
            found = await session.get_many(oids)
            self._round_trip = self._clock.monotonic() - started
            return dict(found)

        found = await self._ask(request)
        if found or len(oids) == 1 or not split:
            return found
        middle = len(oids) // 2
        return {**await self._half(oids[:middle]), **await self._half(oids[middle:])}

    async def _half(self, oids: Sequence[str]) -> dict[str, Value]:
        """Part of a request that was answered with nothing. Asked beside sysUpTime: if that comes, there was no error,
        and what does not come is not there. SNMPv1 has no such answer."""
        if self.access.version != "1":
            found = await self._get([mib.SYS_UP_TIME, *oids], split=False)
            if found:
                return {oid: found[oid] for oid in oids if oid in found}
        return await self._get(oids)

    async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        found = False
        try:
            async for row in self._walk(column, bulk=self._bulk):
                found = True
                yield row
        except TargetError:
            if found or self._bulk_proven or not (self._bulk and self._answered):
                raise
        if found or self._bulk_proven or not self._bulk:
            self._bulk_proven = self._bulk_proven or (found and self._bulk)
            return
        # Nothing is there, or GETBULK is not answered, or with an error, which gufo-snmp does not tell.
        async for row in self._walk(column, bulk=False):
            if self._bulk:
                self._bulk = False
                self._faults.add("no-getbulk")
            yield row

    async def _walk(self, column: str, *, bulk: bool) -> AsyncIterator[tuple[str, Value]]:
        rows: AsyncIterator[tuple[str, Value]] | None = None
        opened: Session | None = None
        order = Order()

        async def next_row(session: Session) -> tuple[str, Value] | None:
            nonlocal rows, opened
            if rows is None or opened is not session:
                if rows is not None:
                    order.resume()
                rows = session.getbulk(column, self.access.max_repetitions) if bulk else session.getnext(column)
                opened = session
            return await anext(rows, None)

        while not order.ended:
            row = await self._ask(next_row)
            if row is None:
                break
            if order.admits(tuple(map(int, row[0].split(".")))):
                yield row
        self._faults |= order.faults

    async def _ask(self, request: Callable[[Session], Awaitable[T]]) -> T:
        """The answer to a request, tried as often as the settings say."""
        try:
            return await self._tries(request)
        except TimeoutError as error:
            raise await self._silence() from error
        except ConnectionRefusedError as error:
            raise TargetError(
                "refused", f"{self.access.where}: port {self.access.port}/udp is closed: no SNMP agent runs there"
            ) from error
        except SnmpDecodeError as error:
            raise TargetError(
                "malformed", f"{self.access.where}: expected an SNMP answer, got something else: {error}", answered=True
            ) from error
        except SnmpError as error:
            raise ObserverError("snmp", f"{self.access.where}: the request could not be made: {error}") from error
        except OSError as error:
            raise from_os_error(error, self.access.where) from error

    async def _tries(self, request: Callable[[Session], Awaitable[T]]) -> T:
        """Raises TimeoutError after the last try.

        A device that was restarted or replaced does not know the engine that our session discovered: net-snmp is
        then silent, others send a report. So over SNMPv3 the next try begins with a discovery.
        """
        self._forged = False
        for left in range(self.access.retries, -1, -1):
            session = self._session or Session(self.access)
            try:
                await self._refresh(session)
                answer = await request(session)
            except TimeoutError:
                if self.access.version == "3":
                    self._session = None
                if not left:
                    raise
            except SnmpAuthError:
                self._answered = True
                if not (self._proven and left):
                    raise usm.refusal(self.access, parse(session.heard).report) from None
                self._session, self._proven = None, False
            else:
                self._heard_at = self._clock.monotonic()
                self._proven = self._answered = True
                return answer
            finally:
                self._forged = self._forged or session.forged
                if session.forged:
                    self._faults.add("forged")
        raise AssertionError("unreachable: the last try returns or raises")

    async def _refresh(self, session: Session) -> None:
        """Has the session know the engine, and its time by now."""
        known = session is self._session
        stale = self._clock.monotonic() - self._heard_at > _TIME_WINDOW
        if self.access.version == "3" and (stale or not known):
            try:
                await session.refresh()
            except TimeoutError:
                # Once the engine has told its id, a silence has another cause than the network: see _silence.
                self._answered = self._answered or (not known and bool(session.get_engine_id()))
                raise
            self._answered = True
            self._heard_at = self._clock.monotonic()
        self._session = session

    async def _silence(self) -> CheckError:
        """Why nothing came, as far as can be known."""
        access = self.access
        if self._forged:
            return silence.only_forged(access)
        if not self._answered:
            return silence.never_answered(access)
        # RFC 3414 lets an agent report what it cannot decrypt; with AES net-snmp is silent instead.
        if access.priv and not self._proven and await self._answers_unencrypted():
            return ObserverError(*usm.wrong_privacy_key(access), answered=True)
        return silence.fell_silent(access)

    async def _answers_unencrypted(self) -> bool:
        """Whether the device takes our authentication when nothing is encrypted, be it to deny the access."""
        session = Session(msgspec.structs.replace(self.access, priv="", priv_key=""))
        try:
            await session.refresh()
            await session.get_many([mib.SYS_UP_TIME])
        except SnmpAuthError:
            return parse(session.heard).report == 0
        except (SnmpError, OSError):
            return False
        return True
