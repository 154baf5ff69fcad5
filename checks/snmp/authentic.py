"""Which answers of SNMPv3 are authentic (RFC 3412, 7.2; RFC 3414, 3.2). gufo-snmp reads any that has the number of the
request, whoever made it, so what it is given has passed here. No I/O."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from checks.snmp import usm
from checks.snmp.message import AUTH, Message, parse
from checks.snmp.reader import Access

TIME_WINDOW: Final = 150
"""Seconds (RFC 3414, 2.2.3)."""

_MAC: Final = {"md5": 12, "sha1": 12, "sha224": 16, "sha256": 24, "sha384": 32, "sha512": 48}
"""Octets of the digest that are sent (RFC 3414, 6 and 7; RFC 7860, 4.2)."""

_UNSIGNED: Final = frozenset((1, 3, 4, 5, 6))
"""What an engine may report without a signature: all but that the time is wrong, which would set our clock."""


class Guard:
    """Follows one session with a device. ``forged`` says whether an answer came that was not authentic."""

    def __init__(self, access: Access) -> None:
        self.forged = False
        self._access = access
        self._asked: Message | None = None
        self._key: tuple[bytes, bytes] = (b"", b"")

    def asked(self, request: bytes) -> None:
        """A request goes out."""
        self._asked = parse(request) if self._access.version == "3" else None

    def admits(self, answer: bytes) -> bool:
        """Whether a datagram may be read as the answer to the last request. Always, where nothing is ever signed: over
        SNMPv1 and v2c, and for a user without ``auth``."""
        if self._asked is None or not self._access.auth:
            return True
        try:
            message = parse(answer)
        except ValueError:
            self.forged = True
            return False
        if message.id != self._asked.id:
            return False  # of an earlier request, that took longer than we waited
        if not self._authentic(answer, message, self._asked):
            self.forged = True
            return False
        return not message.level & AUTH or _is_timely(message, self._asked)

    def _authentic(self, datagram: bytes, message: Message, asked: Message) -> bool:
        if not message.level & AUTH:
            return message.report in _UNSIGNED
        if message.engine != asked.engine or message.user != asked.user:
            return False
        # An answer as safe as the request, or a report: these are not encrypted.
        safe = message.level == asked.level or message.report > 0
        return safe and self._signed(datagram, message)

    def _signed(self, datagram: bytes, message: Message) -> bool:
        size = _MAC[self._access.auth]
        if len(message.mac) != size:
            return False
        end = message.mac_at + size
        blank = datagram[: message.mac_at] + bytes(size) + datagram[end:]
        whole = hmac.digest(self._key_for(message.engine), blank, self._access.auth)
        return hmac.compare_digest(whole[:size], message.mac)

    def _key_for(self, engine: bytes) -> bytes:
        """The user's authentication key on an engine (RFC 3414, 2.6)."""
        if self._key[0] != engine:
            master = usm.master_key(self._access.auth, self._access.auth_key)
            localized = hashlib.new(self._access.auth, master + engine + master).digest()
            self._key = (engine, localized)
        return self._key[1]


def _is_timely(message: Message, asked: Message) -> bool:
    """Whether a signed message is not older than what our request knows of the engine's time (RFC 3414, 3.2, 7b)."""
    return (message.boots, message.time + TIME_WINDOW) >= (asked.boots, asked.time)
