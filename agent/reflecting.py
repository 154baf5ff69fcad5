"""The agent as a reflector of the STAMP packets of the nodes below, where the plan says so."""

from __future__ import annotations

import asyncio
import logging

from checks.contract import host_port
from checks.errors import ObserverError
from checks.model import Reflect
from checks.stamp.keys import is_given
from checks.stamp.life import Life
from checks.stamp.reflector import Reflector, open_reflector

AGAIN_AFTER = 10.0
"""Seconds until another attempt to open the address, which the host may not have yet."""

log = logging.getLogger("agent.reflecting")


class Reflecting:
    """One reflector at most, within the running event loop."""

    def __init__(self) -> None:
        self._wanted: Reflect | None = None
        self._keys: dict[int, bytes] = {}
        self._reflector: Reflector | None = None
        self._opening: asyncio.Task[None] | None = None

    def adopt(self, wanted: Reflect | None) -> None:
        """Takes a new plan. At the same address the sessions go on, by the new keys."""
        before, self._wanted = self._wanted, wanted
        self._keys = {ssid: key.encode() for ssid, key in wanted.keys.items()} if wanted else {}
        if wanted is None or before is None or wanted.listen != before.listen:
            self.close()
            if wanted is not None:
                self._opening = asyncio.create_task(self._open(wanted.listen), name="reflector")

    def close(self) -> None:
        """Ends it."""
        if self._opening is not None:
            self._opening.cancel()
        if self._reflector is not None:
            self._reflector.close()
        self._opening = self._reflector = None

    async def _open(self, address: str) -> None:
        trouble = ""
        while True:
            try:
                self._reflector = open_reflector(*host_port(address), self._key_of, life=Life(_nobody_asks))
            except (OSError, ObserverError) as error:
                if str(error) != trouble:
                    log.error("STAMP packets are not reflected at %s, tried again: %s", address, error)
                trouble = str(error)
                await asyncio.sleep(AGAIN_AFTER)
            else:
                log.info("STAMP packets are reflected at udp %s", address)
                return

    def _key_of(self, _source: str, ssid: int) -> bytes | None:
        return self._keys.get(ssid) if is_given(ssid) else None


def _nobody_asks(_ssid: int) -> None:
    """Whether a child lives the centre decides."""
