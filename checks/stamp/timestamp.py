"""The two forms of a STAMP timestamp, and the Error Estimate that says which one it is (RFC 8762, section 4.2.1).

Here time is a whole number of nanoseconds since the Unix epoch; on the wire it is one of 64 bits, which begins anew
after 136 years, in 2036 for NTP: whoever reads one says near which time it must be.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

NANOSECONDS: Final = 1_000_000_000
_NTP_EPOCH: Final = 2_208_988_800
"""Seconds from 1900 to 1970 (RFC 5905, figure 4)."""

_TAI_MINUS_UTC: Final = 37
"""Seconds, since 2017-01-01: PTP counts without leap seconds (RFC 8877, section 4.3)."""

_ERA: Final = 1 << 32
_MAX_MULTIPLIER: Final = 255
_MAX_SCALE: Final = 63


class ErrorEstimate(msgspec.Struct, frozen=True):
    """How far a timestamp may be off: ``multiplier`` · 2^(``scale`` - 32) s (RFC 4656, section 4.1.2).

    ``synchronized`` says that the clock follows an outer source of UTC; ``ptp`` that the timestamp is of PTP's form
    and not NTP's (RFC 8186, section 2.3).
    """

    multiplier: int = 1
    scale: int = 0
    synchronized: bool = False
    ptp: bool = False

    @property
    def seconds(self) -> float:
        """The estimate in seconds."""
        return math.ldexp(self.multiplier, self.scale - 32)

    @property
    def packed(self) -> int:
        """The field's 16 bits: S, Z, scale of 6, multiplier of 8."""
        return self.synchronized << 15 | self.ptp << 14 | self.scale << 8 | self.multiplier


def error_estimate(packed: int) -> ErrorEstimate:
    """The Error Estimate of a field's 16 bits."""
    return ErrorEstimate(packed & 0xFF, packed >> 8 & 0x3F, bool(packed & 0x8000), bool(packed & 0x4000))


def estimate_of(seconds: float, *, synchronized: bool = False, ptp: bool = False) -> ErrorEstimate:
    """The closest Error Estimate that is not below ``seconds``; never zero, which would be invalid."""
    units = math.ldexp(min(seconds, 2.0**40), 32)
    for scale in range(_MAX_SCALE + 1):
        multiplier = max(1, math.ceil(math.ldexp(units, -scale)))
        if multiplier <= _MAX_MULTIPLIER:
            return ErrorEstimate(multiplier, scale, synchronized, ptp)
    return ErrorEstimate(_MAX_MULTIPLIER, _MAX_SCALE, synchronized, ptp)


def ntp(unix: int) -> int:
    """A time as NTP's 32 bits of seconds since 1900 and 32 of their fraction (RFC 5905, section 6)."""
    seconds, rest = divmod(unix, NANOSECONDS)
    return ((seconds + _NTP_EPOCH) % _ERA) << 32 | (rest << 32) // NANOSECONDS


def ptp(unix: int) -> int:
    """A time as PTP's 32 bits of seconds and 32 of nanoseconds (IEEE 1588-2008; RFC 8877, section 4.3)."""
    seconds, rest = divmod(unix, NANOSECONDS)
    return ((seconds + _TAI_MINUS_UTC) % _ERA) << 32 | rest


def is_later(stamp: int, than: int) -> bool:
    """Whether a 64-bit timestamp is later than another of the same form: by less than half an era, 68 years."""
    return 0 < (stamp - than) % (1 << 64) < 1 << 63


def unix_of(stamp: int, packed: int, near: int) -> int:
    """The time of a 64-bit timestamp with this Error Estimate field, of the era that is closest to ``near``."""
    seconds, rest = stamp >> 32, stamp & 0xFFFF_FFFF
    if packed & 0x4000:
        time = (seconds - _TAI_MINUS_UTC) * NANOSECONDS + rest
    else:
        time = (seconds - _NTP_EPOCH) * NANOSECONDS + (rest * NANOSECONDS + (1 << 31) >> 32)
    era = _ERA * NANOSECONDS
    return time + (near - time + era // 2) // era * era
