"""STAMP test packets, byte for byte (RFC 8762, sections 4.2 to 4.4; the Session Identifier: RFC 8972, section 3).

A key makes a packet authenticated: of another layout, closed by an HMAC. What must be zero is sent as zero and not
looked at when received. Whatever follows the base packet (padding, the extensions of RFC 8972) is not read.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import struct
from typing import Final

import msgspec

UNAUTHENTICATED_BYTES: Final = 44
AUTHENTICATED_BYTES: Final = 112
_HMAC_BYTES: Final = 16
"""HMAC-SHA-256 truncated to 128 bits, over the six blocks of 16 bytes before it (section 4.4)."""

_SHA256_BLOCK: Final = 64
_COVERED: Final = AUTHENTICATED_BYTES - _HMAC_BYTES

# In the order of the figures: sequence number, timestamp, error estimate, SSID; a reflector's go on with the receive
# timestamp and the sender's sequence number, timestamp, error estimate and TTL. x must be zero.
_SENT: Final = struct.Struct("!IQHH28x")
_SENT_AUTHENTICATED: Final = struct.Struct("!I12xQHH68x")
_SSID_AT: Final = 26
_REFLECTED: Final = struct.Struct("!IQHHQIQH2xB3x")
_REFLECTED_AUTHENTICATED: Final = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")


class PacketError(ValueError):
    """Bytes that are not a test packet."""


class TruncatedError(PacketError):
    """Fewer bytes than the mode's base packet has."""


class ForgedError(PacketError):
    """The HMAC is not that of this key."""


class Sent(msgspec.Struct, frozen=True, gc=False):
    """A Session-Sender's test packet, in the order of its figure. ``timestamp`` and ``error_estimate`` are the fields'
    bits: see :mod:`checks.stamp.timestamp`; ``ssid`` is 0 without a Session Identifier."""

    sequence: int
    timestamp: int
    error_estimate: int
    ssid: int = 0


class Reflected(msgspec.Struct, frozen=True, gc=False):
    """A Session-Reflector's test packet, in the order of its figure: its own fields, when it ``received`` the sender's
    packet, what stood there, and the TTL (hop limit) with which that arrived."""

    sequence: int
    timestamp: int
    error_estimate: int
    ssid: int
    received: int
    sender_sequence: int
    sender_timestamp: int
    sender_error_estimate: int
    sender_ttl: int


def base_bytes(key: bytes) -> int:
    """The length of a packet without anything behind it; 44 without a key, 112 with one."""
    return AUTHENTICATED_BYTES if key else UNAUTHENTICATED_BYTES


def ssid_of(data: bytes) -> int:
    """The Session Identifier where a Session-Sender's authenticated packet has it, before anything is proven; 0 when
    the packet is too short to be one."""
    return int.from_bytes(data[_SSID_AT : _SSID_AT + 2]) if len(data) >= AUTHENTICATED_BYTES else 0


def write_sent(packet: Sent, key: bytes = b"") -> bytes:
    """The bytes of a Session-Sender's packet; authenticated with a key."""
    form = _SENT_AUTHENTICATED if key else _SENT
    return _closed(form.pack(*msgspec.structs.astuple(packet)), key)


def read_sent(data: bytes, key: bytes = b"") -> Sent:
    """The Session-Sender's packet of some bytes. Raises TruncatedError or ForgedError."""
    _examine(data, key)
    return Sent(*(_SENT_AUTHENTICATED if key else _SENT).unpack_from(data))


def write_reflected(packet: Reflected, key: bytes = b"", beyond: bytes = b"") -> bytes:
    """The bytes of a Session-Reflector's packet; authenticated with a key. ``beyond`` follows as it is."""
    form = _REFLECTED_AUTHENTICATED if key else _REFLECTED
    return _closed(form.pack(*msgspec.structs.astuple(packet)), key) + beyond


def read_reflected(data: bytes, key: bytes = b"") -> Reflected:
    """The Session-Reflector's packet of some bytes. Raises TruncatedError or ForgedError."""
    _examine(data, key)
    return Reflected(*(_REFLECTED_AUTHENTICATED if key else _REFLECTED).unpack_from(data))


@functools.lru_cache(16_384)
def _begun(key: bytes) -> tuple[hashlib._Hash, hashlib._Hash]:
    """The inner and the outer hash of a key's HMAC, its padded key taken in (RFC 2104, section 4): a third of the work
    of each packet, done once."""
    padded = (key if len(key) <= _SHA256_BLOCK else hashlib.sha256(key).digest()).ljust(_SHA256_BLOCK, b"\0")
    return hashlib.sha256(padded.translate(hmac.trans_36)), hashlib.sha256(padded.translate(hmac.trans_5C))


def _hmac(key: bytes, covered: bytes) -> bytes:
    begun_inner, begun_outer = _begun(key)
    inner, outer = begun_inner.copy(), begun_outer.copy()
    inner.update(covered)
    outer.update(inner.digest())
    return outer.digest()[:_HMAC_BYTES]


def _closed(base: bytes, key: bytes) -> bytes:
    return base + _hmac(key, base) if key else base


def _examine(data: bytes, key: bytes) -> None:
    expected = base_bytes(key)
    if len(data) < expected:
        raise TruncatedError(f"a test packet of {len(data)} bytes: expected at least {expected}")
    if key and not hmac.compare_digest(_hmac(key, data[:_COVERED]), data[_COVERED:AUTHENTICATED_BYTES]):
        raise ForgedError("a test packet whose HMAC is not that of the key: the keys differ, or it is forged")
