"""How full Kea's address pools are, asked over its control socket: ``stat-lease4-get`` of the hook library
libdhcp_stat_cmds (Kea administrator's reference manual, "Statistics Commands")."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any, Final

import msgspec

from checks.errors import ObserverError, from_os_error

_COMMAND: Final = b'{"command": "stat-lease4-get"}'
_MOST_BYTES: Final = 4 << 20
_SUCCESS, _UNSUPPORTED, _EMPTY = 0, 2, 3


@dataclasses.dataclass(frozen=True)
class Pool:
    """The addresses of a subnet: how many there are to give, and how many are leased (declined ones among them)."""

    subnet: int
    total: int
    assigned: int

    @property
    def percent(self) -> float:
        """The part in use; 0 of a subnet without addresses."""
        return 100 * self.assigned / self.total if self.total else 0.0


class _ResultSet(msgspec.Struct):
    columns: list[str]
    rows: list[list[int]]


class _Answer(msgspec.Struct):
    result: int
    text: str = ""
    arguments: dict[str, Any] | None = None


async def fetch(path: str, limit: float) -> bytes:
    """Kea's answer. Raises ObserverError when the socket is not there, is not ours to open, or stays silent for
    ``limit`` s."""
    try:
        async with asyncio.timeout(limit):
            reader, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(_COMMAND)
                await reader.readexactly(_MOST_BYTES)  # Kea hangs up behind its answer
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    except TimeoutError as error:
        raise ObserverError("kea", f"Kea at {path} does not answer within {limit:.3g} s") from error
    except PermissionError as error:
        raise ObserverError(
            "kea", f"Kea's socket {path} may not be opened by this agent: add its user to the socket's group"
        ) from error
    except OSError as error:
        why = "no such socket" if isinstance(error, FileNotFoundError) else from_os_error(error, path).summary
        raise ObserverError("kea", f"Kea at {path} cannot be asked: {why}") from error
    raise ObserverError("kea", f"Kea at {path} said more than {_MOST_BYTES} bytes")


def parse(answer: bytes, path: str) -> tuple[Pool, ...]:
    """The pools in an answer, by subnet. Raises ObserverError, whatever the bytes are."""
    try:
        said = msgspec.json.decode(answer, type=_Answer)
        if said.result == _EMPTY:
            return ()
        if said.result == _UNSUPPORTED:
            raise ObserverError("kea", f"Kea at {path} does not count its leases: load libdhcp_stat_cmds.so into it")
        if said.result != _SUCCESS:
            raise ObserverError("kea", f"Kea at {path} refuses to count its leases: {said.text}")
        found = msgspec.convert((said.arguments or {}).get("result-set"), _ResultSet)
        rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
        pools = [Pool(row["subnet-id"], row["total-addresses"], row["assigned-addresses"]) for row in rows]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ObserverError("kea", f"Kea at {path}: expected the result of stat-lease4-get: {error}") from error
    return tuple(sorted(pools, key=lambda pool: pool.subnet))
