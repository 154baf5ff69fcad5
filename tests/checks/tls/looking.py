"""The check ``tls`` at a fixed time, on what a test gives it."""

from __future__ import annotations

import datetime
from typing import Any

from checks.contract import Context, SystemClock, Target, params_of
from checks.model import Outcome
from checks.net.certificates import Certificate
from checks.tls.check import CHECK
from checks.tls.parsing import parsed
from tests.pki import Issued

NAME = "portal.bk.example"
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
START = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
FAR = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


class FixedClock(SystemClock):
    """A clock that shows one time, NOW at first."""

    def __init__(self, at: datetime.datetime = NOW) -> None:
        self.at = at

    def now(self) -> int:
        return int(self.at.timestamp() * 1000)


def context(clock: SystemClock | None = None) -> Context:
    return Context(clock or FixedClock(), 20.0, {})


async def look(target: str, ctx: Context | None = None, **params: Any) -> Outcome:
    """One run of the check."""
    return await CHECK.run(Target("centre", target), params_of(CHECK, params), ctx or context())


def values(*chain: Issued) -> tuple[Certificate, ...]:
    """Certificates as the child process gives them."""
    return tuple(parsed(one.certificate) for one in chain)
