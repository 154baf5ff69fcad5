"""A conversation with a daemon over its control socket, and what becomes of it when there is none."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import grp
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from checks.contract import Context, host_port
from checks.errors import ObserverError, from_os_error
from checks.vpn.tunnel import AbsentError

_SHARE: Final = 0.15
"""The part of a run's time that one reading of a tunnel may take."""


@dataclasses.dataclass(frozen=True)
class Daemon:
    """Who is asked: its ``name``, and where it listens, a Unix socket's path or host:port."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} at {self.address}"

    def trouble(self, why: str) -> ObserverError:
        """The error of a conversation that went wrong."""
        return ObserverError("control", f"{self} {why}")


def limit(ctx: Context) -> float:
    """Seconds that one reading of a tunnel may take."""
    return ctx.timeout * _SHARE


@contextlib.asynccontextmanager
async def dialled(daemon: Daemon, ctx: Context) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a daemon. Raises AbsentError when nobody listens there, ObserverError when it may not be opened,
    or when the daemon hangs up or falls silent."""
    try:
        async with asyncio.timeout(limit(ctx)):
            reader, writer = await _open(daemon, ctx)
            try:
                yield reader, writer
            finally:
                writer.close()
    except TimeoutError as error:
        raise daemon.trouble(
            f"does not answer within {limit(ctx):.3g} s: it hangs, or serves another client"
        ) from error
    except PermissionError as error:
        raise ObserverError(
            "no-permission",
            f"{daemon.name}'s socket {daemon.address} may not be opened by this agent: "
            f"add its user to the socket's group{_group(daemon.address)}",
        ) from error
    except (FileNotFoundError, ConnectionRefusedError) as error:
        raise AbsentError(f"{daemon.name} does not run: nobody listens at {daemon.address}") from error
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionResetError, BrokenPipeError) as error:
        raise daemon.trouble("hangs up in the middle of an answer, or does not end its lines") from error
    except OSError as error:
        raise daemon.trouble(f"cannot be asked: {from_os_error(error, daemon.address).summary}") from error


async def _open(daemon: Daemon, ctx: Context) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if daemon.address.startswith("/"):
        return await asyncio.open_unix_connection(daemon.address)
    host, port = host_port(daemon.address)
    return await asyncio.open_connection(str((await ctx.resolve(host))[0]), port)


def _group(path: str) -> str:
    try:
        return f", {grp.getgrgid(Path(path).stat().st_gid).gr_name}"
    except (OSError, KeyError):
        return ""
