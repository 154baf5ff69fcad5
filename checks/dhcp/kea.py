"""How full Kea's pools are, asked over its control socket: ``stat-lease4-get`` and ``stat-lease6-get`` of the hook
library libdhcp_stat_cmds (Kea administrator's reference manual, "Statistics Commands")."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from checks.dhcp.pool import Pool
from checks.errors import ObserverError, from_os_error

Version = Literal[4, 6]

_MOST_BYTES: Final = 4 << 20
_SUCCESS, _UNSUPPORTED, _EMPTY = 0, 2, 3


class _ResultSet(msgspec.Struct):
    columns: list[str]
    rows: list[list[int]]


class _Answer(msgspec.Struct):
    result: int
    text: str = ""
    arguments: dict[str, Any] | None = None


async def read(path: str, version: Version) -> tuple[Pool, ...]:
    """The pools of Kea for DHCPv4 or DHCPv6. Raises ObserverError as :func:`fetch` and :func:`parse`."""
    return parse(await fetch(path, version), path, version)


async def fetch(path: str, version: Version) -> bytes:
    """Kea's answer. Raises ObserverError when the socket is not there or is not ours to open."""
    try:
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(msgspec.json.encode({"command": _command(version)}))
            await reader.readexactly(_MOST_BYTES)  # Kea hangs up behind its answer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
    except asyncio.IncompleteReadError as whole:
        return whole.partial
    except PermissionError as error:
        raise ObserverError(
            "kea", f"Kea's socket {path} may not be opened by this agent: add its user to the socket's group"
        ) from error
    except OSError as error:
        why = "no such socket" if isinstance(error, FileNotFoundError) else from_os_error(error, path).summary
        raise ObserverError("kea", f"Kea at {path} cannot be asked: {why}") from error
    raise ObserverError("kea", f"Kea at {path} said more than {_MOST_BYTES} bytes")


def _command(version: Version) -> str:
    return f"stat-lease{version}-get"


def parse(answer: bytes, path: str, version: Version) -> tuple[Pool, ...]:
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
        pools_of = _pools4 if version == 4 else _pools6
        return tuple(pool for row in sorted(rows, key=lambda row: row["subnet-id"]) for pool in pools_of(row))
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ObserverError("kea", f"Kea at {path}: expected the result of {_command(version)}: {error}") from error


def _pools4(row: Mapping[str, int]) -> list[Pool]:
    """Declined addresses are among the assigned ones."""
    return [Pool(str(row["subnet-id"]), row["total-addresses"], row["assigned-addresses"])]


def _pools6(row: Mapping[str, int]) -> list[Pool]:
    """Addresses (na) and delegated prefixes (pd) of a subnet, as far as it has any. Kea writes -1 for a total beyond 64
    bits: such a pool does not fill."""
    subnet = f"IPv6 {row['subnet-id']}"
    pools = [
        Pool(subnet, row["total-nas"], row["assigned-nas"]),
        Pool(f"{subnet} prefixes", row["total-pds"], row["assigned-pds"], gives="prefixes"),
    ]
    return [pool for pool in pools if pool.total > 0]
