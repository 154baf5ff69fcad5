"""OpenVPN, asked over its management interface (OpenVPN's doc/management-notes.txt): ``state`` and ``status 3``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from checks.contract import Context, Target
from checks.errors import ObserverError
from checks.vpn.control import Daemon, dialled
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import Count, Tunnel, endpoint

_MOST_LINES: Final = 10_000
_PROMPT: Final = b"ENTER PASSWORD:"


async def read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel of the daemon whose management interface is at the target. Raises AbsentError when it does not run,
    ObserverError when it may not be asked, or serves no such client."""
    openvpn = Daemon("OpenVPN", target.address)
    async with dialled(openvpn, ctx) as (reader, writer):
        await _greeted(reader, writer, params.password, openvpn)
        # One at a time: of a second command that arrives with the first it may drop the answer. Before it is connected
        # it may refuse the second.
        state = await _answer(reader, writer, "state", openvpn)
        status = await _answer(reader, writer, "status 3", openvpn) if _connected(state) else []
        writer.write(b"quit\n")
    try:
        return parse(state, status, params.peer, ctx.clock.now() // 1000)
    except (ValueError, KeyError, IndexError) as error:
        raise openvpn.trouble(f"answers unlike OpenVPN 2: {error!r}") from error


async def _greeted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, password: str, openvpn: Daemon) -> None:
    first = await reader.readexactly(1)
    if first == _PROMPT[:1]:
        await reader.readuntil(b":")
        if not password:
            raise ObserverError("bad-password", f"{openvpn} wants a password: set password")
        writer.write(password.encode() + b"\n")
        if await reader.readexactly(1) == _PROMPT[:1]:
            raise ObserverError("bad-password", f"{openvpn} does not take this password")
        await reader.readline()
    await reader.readline()


async def _answer(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: str, openvpn: Daemon
) -> list[str]:
    """The lines of an answer, without its end, and without what OpenVPN tells unasked."""
    writer.write(f"{command}\n".encode())
    lines: list[str] = []
    while len(lines) < _MOST_LINES:
        line = (await reader.readuntil(b"\n")).decode(errors="replace").rstrip()
        if line == "END":
            return lines
        if line.startswith("ERROR:"):
            raise openvpn.trouble(f"refuses {command!r}: {line[6:].strip()}")
        if not line.startswith(">"):
            lines.append(line)
    raise openvpn.trouble(f"says more than {_MOST_LINES} lines to {command!r}")


def _connected(state: Sequence[str]) -> bool:
    return any(line.split(",")[1:2] == ["CONNECTED"] for line in state)


def parse(state: Sequence[str], status: Sequence[str], peer: str, now: int) -> Tunnel:
    """The tunnel of a client, or of a server to one of its clients, at a Unix time in s; without a ``status`` it is not
    connected. Bytes are those on the line: they alone are counted with data channel offload too. Raises ObserverError
    when it is not clear which client is meant, ValueError, KeyError or IndexError when the lines are others."""
    if status and status[0].startswith("TITLE"):
        return _served(status, peer, now)
    since, name, detail, _, host, port, *_ = state[-1].split(",")
    who = endpoint(host, port) if host else "the server"
    if not status:
        return Tunnel(up=False, said=f"OpenVPN is {name}{f' ({detail})' if detail else ''}, not CONNECTED to {who}")
    counted = dict(line.split(",", 1) for line in status if "," in line)
    return Tunnel(
        up=True,
        said=f"OpenVPN is {name} to {who}",
        peer=who,
        age=max(now - int(since), 0),
        keys=since,
        counts={since: Count(int(counted["TCP/UDP read bytes"]), int(counted["TCP/UDP write bytes"]))},
        facts={"peer": who},
    )


def _served(status: Sequence[str], peer: str, now: int) -> Tunnel:
    rows = [line.split("\t") for line in status]
    columns = next(row[2:] for row in rows if row[:2] == ["HEADER", "CLIENT_LIST"])
    clients = [dict(zip(columns, row[1:], strict=True)) for row in rows if row[0] == "CLIENT_LIST"]
    names = [client["Common Name"] for client in clients]
    if not peer and len(clients) > 1:
        raise ObserverError(
            "no-such-tunnel", f"OpenVPN serves several clients: set peer to one of {', '.join(sorted(names))}"
        )
    found = next((client for client in clients if peer in ("", client["Common Name"])), None)
    if found is None:
        return Tunnel(up=False, said=f"OpenVPN serves no client {peer}".rstrip() + ": it is not connected")
    since = found["Connected Since (time_t)"]
    return Tunnel(
        up=True,
        said=f"OpenVPN serves {found['Common Name']} at {found['Real Address']}",
        peer=found["Common Name"],
        age=max(now - int(since), 0),
        keys=since,
        counts={f"{since} {found['Client ID']}": Count(int(found["Bytes Received"]), int(found["Bytes Sent"]))},
        facts={"peer": found["Common Name"], "cipher": found.get("Data Channel Cipher", "")},
    )
