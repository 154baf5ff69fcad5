"""What is known of a device's configuration. Frozen values."""

from __future__ import annotations

import msgspec
import zstandard

MOST_TEXT = 8 << 20
"""Bytes that a configuration may unpack to."""


class Version(msgspec.Struct, frozen=True):
    """A configuration as it was first seen at a time (``at``, Unix ms). ``hash`` is the agent's fact ``config``, ``by``
    who changed it, where the device tells, ``agent`` the node whose agent read it. ``body`` is its text in zstd; empty
    as long as it has not arrived. ``again`` marks one that was written down anew, behind a late one."""

    hash: str
    at: int
    by: str
    agent: str
    body: bytes = b""
    again: int = 0

    @property
    def id(self) -> str:
        """Tells it apart from all others of its job."""
        return f"{self.hash} {self.at}" + (f" {self.again}" if self.again else "")

    @property
    def text(self) -> str | None:
        """Its text; None as long as it has not arrived, or when it is none."""
        try:
            if not 0 <= zstandard.frame_content_size(self.body) <= MOST_TEXT:
                return None
            return zstandard.ZstdDecompressor().decompress(self.body).decode(errors="replace")
        except zstandard.ZstdError:
            return None


class Record(msgspec.Struct, frozen=True):
    """All of one job: the version that is approved, by whom and why, decided when (Unix ms); the newest; and those that
    are not in the history yet, in order. ``seen_at`` is the newest measurement."""

    approved: Version
    newest: Version
    approver: str
    why: str
    decided_at: int
    seen_at: int
    pending: tuple[Version, ...] = ()

    @property
    def well(self) -> bool:
        """Whether the configuration is the approved one."""
        return self.newest.hash == self.approved.hash


class Approval(msgspec.Struct, frozen=True):
    """A person approved the version of this hash, at a time (Unix ms)."""

    hash: str
    approver: str
    why: str
    at: int
