"""One discovery: sweep, ask who answers, follow whom they hear."""

from __future__ import annotations

import asyncio
import collections
import ipaddress
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from checks.contract import Address, Clock
from checks.snmp.reader import Value
from collector.discovery.credentials import Credential
from collector.discovery.device import Answer, ask, read
from collector.discovery.found import Again, Device, Found, Heard, Host
from collector.discovery.pace import Pace
from collector.discovery.scope import Scope
from collector.discovery.sweep import pingers, sweep

MAX_FOLLOWED: Final = 1000
"""Addresses beyond the prefixes that one run asks: neighbours have neighbours, without end."""


class Manners(msgspec.Struct, frozen=True, kw_only=True):
    """``rate`` is echo requests a second, ``devices`` how many are asked over SNMP at a time, ``follow`` whether
    neighbours beyond the prefixes are asked too."""

    rate: float = 50.0
    devices: int = 16
    follow: bool = False


class Progress(msgspec.Struct):
    """How far it has come: addresses swept, ``unreached`` of them because of a ``trouble`` of this host (the first of
    them), and ``asked`` of ``to_ask`` over SNMP."""

    swept: int = 0
    unreached: int = 0
    trouble: str = ""
    asked: int = 0
    to_ask: int = 0


class Discovery:
    """What was found so far is always whole: it may be ended at any time, by cancelling :meth:`run`. ``tell`` is called
    with each thing found, ``show`` at each step."""

    def __init__(
        self,
        scope: Scope,
        credentials: Sequence[Credential],
        manners: Manners,
        clock: Clock,
        *,
        tell: Callable[[Found], None],
        show: Callable[[Progress], None],
    ) -> None:
        self.progress = Progress()
        self._scope = scope
        self._credentials = credentials
        self._manners = manners
        self._clock = clock
        self._tell = tell
        self._show = show
        self._free = asyncio.Semaphore(manners.devices)
        self._asked: set[str] = set()
        self._devices: dict[tuple[Value, ...], list[Device]] = {}
        self._reading: dict[tuple[Value, ...], asyncio.Lock] = collections.defaultdict(asyncio.Lock)
        self._heard: dict[str, str] = {}
        self._owned: set[str] = set()
        self._beyond = 0

    async def run(self) -> None:
        """Sweeps, asks and follows to the end. Raises ObserverError when this host may not ping."""

        def ended(address: Address, answered: bool, trouble: str) -> None:
            self.progress.swept += 1
            if trouble:
                self.progress.unreached += 1
                self.progress.trouble = self.progress.trouble or trouble
            if answered:
                self._begin(group, address)
            self._show(self.progress)

        async with pingers(self._scope) as by_version, asyncio.TaskGroup() as group:
            await sweep(self._scope, by_version, Pace(self._manners.rate, self._clock), ended)
        while wanted := self._to_follow():
            async with asyncio.TaskGroup() as group:
                for address in wanted:
                    self._begin(group, address, self._heard[str(address)])
        for address, by in self._new():
            self._tell(Heard(str(address), by, "not asked: beyond the prefixes"))

    def _new(self) -> list[tuple[Address, str]]:
        """The addresses heard of, and by whom, that were not asked and are not of a device that was found."""
        return [
            (ipaddress.ip_address(one), by)
            for one, by in self._heard.items()
            if one not in self._asked and one not in self._owned
        ]

    def _to_follow(self) -> list[Address]:
        """Those that may be asked."""
        new = [address for address, _ in self._new()]
        inside = [address for address in new if address in self._scope]
        room = MAX_FOLLOWED - self._beyond if self._manners.follow else 0
        beyond = [address for address in new if address not in self._scope][:room]
        self._beyond += len(beyond)
        return inside + beyond

    def _begin(self, group: asyncio.TaskGroup, address: Address, heard_by: str = "") -> None:
        self._asked.add(str(address))
        self.progress.to_ask += 1
        group.create_task(self._ask(address, heard_by))

    async def _ask(self, address: Address, heard_by: str) -> None:
        async with self._free:
            answer = await ask(address, self._credentials, self._clock)
            if isinstance(answer, Answer):
                async with self._reading[answer.identity]:  # one session at a time, at whichever of its addresses
                    await self._meet(answer)
            else:
                self._tell(Heard(str(address), heard_by, answer) if heard_by else Host(str(address), answer))
        self.progress.asked += 1
        self._show(self.progress)

    async def _meet(self, answer: Answer) -> None:
        known = self._devices.setdefault(answer.identity, [])
        same = next((one for one in known if is_same(one, answer.address, answer.has_engine)), None)
        if same is not None:
            self._tell(Again(answer.address, same.address))
            return
        device = await read(answer, self._clock)
        known.append(device)
        self._owned.update(device.addresses)
        self._heard = dict.fromkeys(device.heard, device.address) | self._heard
        self._tell(device)


def is_same(device: Device, address: str, has_engine: bool) -> bool:
    """Whether a device answered at an address, when what answered there has its identity: if the device has the
    address or, where it does not tell which it has, if the identity names an SNMP engine. New devices of a model may
    have one identity otherwise."""
    return address in device.addresses or (has_engine and not device.addresses)
