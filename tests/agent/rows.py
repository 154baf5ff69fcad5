"""Measurements for the agent's tests."""

from __future__ import annotations

import msgspec

from agent.spoolfile import Pending
from checks.model import Measurement, Outcome, State


def measured(summary: str = "well", *, job: str = "bk/ping/a", at: int = 1_000, state: State = State.OK) -> Measurement:
    return Measurement(job, at, 0.01, Outcome(state, summary, answered=state is State.OK))


def pending(summary: str = "well", *, at: int = 1_000, bulk: bool = True) -> Pending:
    return Pending(at, bulk, msgspec.msgpack.encode(measured(summary, at=at)))
