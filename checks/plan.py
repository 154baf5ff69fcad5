"""A register → the plan of one agent: its jobs, with the secrets that they need and no others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from checks.located import near
from checks.model import Beat, Job, Plan, Reflect
from checks.stamp.keys import NO_SESSIONS, Sessions
from checks.topology.model import FROM_PARENT, TRAPS, WITH_CENTRE, WITH_PARENT, CheckEntry, Node, Probe, checks_of
from checks.topology.register import Register

REFERENCE: Final = "secret:"
REPORT_EVERY: Final = 5.0
_LONGEST_DEADLINE: Final = 10.0
_SHORTEST_RETRY: Final = 5.0
_BEAT: Final = CheckEntry("stamp", interval=30.0, params={"spacing": 1.0})
"""What an agent sends to a reflector without end."""


class PlanError(ValueError):
    """No plan can be made. The message says for whom, and what is missing."""


def jobs_of(register: Register) -> tuple[Job, ...]:
    """All jobs of the province, in the order of the topology. Secrets stay names: "secret:NAME"."""
    return tuple(one.job for one in assigned(register))


def plans_of(
    register: Register,
    secrets: Mapping[str, str],
    *,
    report_every: float = REPORT_EVERY,
    sessions: Sessions = NO_SESSIONS,
) -> dict[str, Plan]:
    """The plan of every agent: what it does of itself, of the nodes that it measures, a ping of each child's router,
    and the STAMP sessions of those that have a Session Identifier. ``secrets`` are values by name; ``report_every`` is
    in seconds. The same register, secrets and sessions give the same versions. Raises PlanError when a secret is
    missing, or an agent has nothing to do."""
    jobs: dict[str, list[Job]] = {agent: [] for agent in register.agents}
    for one in _runs(register):
        jobs[one.agent].append(_with_secrets(one.job, secrets))
    idle = next((agent for agent, own in jobs.items() if not own), None)
    if idle is not None:
        raise PlanError(f"agent {idle!r} has no jobs on {register.day}: give its template checks in the topology")
    beats: dict[str, list[Beat]] = {}
    keys: dict[str, dict[int, str]] = {}
    for link in _links(register):
        ssid = sessions.ssids.get(link.agent)
        if ssid is not None:
            key = sessions.key(link.reflector, link.agent)
            beats.setdefault(link.agent, []).append(Beat(_with_params(link.job, key=key), ssid))
            keys.setdefault(link.reflector, {})[ssid] = key
    return {
        agent: _versioned(
            Plan(
                agent,
                "",
                report_every,
                tuple(own),
                tuple(beats.get(agent, ())),
                _reflect(register, agent, keys),
                _traps(register.nodes[agent]),
            )
        )
        for agent, own in jobs.items()
    }


def plan_of(register: Register, agent: str, secrets: Mapping[str, str], *, report_every: float = REPORT_EVERY) -> Plan:
    """The plan of one agent. Raises PlanError as :func:`plans_of`, and when no agent runs at that node."""
    if agent not in register.agents:
        raise PlanError(f"no agent {agent!r} on {register.day}: {near(agent, register.agents)}")
    return plans_of(register, secrets, report_every=report_every)[agent]


def _versioned(plan: Plan) -> Plan:
    content = msgspec.json.encode(msgspec.to_builtins(plan, str_keys=True), order="sorted")
    return msgspec.structs.replace(plan, version=hashlib.sha256(content).hexdigest()[:16])


def _reflect(register: Register, agent: str, keys: Mapping[str, Mapping[int, str]]) -> Reflect | None:
    """What an agent reflects; at the root the collector does."""
    if agent == register.root.id or agent not in keys:
        return None
    return Reflect(register.nodes[agent].reflector, keys[agent])


def _traps(node: Node) -> Job | None:
    """Under which job an agent reports the SNMP notifications that it receives."""
    return _job(node, "trap", TRAPS, node.traps, CheckEntry("trap")) if node.traps else None


class _Link(NamedTuple):
    """A session of an ``agent`` with the reflector at a node."""

    agent: str
    reflector: str
    job: Job


def _links(register: Register) -> Iterator[_Link]:
    """Every agent's sessions: with the centre, and with its parent's agent where that reflects."""
    root = register.root
    for agent in register.agents:
        node = register.nodes[agent]
        if root.reflector:
            yield _Link(agent, root.id, _job(node, "stamp", WITH_CENTRE, root.reflector, _BEAT))
        parent = register.nodes.get(node.parent or "")
        if parent is not None and parent is not root and parent.reflector:
            yield _Link(agent, parent.id, _job(node, "stamp", WITH_PARENT, parent.reflector, _BEAT))


class Assignment(NamedTuple):
    """A job with the node whose agent runs it. ``proves``: its target stands at the job's node, so that an answer shows
    that traffic reaches the node. The far end of a link, and a service, may be anywhere."""

    agent: str
    job: Job
    proves: bool


def assigned(register: Register) -> Iterator[Assignment]:
    """Every job. Secrets stay names, and sessions are without their keys."""
    yield from _runs(register)
    for link in _links(register):
        yield Assignment(link.agent, link.job, proves=False)
    for agent in register.agents:
        traps = _traps(register.nodes[agent])
        if traps is not None:
            yield Assignment(agent, traps, proves=False)


def _runs(register: Register) -> Iterator[Assignment]:
    """Every job that is run now and then, node by node."""
    for node in register.nodes.values():
        agent = register.agent_of(node.id)
        for bound in checks_of(node):
            if bound.owner or node.has_agent:
                job = _job(node, bound.entry.check, bound.label, bound.target, bound.entry)
                yield Assignment(agent, job, proves=bound.at_node)
        if node.parent is not None and node.router is not None and not node.probe.off:
            ping = _job(node, "ping", FROM_PARENT, node.router.address, node.probe)
            yield Assignment(register.agent_of(node.parent), ping, proves=True)


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
    return _with_params(
        job, **{key: _resolved(value, secrets, f"job {job.id}, parameter {key}") for key, value in job.params.items()}
    )


def _with_params(job: Job, **params: Any) -> Job:
    return msgspec.structs.replace(job, params={**job.params, **params})


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
