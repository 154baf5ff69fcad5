"""The OCSP response that a server staples to its handshake (RFC 6066, section 8), as bytes.

Python's ssl can neither ask for one nor show it. So its own ClientHello for TLS 1.2 is sent with the extension added;
up to the CertificateStatus a server answers in clear, and there we hang up. In TLS 1.3 it is encrypted: of a server
that speaks nothing else, nothing is known."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import ssl
from typing import Final

_HANDSHAKE: Final = 22  # a record's type
_SERVER_HELLO_DONE, _CERTIFICATE_STATUS = 14, 22  # a message's
_STATUS_REQUEST: Final = bytes.fromhex("0005 0005 01 0000 0000")  # OCSP, any responder, no extensions
_MOST: Final = 1 << 18


async def ask(sock: socket.socket, name: str) -> bytes | None:
    """The staple that a server sends for a name over a fresh connection: a DER OCSPResponse, empty when it sends none;
    None when it does not speak TLS 1.2. OSError from below."""
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(sock, with_status_request(client_hello(name)))
    heard = b""
    while len(heard) < _MOST:
        data = await loop.sock_recv(sock, 1 << 14)
        if not data:
            return None
        heard += data
        found = stapled(heard)
        if found is not None:
            return found
        if heard[0] != _HANDSHAKE:
            return None
    return None


def client_hello(name: str) -> bytes:
    """OpenSSL's ClientHello of TLS 1.2, as one record."""
    outgoing = ssl.MemoryBIO()
    tls = _context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


@functools.lru_cache(maxsize=1)
def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def with_status_request(record: bytes) -> bytes:
    """A ClientHello (RFC 5246, section 7.4.1.2) with the extension that asks for a staple, after its others."""
    at = 5 + 4 + 2 + 32  # the headers of record and message, the version, the random
    at += 1 + record[at]  # the session's id
    at += 2 + int.from_bytes(record[at : at + 2])  # the ciphers
    at += 1 + record[at]  # the ways of compression
    extensions = record[at + 2 :] + _STATUS_REQUEST
    message = record[9:at] + len(extensions).to_bytes(2) + extensions
    body = record[5:6] + len(message).to_bytes(3) + message
    return record[:3] + len(body).to_bytes(2) + body


def stapled(heard: bytes) -> bytes | None:
    """The staple in what a server has said so far, empty when it has ended without one; None while it is not said."""
    messages = _messages(heard)
    while len(messages) >= 4:
        kind, length = messages[0], int.from_bytes(messages[1:4])
        content, messages = messages[4 : 4 + length], messages[4 + length :]
        if len(content) < length:
            return None
        if kind == _CERTIFICATE_STATUS:
            return content[4:]  # behind its type, and its length
        if kind == _SERVER_HELLO_DONE:
            return b""
    return None


def _messages(heard: bytes) -> bytes:
    """The handshake messages in whole records, up to one of another type."""
    found = b""
    while len(heard) >= 5 and heard[0] == _HANDSHAKE:
        length = int.from_bytes(heard[3:5])
        if len(heard) < 5 + length:
            break
        found += heard[5 : 5 + length]
        heard = heard[5 + length :]
    return found
