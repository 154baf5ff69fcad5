"""Recorded devices on real UDP: SNMPv2c, and SNMPv3 with SHA-256 and AES-128 (RFC 3414, 3826, 7860)."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Final, Protocol, cast

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from tests.acceptance import ber

COMMUNITY: Final = b"public"
USER, AUTH_KEY, PRIV_KEY = b"monitor", "authpass123", "privpass123"
MAX_BYTES: Final = 1300
_MAC: Final = 24  # octets of HMAC-SHA-256 that are sent (RFC 7860, 4.2.2)
_UNKNOWN_ENGINE, _NOT_IN_TIME = (1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0), (1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0)


class View(Protocol):
    """What a device shows."""

    def get(self, name: ber.Oid) -> bytes: ...

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]: ...


class Responder(asyncio.DatagramProtocol):
    """One device. ``requests`` counts what it was asked."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.requests = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._engine = b"\x80\x00\x1f\x88\x04" + secrets.token_bytes(8)
        self._auth, self._priv = localized(AUTH_KEY, self._engine), localized(PRIV_KEY, self._engine)[:16]
        self._started = time.monotonic()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.requests += 1
        with contextlib.suppress(ValueError, IndexError):
            answer = self.answer(data)
            if answer is not None and self._transport is not None:
                self._transport.sendto(answer, addr)

    def answer(self, data: bytes) -> bytes | None:
        """The answer to a datagram. Raises ValueError or IndexError when it is not SNMP."""
        _, message, _ = ber.read(data, 0)
        parts = ber.children(message)
        version = ber.number(parts[0][1])
        if version == 3:
            return self._secured(data, message)
        if parts[1][1] != COMMUNITY:
            return None
        pdu = self.respond(*parts[2])
        return ber.tlv(ber.SEQUENCE, ber.integer(version) + ber.tlv(ber.OCTETS, COMMUNITY) + pdu)

    def respond(self, kind: int, pdu: bytes) -> bytes:
        """The response PDU to a request PDU."""
        request, second, third, listed = ber.children(pdu)
        names = [ber.numbers(ber.children(content)[0][1]) for _, content in ber.children(listed[1])]
        if kind == ber.GET:
            found = [self.view.get(name) for name in names]
        elif kind == ber.NEXT:
            found = [self.view.after(name)[1] for name in names]
        else:
            found = self._bulk(names, ber.number(second[1]), ber.number(third[1]))
        return response(ber.number(request[1]), found)

    def _bulk(self, names: Sequence[ber.Oid], once: int, repetitions: int) -> list[bytes]:
        found = [self.view.after(name)[1] for name in names[:once]]
        row, size = list(names[once:]), sum(map(len, found))
        for _ in range(repetitions):
            for column, name in enumerate(row):
                row[column], variable = self.view.after(name)
                found.append(variable)
                size += len(variable)
            if size > MAX_BYTES:
                break
        return found

    def _secured(self, data: bytes, message: bytes) -> bytes | None:
        _, head, parameters, payload = ber.children(message)
        message_id, _, flags, _ = (content for _, content in ber.children(head[1]))
        engine, boots, clock, user, mac, salt = (c for _, c in ber.children(ber.read(parameters[1], 0)[1]))
        if engine != self._engine:
            return self._wrap(message_id, self._report(payload[1], _UNKNOWN_ENGINE), b"", private=False)
        if not flags[0] & 1 or user != USER:
            return None
        if not hmac.compare_digest(mac, self._mac(data.replace(mac, bytes(_MAC), 1))):
            return None
        scoped = payload[1]
        if flags[0] & 2:
            nonce = ber.number(boots).to_bytes(4, "big") + ber.number(clock).to_bytes(4, "big") + salt
            _, scoped, _ = ber.read(_cipher(self._priv, nonce).decryptor().update(scoped), 0)
        if abs(ber.number(clock) - self._now()) > 150 or ber.number(boots) != 1:
            return self._wrap(message_id, self._report(scoped, _NOT_IN_TIME), USER, private=False)
        context, name, pdu = ber.children(scoped)
        answer = ber.tlv(ber.OCTETS, context[1]) + ber.tlv(ber.OCTETS, name[1]) + self.respond(*pdu)
        return self._wrap(message_id, ber.tlv(ber.SEQUENCE, answer), USER, private=bool(flags[0] & 2))

    def _now(self) -> int:
        return int(time.monotonic() - self._started)

    def _report(self, scoped: bytes, counter: ber.Oid) -> bytes:
        variable = ber.tlv(ber.SEQUENCE, ber.oid(counter) + ber.integer(1, 0x41))
        content = b""
        with contextlib.suppress(ValueError, IndexError):
            content = ber.children(scoped)[2][1]
        request = ber.number(ber.children(content)[0][1]) if content else 0
        pdu = response(request, [variable], ber.REPORT)
        return ber.tlv(ber.SEQUENCE, ber.tlv(ber.OCTETS, self._engine) + ber.tlv(ber.OCTETS, b"") + pdu)

    def _wrap(self, message_id: bytes, scoped: bytes, user: bytes, *, private: bool) -> bytes:
        now, salt, flags = self._now(), b"", bool(user) | private << 1
        if private:
            salt = secrets.token_bytes(8)
            nonce = (1).to_bytes(4, "big") + now.to_bytes(4, "big") + salt
            scoped = ber.tlv(ber.OCTETS, _cipher(self._priv, nonce).encryptor().update(scoped))
        head = ber.integer(ber.number(message_id)) + ber.integer(65507) + ber.tlv(ber.OCTETS, bytes((flags,)))
        blank = bytes(_MAC) if user else b""

        def whole(mac: bytes) -> bytes:
            names = b"".join(ber.tlv(ber.OCTETS, part) for part in (user, mac, salt))
            security = ber.tlv(ber.OCTETS, self._engine) + ber.integer(1) + ber.integer(now) + names
            parts = (
                ber.integer(3),
                ber.tlv(ber.SEQUENCE, head + ber.integer(3)),
                ber.tlv(ber.OCTETS, ber.tlv(ber.SEQUENCE, security)),
                scoped,
            )
            return ber.tlv(ber.SEQUENCE, b"".join(parts))

        return whole(self._mac(whole(blank)) if user else blank)

    def _mac(self, message: bytes) -> bytes:
        return hmac.new(self._auth, message, hashlib.sha256).digest()[:_MAC]


def response(request: int, variables: Sequence[bytes], kind: int = ber.RESPONSE, status: int = 0) -> bytes:
    content = ber.integer(request) + ber.integer(status) + ber.integer(0) + ber.tlv(ber.SEQUENCE, b"".join(variables))
    return ber.tlv(kind, content)


def localized(password: str, engine: bytes) -> bytes:
    """The key of a password on an engine (RFC 3414, A.2)."""
    octets = password.encode()
    key = hashlib.sha256((octets * (2**20 // len(octets) + 1))[: 2**20]).digest()
    return hashlib.sha256(key + engine + key).digest()


def _cipher(key: bytes, nonce: bytes) -> Cipher[CFB]:
    return Cipher(AES(key), CFB(nonce))


@contextlib.asynccontextmanager
async def serving(view: View, make: Callable[[View], Responder] = Responder) -> AsyncIterator[tuple[Responder, int]]:
    """A device on a port of loopback, for the length of a ``with``."""
    loop = asyncio.get_running_loop()
    transport, responder = await loop.create_datagram_endpoint(lambda: make(view), local_addr=("127.0.0.1", 0))
    try:
        yield responder, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
