"""What a run found wrong, and the outcome that follows: the worst finding gives state and reason, all give words."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from checks.levels import Levels, judge
from checks.model import Metric, Outcome, State


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that an operator must know: how bad, a stable word for a machine, and a clause for a person."""

    state: State
    reason: str
    text: str


def conclude(
    subject: str,
    well: str,
    findings: Sequence[Finding],
    *,
    metrics: Sequence[Metric] = (),
    facts: Mapping[str, str] | None = None,
) -> Outcome:
    """The outcome of a run that the target answered. ``well`` is said of the subject when nothing was found, and must
    hold no number that changes from run to run. Findings are told worst first, else in their order."""
    bad = sorted((f for f in findings if f.state is not State.OK), key=lambda f: -f.state.rank)
    said = "; ".join(f.text for f in bad) or well
    return Outcome(
        bad[0].state if bad else State.OK,
        f"{subject}: {said}" if subject else said,
        bad[0].reason if bad else "",
        answered=True,
        metrics=tuple(metrics),
        facts=facts or {},
    )


def level(memory: dict[str, Any], key: str, value: float, levels: Levels) -> State:
    """The state of a value that this job has judged before: its last state is kept in the job's memory under
    ``key``, for the hysteresis."""
    states: dict[str, State] = memory.setdefault("levels", {})
    states[key] = judge(value, levels, states.get(key, State.OK))
    return states[key]
