"""How far a discovery has come, on a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import rich.progress
from rich.console import Console

from collector.discovery.discover import Progress


@contextlib.contextmanager
def bars(console: Console, addresses: int) -> Iterator[Callable[[Progress], None]]:
    """Two bars for the length of a ``with``, gone after it: what was swept, and who was asked over SNMP. Nothing where
    the console is no terminal. Give what it yields the progress."""
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as both:
        echo, snmp = both.add_task("echo", total=addresses), both.add_task("SNMP", total=None)

        def show(progress: Progress) -> None:
            both.update(echo, completed=progress.swept)
            both.update(snmp, completed=progress.asked, total=progress.to_ask)

        yield show
