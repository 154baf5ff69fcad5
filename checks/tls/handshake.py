"""What a TLS server shows in a handshake. Nothing is judged here, but for OpenSSL's verdict on the chain."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import ssl
import sys
from typing import Any

from checks import tcp
from checks.contract import Context
from checks.errors import CheckError, TargetError
from checks.model import Metric
from checks.net import trust
from checks.tls import staple
from checks.tls.params import TlsParams
from checks.tls.starttls import begin

_DER = 2  # _ssl.ENCODING_DER

# OpenSSL's verify codes (x509_vfy.h). It builds the chain first and looks at its time last, so that the first two say
# that the chain is good but for its time, which is judged by our own clock.
_TIME_CODES = (9, 10)  # CERT_NOT_YET_VALID, CERT_HAS_EXPIRED
_CHAIN_CODES = (2, 18, 19, 20, 21)  # no way from the leaf to a trusted anchor
_WEAK_CODES = (66, 67, 68)  # EE_KEY_TOO_SMALL, CA_KEY_TOO_SMALL, CA_MD_TOO_WEAK
NO_ANCHOR = "no trusted anchor"
"""The problem that the chain itself explains."""
WEAK = "a key or signature is too weak"
"""The problem that the certificates explain."""


@dataclasses.dataclass(frozen=True)
class Handshake:
    """What a server showed: the chain that it ``sent``, in DER, and the one that verification ``used`` (empty when it
    failed, or was not asked). ``problem`` is why OpenSSL does not trust it; empty when it does, or was not asked.
    ``bits`` is the strength of the cipher. ``older`` is a version below the least that the server takes as well.
    ``staple`` is what it staples, in DER, empty for nothing; None when that was not asked, or cannot be."""

    protocol: str
    sent: tuple[bytes, ...]
    used: tuple[bytes, ...] = ()
    problem: str = ""
    cipher: str = ""
    bits: int = 0
    seconds: float = 0.0
    older: str = ""
    staple: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Server:
    """Where a server is, and the ``name`` it is asked for."""

    host: str
    port: int
    name: str


async def fetch(server: Server, params: TlsParams, ctx: Context) -> tuple[tuple[Metric, ...], Handshake]:
    """The times of the connection, and what the server showed: one handshake; a second that trusts anything when the
    first is refused, to see why; one more for each of ``refuse_older`` and ``staple``. Raises CheckError, or OSError
    from below."""
    times, shown = await _shown(server, params, ctx)
    return times, await _asked_more(shown, server, params, ctx)


async def _shown(server: Server, params: TlsParams, ctx: Context) -> tuple[tuple[Metric, ...], Handshake]:
    problem = ""
    if params.verify:
        try:
            return await _connected(server, trust.verifying(params.ca_file, check_hostname=False), params, ctx)
        except ssl.SSLCertVerificationError as error:
            problem = _problem(error)
        except ssl.SSLError as error:
            problem = f"clients of today cannot connect ({error.reason})"
    try:
        times, shown = await _connected(server, trust.accepting(), params, ctx)
    except ssl.SSLError as error:
        clear = error.reason == "WRONG_VERSION_NUMBER"
        why = "what listens there does not speak TLS" if clear else f"TLS failed ({error.reason or error})"
        raise TargetError("tls", f"{server.name}: port {server.port}: {why}", answered=True) from error
    return times, dataclasses.replace(shown, problem=problem)


def _problem(error: ssl.SSLCertVerificationError) -> str:
    if error.verify_code in _TIME_CODES:
        return ""
    if error.verify_code in _WEAK_CODES:
        return WEAK
    return NO_ANCHOR if error.verify_code in _CHAIN_CODES else f"the chain is not valid ({error.verify_message})"


async def _asked_more(shown: Handshake, server: Server, params: TlsParams, ctx: Context) -> Handshake:
    """The same, with what takes a connection of its own. A server that does not go along does not do what was asked."""
    older = trust.accepting_below(params.min_version) if params.refuse_older else None
    with contextlib.suppress(ssl.SSLError, ConnectionError, CheckError):
        if older is not None:
            _, old = await _connected(server, older, params, ctx)
            shown = dataclasses.replace(shown, older=old.protocol)
    with contextlib.suppress(ConnectionError, CheckError):
        if params.staple:
            connected = await _opened(server, params, ctx)
            with connected.sock as sock:
                shown = dataclasses.replace(shown, staple=await staple.ask(sock, server.name))
    return shown


async def _opened(server: Server, params: TlsParams, ctx: Context) -> tcp.Connected:
    """A connection on which TLS may begin."""
    connected = await tcp.connect(ctx, server.host, server.port)
    try:
        if params.starttls:
            await begin(params.starttls, connected.sock, f"{server.name}: port {server.port}")
    except BaseException:
        connected.sock.close()
        raise
    return connected


async def _connected(
    server: Server, context: ssl.SSLContext, params: TlsParams, ctx: Context
) -> tuple[tuple[Metric, ...], Handshake]:
    connected = await _opened(server, params, ctx)
    try:
        shown = await _handshake(connected.sock, context, server.name, ctx)
    except BaseException:
        connected.sock.close()
        raise
    return (*connected.metrics(), Metric("tls.handshake.duration", shown.seconds, "s")), shown


async def _handshake(sock: socket.socket, context: ssl.SSLContext, name: str, ctx: Context) -> Handshake:
    """A handshake over a connected socket, which is closed when it was good."""
    begun = ctx.clock.monotonic()
    _, writer = await asyncio.open_connection(sock=sock, ssl=context, server_hostname=name)
    seconds = ctx.clock.monotonic() - begun
    tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
    cipher, _, bits = tls.cipher() or ("", "", 0)
    used = peer_chain(tls, verified=True) if context.verify_mode is ssl.CERT_REQUIRED else ()
    shown = Handshake(tls.version() or "", peer_chain(tls), used, cipher=cipher, bits=bits, seconds=seconds)
    writer.transport.abort()
    return shown


def peer_chain(tls: ssl.SSLObject, *, verified: bool = False) -> tuple[bytes, ...]:
    """The certificates, in DER, leaf first: as the server sent them, or as verification used them, the trusted anchor
    included. Public from Python 3.13 on; before it, the same call is there on the object beneath."""
    if sys.version_info >= (3, 13):
        return tuple(tls.get_verified_chain() if verified else tls.get_unverified_chain())
    beneath: Any = tls._sslobj  # type: ignore[attr-defined]  # not in the type stubs, being private
    found = (beneath.get_verified_chain() if verified else beneath.get_unverified_chain()) or ()
    return tuple(certificate.public_bytes(_DER) for certificate in found)
