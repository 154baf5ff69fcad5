"""What the check needs of an SNMP engine, whichever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Final, Literal, Protocol

import msgspec

from checks.contract import Secret

Value = int | float | str | bytes | None
"""An integer of any kind, an OID or IpAddress as text, an OCTET STRING as bytes."""

MAX_ROWS: Final = 10_000
"""Where a walk ends, whatever the device says."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """How to talk to one device. ``timeout`` is seconds for one try; ``retries`` come after the first."""

    host: str
    address: str
    port: int
    version: Literal["1", "2c", "3"]
    community: Secret
    user: str
    auth: str
    auth_key: Secret
    priv: str
    priv_key: Secret
    timeout: float
    retries: int
    max_repetitions: Annotated[int, msgspec.Meta(ge=1)]
    max_varbinds: Annotated[int, msgspec.Meta(ge=1)]

    def __repr__(self) -> str:
        return f"Access({self.where}, SNMPv{self.version})"

    @property
    def where(self) -> str:
        """The device as messages name it."""
        if self.port == 161:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def level(self) -> str:
        """The USM's name of the security level (RFC 3411, 3.4.3)."""
        return "authPriv" if self.priv else "authNoPriv" if self.auth else "noAuthNoPriv"


class SnmpReader(Protocol):
    """Reads objects of one device. Every method raises TargetError or ObserverError, and nothing else, when the
    device does not answer or may not be read."""

    @property
    def counter64(self) -> bool:
        """Whether Counter64 can be read at all: not over SNMPv1 (RFC 2576, 4.1.2.1)."""
        ...

    @property
    def round_trip(self) -> float | None:
        """Seconds between the last request and its answer; None before the first."""
        ...

    @property
    def faults(self) -> frozenset[str]:
        """How the device was seen to break the protocol: ``unsorted`` and ``duplicates`` of OIDs in a walk, ``loop``
        and ``endless`` (more than MAX_ROWS), after which the rest of the column is not known, ``no-getbulk``. And
        ``forged``: answers came that the user's key did not sign (SNMPv3), and were not read."""
        ...

    def begin(self) -> None:
        """A new run: what the device answered before proves nothing any more."""
        ...

    async def end(self) -> None:
        """The run is over: gives back what only a run needs. Another one may begin."""
        ...

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        """The values of instances, in as many requests as it takes. What the device has not is left out."""
        ...

    def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        """(OID, value) of every instance below an OID, each once, in the device's order. Ends at the end of the column,
        where the device begins to repeat itself, and after MAX_ROWS."""
        ...
