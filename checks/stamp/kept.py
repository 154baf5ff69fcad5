"""The newest timestamps of a reflector's sessions, as bytes that outlive the process: so that what somebody recorded
before a restart is no life after it. Whoever owns them writes them every ``KEEP_EVERY`` seconds, and at its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

KEEP_EVERY: Final = 2
"""Seconds between two keepings."""

UNKEPT: Final = KEEP_EVERY + 1
"""Seconds of timestamps that may not have been kept when the process was killed: refused, as if they had come."""


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """The newest timestamps by Session Identifier. ``clean`` when no packet was taken after they were kept."""

    newest: Mapping[int, int] = {}
    clean: bool = True


_decode = msgspec.msgpack.Decoder(_Kept).decode


def written(newest: Mapping[int, int], *, clean: bool) -> bytes:
    """What is to be kept; ``clean`` when no packet will be taken any more."""
    return msgspec.msgpack.encode(_Kept(newest, clean))


def read(body: bytes) -> dict[int, int]:
    """The newest timestamps that may have come. Raises msgspec.DecodeError."""
    kept = _decode(body)
    unkept = 0 if kept.clean else UNKEPT << 32
    return {ssid: (stamp + unkept) % (1 << 64) for ssid, stamp in kept.newest.items()}
