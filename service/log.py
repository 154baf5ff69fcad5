"""A daemon's log: JSON lines under systemd, people's lines on a terminal. Secrets never get this far."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Literal, TextIO

import msgspec

_COLOURS = {"WARNING": "\033[33m", "ERROR": "\033[31m", "CRITICAL": "\033[31;1m"}


class JsonLines(logging.Formatter):
    """One JSON object a line: ``time`` (UTC), ``level``, ``logger``, ``message``, ``node``, and what the call's
    ``extra={"fields": {…}}`` adds."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self._node = node

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "node": self._node,
            "message": record.getMessage(),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return msgspec.json.encode(line, enc_hook=str).decode()


class PeoplesLines(logging.Formatter):
    """``07:05:12 WARNING message``."""

    def __init__(self, *, colour: bool) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        paint = _COLOURS.get(record.levelname) if self._colour else None
        return f"{paint}{text}\033[0m" if paint else text


def set_up(
    node: str,
    level: str,
    style: Literal["auto", "json", "text"],
    environ: Mapping[str, str],
    stream: TextIO | None = None,
) -> None:
    """Points the root logger at a stream (default: stderr)."""
    out = stream or sys.stderr
    as_json = style == "json" or (style == "auto" and "JOURNAL_STREAM" in environ)
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonLines(node) if as_json else PeoplesLines(colour=out.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    # At debug, asyncio tells of every slow callback; what matters of it is a warning.
    logging.getLogger("asyncio").setLevel(logging.WARNING)
