"""Somebody on the way to a device, who answers SNMPv3 in its place: real UDP, forged messages."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final, cast

import msgspec

from tests.acceptance import ber
from tests.acceptance.responder import Responder, View, localized, response

MAC: Final = 24
LIE: Final = b"forged"


class Parts(msgspec.Struct, frozen=True):
    """An SNMPv3 message, taken apart (RFC 3412, 6). ``data`` is msgData as sent, ``plain`` the ScopedPDU in it."""

    id: bytes
    size: bytes
    flags: bytes
    model: bytes
    engine: bytes
    boots: bytes
    time: bytes
    user: bytes
    mac: bytes
    salt: bytes
    data: bytes
    plain: bytes

    def encoded(self) -> bytes:
        head = ber.tlv(2, self.id) + ber.tlv(2, self.size) + ber.tlv(4, self.flags) + ber.tlv(2, self.model)
        security = ber.tlv(4, self.engine) + ber.tlv(2, self.boots) + ber.tlv(2, self.time)
        security += b"".join(ber.tlv(4, octets) for octets in (self.user, self.mac, self.salt))
        content = ber.integer(3) + ber.tlv(ber.SEQUENCE, head) + ber.tlv(4, ber.tlv(ber.SEQUENCE, security)) + self.data
        return ber.tlv(ber.SEQUENCE, content)

    def signed(self, key: bytes) -> bytes:
        blank = msgspec.structs.replace(self, mac=bytes(MAC))
        mac = hmac.new(key, blank.encoded(), hashlib.sha256).digest()[:MAC]
        return msgspec.structs.replace(self, mac=mac).encoded()


def taken_apart(message: bytes, plain: bytes) -> Parts:
    _, head, security, (tag, data) = ber.children(ber.read(message, 0)[1])
    number, size, flags, model = (content for _, content in ber.children(head[1]))
    engine, boots, time, user, mac, salt = (content for _, content in ber.children(ber.read(security[1], 0)[1]))
    return Parts(number, size, flags, model, engine, boots, time, user, mac, salt, ber.tlv(tag, data), plain)


def lying(plain: bytes, kind: int = ber.RESPONSE) -> bytes:
    """A ScopedPDU that answers to the same request with a lie about sysName."""
    context, name, (_, pdu) = ber.children(ber.read(plain, 0)[1])
    variable = ber.tlv(ber.SEQUENCE, ber.oid((1, 3, 6, 1, 2, 1, 1, 5, 0)) + ber.tlv(4, LIE))
    answer = response(ber.number(ber.children(pdu)[0][1]), [variable], kind)
    return ber.tlv(ber.SEQUENCE, ber.tlv(*context) + ber.tlv(*name) + answer)


Forgery = Callable[[Parts, bytes], bytes]
"""From a true message and the user's key on the engine to what is sent in its place."""

_change = msgspec.structs.replace


def _unencrypted(true: Parts, kind: int = ber.RESPONSE) -> Parts:
    return _change(true, mac=b"", salt=b"", data=lying(true.plain, kind))


def _tampered(true: Parts) -> bytes:
    return true.data[:-1] + bytes((true.data[-1] ^ 1,))


def _version_2c(true: Parts) -> bytes:
    pdu = ber.children(ber.read(lying(true.plain), 0)[1])[2]
    return ber.tlv(ber.SEQUENCE, ber.integer(1) + ber.tlv(4, b"public") + ber.tlv(*pdu))


FORGERIES: Final[dict[str, Forgery]] = {
    "without a digest": lambda true, _: _change(true, mac=b"").encoded(),
    "with a digest of zeros": lambda true, _: _change(true, mac=bytes(MAC)).encoded(),
    "with a short digest": lambda true, _: _change(true, mac=true.mac[:1]).encoded(),
    "signed with another key": lambda true, _: true.signed(localized("guessed-by-somebody", true.engine)),
    "changed after it was signed": lambda true, _: _change(true, data=_tampered(true)).encoded(),
    "neither signed nor encrypted": lambda true, _: _change(_unencrypted(true), flags=b"\0").encoded(),
    "signed but not encrypted": lambda true, key: _change(_unencrypted(true), flags=b"\1").signed(key),
    "a report that is data": lambda true, _: _change(_unencrypted(true, ber.REPORT), flags=b"\0").encoded(),
    "of another user": lambda true, key: _change(true, user=b"somebody").signed(key),
    "of another engine": lambda true, key: _change(true, engine=true.engine[:-1] + b"x").signed(key),
    "of SNMPv2c": lambda true, _: _version_2c(true),
    "cut off": lambda true, _: true.encoded()[:60],
}


STALE: Final[dict[str, Forgery]] = {
    "before the device started": lambda true, key: _change(true, boots=b"\0").signed(key),
    "five minutes ago": lambda true, key: _change(true, time=_earlier(true.time)).signed(key),
}


def _earlier(time: bytes) -> bytes:
    return ber.children(ber.integer(ber.number(time) - 300))[0][1]


class Forger(Responder):
    """While there is a ``forgery``, its answers come in place of the device's, or before them."""

    def __init__(self, view: View) -> None:
        super().__init__(view)
        self.forgery: Forgery | None = None
        self.truth_follows = False
        self._started -= 1000
        self._forged: bytes | None = None

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._forged = None
        true = self.answer(data)
        assert self._transport is not None
        if self._forged is not None:
            self._transport.sendto(self._forged, addr)
        if true is not None and (self._forged is None or self.truth_follows):
            self._transport.sendto(true, addr)

    def _wrap(self, message_id: bytes, scoped: bytes, user: bytes, *, private: bool) -> bytes:
        true = super()._wrap(message_id, scoped, user, private=private)
        if self.forgery is not None and private:  # a report is not
            self._forged = self.forgery(taken_apart(true, scoped), self._auth)
        return true


def make(view: View) -> Responder:
    return Forger(view)


def as_forger(responder: Responder) -> Forger:
    return cast(Forger, responder)
