"""Runs the collector with a stopwatch on each stage of ingest: ``python -m bench.stages FILE run --config …``.

CPU of the thread that a stage runs in, read at its begin and end; no stage calls another. Written to FILE at the end.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.cli import app
from collector.drain import Drain
from collector.ingest import Ingest
from collector.journal import Journal
from collector.pipeline import Pipeline
from collector.state import StateFile
from collector.store.embedded import EmbeddedStore
from collector.watch import Watch

STAGES: dict[str, tuple[tuple[type, str], ...]] = {
    "token": ((StateFile, "agent_of"),),
    "decode, verify": ((Ingest, "_entry"),),
    "journal": ((Journal, "_commit"), (Journal, "_trim")),
    "newest states, points": ((Pipeline, "take"),),
    "alerts": ((Watch, "take"), (Watch, "hear"), (Watch, "tick")),
    "store": ((Drain, "_next"), (EmbeddedStore, "_add"), (EmbeddedStore, "_seal")),
}


def main() -> None:
    told, *arguments = sys.argv[1:]
    taken = dict.fromkeys(STAGES, 0.0)

    def timed(stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def measured(*args: Any, **kwargs: Any) -> Any:
            begin = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                taken[stage] += time.thread_time() - begin

        return measured

    for stage, functions in STAGES.items():
        for owner, name in functions:
            setattr(owner, name, timed(stage, getattr(owner, name)))
    try:
        app(arguments)
    finally:
        Path(told).write_text(json.dumps(taken))


if __name__ == "__main__":
    main()
