"""What is said in clear before TLS begins, by protocol. Each ends right after the server's consent, with not a byte of
what follows taken."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Literal

from checks.errors import TargetError

Protocol = Literal["", "ftp", "imap", "ldap", "pop3", "postgres", "smtp"]

PORTS: Final[Mapping[Protocol, int]] = {
    "": 443,
    "ftp": 21,
    "imap": 143,
    "ldap": 389,
    "pop3": 110,
    "postgres": 5432,
    "smtp": 25,
}
"""The port of each, where a target names none."""

_MOST = 1 << 16
"""Bytes that a server may say before TLS."""


class _RefusedError(Exception):
    """The server does not consent; says what it said."""


class _Talk:
    """A conversation in clear over a connected non-blocking socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._heard = b""
        self._taken = 0

    @property
    def rest(self) -> bytes:
        """What was heard and not asked for."""
        return self._heard

    async def say(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._sock, data)

    async def line(self) -> str:
        """The next line, without its end."""
        while b"\n" not in self._heard:
            await self._hear()
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    async def exactly(self, count: int) -> bytes:
        while len(self._heard) < count:
            await self._hear()
        data, self._heard = self._heard[:count], self._heard[count:]
        return data

    async def _hear(self) -> None:
        data = await asyncio.get_running_loop().sock_recv(self._sock, 4096)
        if not data:
            raise _RefusedError(f"it hangs up after {self._heard[:80]!r}" if self._heard else "it hangs up")
        self._taken += len(data)
        if self._taken > _MOST:
            raise _RefusedError(f"it says more than {_MOST} bytes")
        self._heard += data

    async def reply(self, expected: str) -> None:
        """A reply of SMTP or FTP, of one line or several (RFC 5321, section 4.2.1), that must have this code."""
        while (line := await self.line())[3:4] == "-" or not line[:3].isdigit():
            pass
        _expect(line, expected)

    @property
    def own_address(self) -> str:
        """This end's address, as EHLO writes it (RFC 5321, section 4.1.3)."""
        address = ipaddress.ip_address(self._sock.getsockname()[0].partition("%")[0])
        return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _expect(line: str, start: str) -> None:
    if not line.startswith(start):
        raise _RefusedError(f"it says {line[:80]!r}")


async def _smtp(talk: _Talk) -> None:
    """RFC 3207."""
    await talk.reply("220")
    await talk.say(f"EHLO {talk.own_address}\r\n".encode())
    await talk.reply("250")
    await talk.say(b"STARTTLS\r\n")
    await talk.reply("220")


async def _ftp(talk: _Talk) -> None:
    """RFC 4217."""
    await talk.reply("220")
    await talk.say(b"AUTH TLS\r\n")
    await talk.reply("234")


async def _imap(talk: _Talk) -> None:
    """RFC 9051, section 6.2.1. Untagged lines may come before the tagged answer."""
    _expect(await talk.line(), "* OK")
    await talk.say(b"a1 STARTTLS\r\n")
    while (line := await talk.line()).startswith("* "):
        pass
    _expect(line, "a1 OK")


async def _pop3(talk: _Talk) -> None:
    """RFC 2595, section 4."""
    _expect(await talk.line(), "+OK")
    await talk.say(b"STLS\r\n")
    _expect(await talk.line(), "+OK")


_LDAP_OID = b"1.3.6.1.4.1.1466.20037"
# LDAPMessage { messageID 1, ExtendedRequest [APPLICATION 23] { requestName [0] } }
_LDAP_REQUEST = (
    b"\x30" + bytes((7 + len(_LDAP_OID),)) + b"\x02\x01\x01"
    b"\x77" + bytes((2 + len(_LDAP_OID),)) + b"\x80" + bytes((len(_LDAP_OID),)) + _LDAP_OID
)  # fmt: skip


async def _ldap(talk: _Talk) -> None:
    """RFC 4511, section 4.14."""
    await talk.say(_LDAP_REQUEST)
    message = await _element(talk, 0x30)
    # messageID 1, then ExtendedResponse [APPLICATION 24], whose first element is the resultCode, an ENUMERATED of one
    # byte; their lengths may be written long.
    at = message.find(b"\x0a\x01")
    if not message.startswith(b"\x02\x01\x01\x78") or at < 0:
        raise _RefusedError(f"it says {message[:40].hex()}, which is no answer of LDAP to StartTLS")
    if message[at + 2]:
        raise _RefusedError(f"its LDAP resultCode is {message[at + 2]}")


async def _element(talk: _Talk, tag: int) -> bytes:
    """The content of the next BER element, which must have this tag."""
    found, length = await talk.exactly(2)
    if found != tag:
        raise _RefusedError(f"it begins with byte {found:#04x} where {tag:#04x} was expected")
    if length & 0x80:
        length = int.from_bytes(await talk.exactly(length & 0x7F))
    if length > _MOST:
        raise _RefusedError(f"it announces {length} bytes")
    return await talk.exactly(length)


async def _postgres(talk: _Talk) -> None:
    """SSLRequest of the PostgreSQL frontend/backend protocol (Message Formats)."""
    await talk.say(b"\x00\x00\x00\x08\x04\xd2\x16\x2f")
    answer = await talk.exactly(1)
    if answer != b"S":
        raise _RefusedError("it has TLS switched off" if answer == b"N" else f"it says {answer!r}")


_DIALOGUES: Final[Mapping[Protocol, Callable[[_Talk], Awaitable[None]]]] = {
    "ftp": _ftp,
    "imap": _imap,
    "ldap": _ldap,
    "pop3": _pop3,
    "postgres": _postgres,
    "smtp": _smtp,
}


async def begin(protocol: Protocol, sock: socket.socket, place: str) -> None:
    """Brings a fresh connection to where TLS begins. Raises TargetError that names the ``place`` when the server does
    not consent, or sends in clear what a client would take for its answer under TLS (CVE-2011-0411); OSError from
    below."""
    talk = _Talk(sock)
    try:
        await _DIALOGUES[protocol](talk)
        if talk.rest:
            raise _RefusedError(f"it says {talk.rest[:80]!r} in clear after it agreed to TLS")
    except _RefusedError as refused:
        text = f"{place}: TLS cannot be begun by {protocol.upper()}: {refused}"
        raise TargetError("starttls", text, answered=True) from refused
