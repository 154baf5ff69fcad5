"""What is watched today: the register in force, every job with the agent that runs it, and each agent's plan."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from checks.model import Plan
from checks.plan import Assignment, assigned, plans_of
from checks.stamp.keys import NO_SESSIONS, Sessions
from checks.topology import Register, RegisteredOffice


@dataclass(frozen=True)
class Scope:
    """A register with what follows of it. Made anew when the topology or the day changes; never half-changed."""

    register: Register
    jobs: Mapping[str, Assignment]
    """By id. Secrets are names here."""
    plans: Mapping[str, Plan]
    """By agent, secrets filled in."""

    @functools.cached_property
    def _offices(self) -> Mapping[str, tuple[RegisteredOffice, ...]]:
        found: dict[str, list[RegisteredOffice]] = {}
        for office in self.register.offices:
            found.setdefault(office.node, []).append(office)
        return {node: tuple(offices) for node, offices in found.items()}

    @functools.cached_property
    def _jobs_by_node(self) -> Mapping[str, list[Assignment]]:
        found: dict[str, list[Assignment]] = {}
        for one in self.jobs.values():
            found.setdefault(one.job.node, []).append(one)
        return found

    @functools.cached_property
    def _measured(self) -> Mapping[str, frozenset[str]]:
        found: dict[str, set[str]] = {agent: {agent} for agent in self.register.agents}
        for one in self.jobs.values():
            found[one.agent].add(one.job.node)
        return {agent: frozenset(nodes) for agent, nodes in found.items()}

    def jobs_of(self, node: str) -> list[Assignment]:
        """The jobs that measure a node."""
        return self._jobs_by_node.get(node, [])

    def offices_of(self, node: str) -> tuple[RegisteredOffice, ...]:
        """The offices of a node."""
        return self._offices.get(node, ())

    def speaks_for(self, agent: str) -> frozenset[str]:
        """The nodes that an agent may report on."""
        return self._measured.get(agent, frozenset())


def scope_of(
    register: Register, secrets: Mapping[str, str], report_every: float, sessions: Sessions = NO_SESSIONS
) -> Scope:
    """The scope of a register. Raises PlanError, naming what is missing."""
    jobs = {one.job.id: one for one in assigned(register)}
    return Scope(register, jobs, plans_of(register, secrets, report_every=report_every, sessions=sessions))
