"""What must be known of a kind of device to back it up. Inert data; the vendors' files fill it in."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

from checks.config.session import Dialogue

MASK: Final = "<secret hidden>"
"""Stands where a secret stood."""
PAGER: Final = (r"-- ?[Mm]ore ?--|--\(more[^)]*\)--|<--- More --->|^\s*:\s*$|lines \d+-\d+", " ")
"""A pager waits: the space bar shows the next page."""


@dataclasses.dataclass(frozen=True)
class About:
    """What else to ask, for what a backup should say of the device: ``ways`` as for the configuration, and the
    ``lines`` of the answer to keep, each a pattern and how it is written down (``re.Match.expand``)."""

    ways: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Platform:
    """A kind of device.

    ``config`` are ways to ask for the running configuration; the first that is not ``refused`` counts.

    Patterns look at all lines at once (``^`` and ``$`` are a line's). ``joined`` is what breaks a long line in two.
    ``drop`` are lines that change by themselves; ``aside`` are lines that are kept, but whose change is none of the
    configuration's. The groups of ``secrets`` are masked, as are those of the second pattern of ``secrets_in`` within
    what the first finds. The first of ``changed_by`` that is found tells who changed the configuration last.
    ``comment`` begins a comment.
    """

    name: str
    comment: str
    prompt: str
    config: tuple[str, ...]
    refused: str
    about: tuple[About, ...] = ()
    setup: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = (PAGER,)
    enable: str = ""
    exec: bool = False
    joined: str = ""
    drop: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    secrets_in: tuple[tuple[str, str], ...] = ()
    changed_by: tuple[str, ...] = ()

    @property
    def dialogue(self) -> Dialogue:
        """For the session."""
        return Dialogue(
            prompt=self.prompt,
            keys=list(self.keys),
            enable=self.enable,
            refused=self.refused,
            setup=list(self.setup),
            exec=self.exec,
        )

    @property
    def commands(self) -> Sequence[tuple[str, ...]]:
        """All that is asked: the configuration last, as a session has them."""
        return (*(about.ways for about in self.about), self.config)
