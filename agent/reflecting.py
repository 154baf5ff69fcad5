"""The agent as a reflector of the STAMP packets of the nodes below, where the plan says so.

What it answers proves nobody's life: that the centre judges, by its own reflector and by reports. So what was recorded
is refused here too, also after a restart, but never for good: an agent whose clock was set back looks just like it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from agent.planning import replace_file
from checks.contract import host_port
from checks.errors import ObserverError
from checks.model import Reflect
from checks.stamp.kept import KEEP_EVERY, read, written
from checks.stamp.keys import is_given
from checks.stamp.life import Life
from checks.stamp.reflector import Counters, Reflector, open_reflector

FILE_NAME: Final = "reflected.msgpack"

AGAIN_AFTER = 10.0
"""Seconds until another attempt to open the address, which the host may not have yet."""

PATIENCE = 60.0
"""Seconds without anything later of an agent, at least, after which it may be one whose clock was set back. At most
twice as many: they are counted from one look to the next."""

log = logging.getLogger("agent.reflecting")


class Reflecting:
    """One reflector at most, within the running event loop. The newest timestamps are kept in the file ``path``."""

    def __init__(self, path: Path) -> None:
        self.counters = Counters()
        self._path = path
        self._life = Life(_nobody_asks, _kept_in(path))
        self._writer = ThreadPoolExecutor(1, "reflected")
        """One thread: a write ends before the next begins, also when nobody waits for it any more."""
        self._written, self._trouble = b"", ""
        self._wanted: Reflect | None = None
        self._keys: dict[int, bytes] = {}
        self._reflector: Reflector | None = None
        self._task: asyncio.Task[None] | None = None

    def adopt(self, wanted: Reflect | None) -> None:
        """Takes a new plan. At the same address the sessions go on, by the new keys."""
        before, self._wanted = self._wanted, wanted
        keys = {ssid: key.encode() for ssid, key in wanted.keys.items()} if wanted else {}
        for ssid, key in self._keys.items():
            if keys.get(ssid) != key:  # another agent's now; what was recorded with the old key is forged
                self._life.forget(ssid)
        self._keys = keys
        if wanted is None or before is None or wanted.listen != before.listen:
            self._end()
            if wanted is not None:
                self._task = asyncio.create_task(self._reflect(wanted.listen), name="reflector")

    async def close(self) -> None:
        """Ends it."""
        self._end()
        if self._life.newest:
            await self._keep(clean=True)
        self._writer.shutdown()

    def _end(self) -> None:
        if self._task is not None:
            self._task.cancel()
        if self._reflector is not None:
            self._reflector.close()
        self._task = self._reflector = None

    async def _reflect(self, address: str) -> None:
        self._reflector = await self._opened(address)
        log.info("STAMP packets are reflected at udp %s", address)
        loop = asyncio.get_running_loop()
        before: Mapping[int, int] = {}
        look_at = loop.time()
        while True:
            if loop.time() >= look_at:
                self._life.forget_unchanged(before)
                before, look_at = dict(self._life.newest), loop.time() + PATIENCE
            await asyncio.sleep(min(KEEP_EVERY, PATIENCE))
            await self._keep()

    async def _opened(self, address: str) -> Reflector:
        trouble = ""
        while True:
            try:
                return open_reflector(*host_port(address), self._key_of, counters=self.counters, life=self._life)
            except (OSError, ObserverError) as error:
                if str(error) != trouble:
                    log.error("STAMP packets are not reflected at %s, tried again: %s", address, error)
                trouble = str(error)
            await asyncio.sleep(AGAIN_AFTER)

    async def _keep(self, *, clean: bool = False) -> None:
        """Writes what is not written yet. A failure is logged: packets are answered all the same."""
        body = written(self._life.newest, clean=clean)
        if body == self._written:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, self._replace, body)
        except OSError as error:
            if str(error) != self._trouble:
                log.error("after a restart recorded packets may be answered: %s: %s", self._path, error.strerror)
            self._trouble = str(error)
        else:
            self._written, self._trouble = body, ""

    def _replace(self, body: bytes) -> None:
        # Not synced, every two seconds: the page cache outlives us, and after a power failure little is at stake here.
        replace_file(self._path, body, 0o600, durable=False)

    def _key_of(self, _source: str, ssid: int) -> bytes | None:
        return self._keys.get(ssid) if is_given(ssid) else None


def _kept_in(path: Path) -> dict[int, int]:
    try:
        return read(path.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        log.warning("recorded packets may be answered: %s is not used: %s", path, error)
        return {}


def _nobody_asks(_ssid: int) -> None:
    """Whether a child lives the centre decides."""
