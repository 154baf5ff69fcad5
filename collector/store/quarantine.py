"""Points that no store takes: counted, told, and kept where a person can look. Never retried."""

from __future__ import annotations

import logging
from collections import deque
from pathlib import Path

import msgspec

from collector.store.model import Refusal

log = logging.getLogger(__name__)

KEPT = 100
MAX_FILE_BYTES = 16 * 1024 * 1024


class Quarantine:
    """The newest refusals in memory; all, up to 16 MB and once as much again, as JSON lines in ``path``."""

    def __init__(self, path: Path | None = None) -> None:
        self.count = 0
        self.newest: deque[Refusal] = deque(maxlen=KEPT)
        self._path = path

    def add(self, refusals: list[Refusal]) -> None:
        """Takes refusals. A quarantine file that cannot be written is logged: points after it must still flow."""
        if not refusals:
            return
        self.count += len(refusals)
        self.newest.extend(refusals)
        log.warning("%d points refused, the last: %s: %s", len(refusals), refusals[-1].point, refusals[-1].reason)
        if self._path is None:
            return
        try:
            if self._path.exists() and self._path.stat().st_size > MAX_FILE_BYTES:
                self._path.replace(self._path.with_name(self._path.name + ".1"))
            with self._path.open("ab") as file:
                file.write(msgspec.json.Encoder().encode_lines(refusals))
        except OSError as error:
            log.error("cannot keep refused points in %s: %s", self._path, error)
