"""How the commands speak to a person: to the terminal, and when nothing can be done."""

from __future__ import annotations

from typing import Final, NoReturn

import typer
from rich.console import Console

out: Final = Console(highlight=False, soft_wrap=True)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Says why, and ends with exit code 1."""
    err.print(message, style="red", markup=False)
    raise typer.Exit(1)
