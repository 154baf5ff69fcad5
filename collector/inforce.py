"""The topology in force: the scope of today by it. A change of topology or of day is whole, or none."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Iterable
from zoneinfo import ZoneInfo

from alerts.causes import Province
from checks.contract import Clock
from checks.plan import Assignment
from checks.stamp.keys import Sessions
from checks.topology import Topology
from collector.scope import Scope, scope_of
from collector.settings import Settings

log = logging.getLogger(__name__)


class InForce:
    """Days are the province's own, unless the settings name one."""

    def __init__(
        self,
        topology: Topology,
        settings: Settings,
        clock: Clock,
        sessions_for: Callable[[Iterable[str]], Sessions],
    ) -> None:
        """``sessions_for`` gives the STAMP sessions of agents. Raises PlanError or ValueError when the topology has no
        scope today."""
        self._topology, self._settings, self._clock = topology, settings, clock
        self._sessions_for = sessions_for
        self._refused_day: datetime.date | None = None
        self.day = self._today(topology)
        self.scope = self._scope(topology, self.day)

    def replace(self, topology: Topology) -> None:
        """Goes over to another topology. Raises PlanError or ValueError, and then keeps the one that it has."""
        day = self._today(topology)
        scope = self._scope(topology, day)
        self._topology, self.day, self.scope = topology, day, scope

    def follow_the_day(self) -> bool:
        """Goes over to today's register; whether it did. One that cannot be made is told of once."""
        today = self._today(self._topology)
        if today in (self.day, self._refused_day):
            return False
        try:
            self.replace(self._topology)
        except ValueError as error:
            self._refused_day = today
            log.error("the register of %s cannot be made, that of %s stays in force: %s", today, self.day, error)
            return False
        log.info("the register of %s is in force", today)
        return True

    def province(self) -> Province:
        """What alerting asks of the topology, as it is when it asks."""
        return Province(self._parent_of, self._name_of, lambda node: len(self.scope.offices_of(node)))

    def speaks_for(self, agent: str) -> frozenset[str]:
        """The nodes that an agent may report on."""
        return self.scope.speaks_for(agent)

    def assignment(self, job: str) -> Assignment | None:
        """Who runs a job; None for one that is not planned."""
        return self.scope.jobs.get(job)

    def _parent_of(self, node: str) -> str | None:
        found = self.scope.register.nodes.get(node)
        return found.parent if found else None

    def _name_of(self, node: str) -> str:
        found = self.scope.register.nodes.get(node)
        return found.name if found else node

    def _today(self, topology: Topology) -> datetime.date:
        zone = ZoneInfo(topology.province.timezone)
        now = datetime.datetime.fromtimestamp(self._clock.now() / 1000, zone)
        return self._settings.register_day or now.date()

    def _scope(self, topology: Topology, day: datetime.date) -> Scope:
        register = topology.on(day)
        sessions = self._sessions_for(register.agents)
        return scope_of(register, self._settings.secrets, self._settings.report_every, sessions)
