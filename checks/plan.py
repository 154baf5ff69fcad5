"""A register → the plan of one agent: its jobs, with the secrets that they need and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from checks.located import near
from checks.model import Job, Plan
from checks.topology.model import FROM_PARENT, CheckEntry, Node, Probe, checks_of
from checks.topology.register import Register

REFERENCE: Final = "secret:"
REPORT_EVERY: Final = 5.0
_LONGEST_DEADLINE: Final = 10.0
_SHORTEST_RETRY: Final = 5.0


class PlanError(ValueError):
    """No plan can be made. The message says for whom, and what is missing."""


def jobs_of(register: Register) -> tuple[Job, ...]:
    """All jobs of the province, in the order of the topology. Secrets stay names: "secret:NAME"."""
    return tuple(job for _, job in _assigned(register))


def plan_of(register: Register, agent: str, secrets: Mapping[str, str], *, report_every: float = REPORT_EVERY) -> Plan:
    """What the agent at a node does: of itself, of the nodes that it measures, and a ping of each child's router.

    ``secrets`` are values by name; ``report_every`` is in seconds. The same register and secrets give the same
    version. Raises PlanError when no agent runs at that node, or a secret is missing.
    """
    if agent not in register.nodes or not register.nodes[agent].has_agent:
        raise PlanError(f"no agent {agent!r} on {register.day}: {near(agent, register.agents)}")
    jobs = tuple(_with_secrets(job, secrets) for measurer, job in _assigned(register) if measurer == agent)
    if not jobs:
        raise PlanError(f"agent {agent!r} has no jobs on {register.day}: give its template checks in the topology")
    content = msgspec.json.encode((agent, report_every, jobs), order="sorted")
    return Plan(agent, hashlib.sha256(content).hexdigest()[:16], report_every, jobs)


def _assigned(register: Register) -> Iterator[tuple[str, Job]]:
    """(the agent, its job), node by node."""
    for node in register.nodes.values():
        agent = register.agent_of(node.id)
        for bound in checks_of(node):
            if bound.owner or node.has_agent:
                yield agent, _job(node, bound.entry.check, bound.label, bound.target, bound.entry)
        if node.parent is not None and node.router is not None:
            yield register.agent_of(node.parent), _job(node, "ping", FROM_PARENT, node.router.address, node.probe)


def _job(node: Node, check: str, label: str, target: str, entry: CheckEntry | Probe) -> Job:
    interval = entry.interval
    return Job(
        node=node.id,
        check=check,
        label=label,
        target=target,
        interval=interval,
        deadline=entry.deadline or min(_LONGEST_DEADLINE, interval / 2),
        retry=entry.retry or min(interval, max(_SHORTEST_RETRY, interval / 3)),
        params=entry.params if isinstance(entry, CheckEntry) else {},
    )


def _with_secrets(job: Job, secrets: Mapping[str, str]) -> Job:
    params = {key: _resolved(value, secrets, f"job {job.id}, parameter {key}") for key, value in job.params.items()}
    return msgspec.structs.replace(job, params=params)


def _resolved(value: Any, secrets: Mapping[str, str], place: str) -> Any:
    if isinstance(value, str) and value.startswith(REFERENCE):
        name = value.removeprefix(REFERENCE)
        if name not in secrets:
            raise PlanError(f"{place}: no secret {name!r}: {near(name, secrets)}")
        return secrets[name]
    if isinstance(value, Mapping):
        return {key: _resolved(part, secrets, place) for key, part in value.items()}
    if isinstance(value, list):
        return [_resolved(part, secrets, place) for part in value]
    return value
