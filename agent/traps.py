"""The SNMP notifications of the devices that this agent polls, where the plan says so: each is an event at once, and
has the device polled, which confirms it.

A notification is taken from the address of a device, with the credentials that the device is polled with. It is
received in a child process, since pysnmp takes 45 MB; that one lives for as long as the plan asks for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from agent import notification
from checks.child import environment, script
from checks.contract import Clock, Context, Network, host_port
from checks.errors import CheckError, from_os_error
from checks.model import Job, Measurement, Metric, Outcome, State
from checks.snmp import usm

AGAIN_AFTER: Final = 10.0
"""Seconds until another attempt when it cannot be listened."""
SPACING: Final = 1.0
"""Seconds between two measurements that notifications cause: what comes in between is told in one."""
NONE_YET: Final = "none yet"
_FILE: Final = Path(__file__).with_name("trap_child.py")  # not imported: that would bring its needs into this process

Report = Callable[[Measurement, bool], None]
"""Takes a measurement, and whether it is to go to the collector at once."""

log = logging.getLogger("agent.traps")


class _Notice(msgspec.Struct):
    """See ``trap_child.Notice``."""

    ready: bool = False
    errno: int | None = None
    missing: str = ""
    source: str = ""
    v3: bool = False
    showed: str = ""
    level: int = 0
    variables: list[tuple[str, int | str]] = []
    dropped: int | None = None
    strange: int = 0


class Credential(NamedTuple):
    """What a notification must show: a community, or a user of SNMPv3 at a security level (1 to 3)."""

    v3: bool
    name: str
    level: int


class Device(NamedTuple):
    """A device that is polled by ``job``, and what its notifications must show."""

    job: Job
    credential: Credential

    @property
    def name(self) -> str:
        return f"{self.job.node}/{self.job.label}"


def credential_of(params: Mapping[str, Any]) -> Credential:
    """By the parameters of a check ``snmp``."""
    if params.get("version") == "3":
        return Credential(True, params.get("user", ""), 1 + bool(params.get("auth")) + bool(params.get("priv")))
    return Credential(False, params.get("community", "public"), 1)


class Traps:
    """One receiver at most, within the running event loop. ``poll`` is called with a job's id to have it run now."""

    def __init__(
        self, clock: Clock, report: Report, poll: Callable[[str], None], *, allowed: tuple[Network, ...] = ()
    ) -> None:
        self._clock, self._report, self._poll, self._allowed = clock, report, poll, allowed
        self._job: Job | None = None
        self._polls: tuple[Job, ...] = ()
        self._keeping: asyncio.Task[None] | None = None

    @property
    def jobs(self) -> list[str]:
        """The ids of the jobs that are reported under."""
        return [self._job.id] if self._job is not None else []

    def adopt(self, job: Job | None, jobs: Iterable[Job]) -> None:
        """Takes a new plan. A receiver of the same devices goes on undisturbed."""
        polls = tuple(one for one in jobs if one.check == "snmp")
        if (job, polls) == (self._job, self._polls):
            return
        self._cancel()
        self._job, self._polls = job, polls
        if job is not None:
            self._keeping = asyncio.create_task(self._keep(job, polls), name="traps")

    def _cancel(self) -> asyncio.Task[None] | None:
        ended, self._keeping = self._keeping, None
        if ended is not None:
            ended.cancel()
        return ended

    async def close(self) -> None:
        """Ends it, and its process."""
        ended = self._cancel()
        self._job = None
        if ended is not None:
            await asyncio.gather(ended, return_exceptions=True)

    async def _keep(self, job: Job, polls: tuple[Job, ...]) -> None:
        while True:
            devices = await self._located(polls)
            receiver = _Receiver(job, devices, self._clock, self._report, self._poll)
            await receiver.run()
            await asyncio.sleep(AGAIN_AFTER)

    async def _located(self, polls: tuple[Job, ...]) -> dict[str, list[Device]]:
        """The devices by their addresses. One whose name is not found now sends nothing that is taken."""
        devices: dict[str, list[Device]] = {}
        for job in polls:
            context = Context(self._clock, job.deadline, {}, self._allowed)
            with contextlib.suppress(CheckError):
                for address in await context.resolve(host_port(job.target, 161)[0]):
                    devices.setdefault(str(address), []).append(Device(job, credential_of(job.params)))
        return devices


class _Receiver:
    """One life of the child process, and what it brought."""

    def __init__(
        self,
        job: Job,
        devices: Mapping[str, list[Device]],
        clock: Clock,
        report: Report,
        poll: Callable[[str], None],
    ) -> None:
        self._job, self._devices, self._clock, self._report, self._poll = job, devices, clock, report, poll
        self._last = {f"trap {one.name}": NONE_YET for listed in devices.values() for one in listed}
        self._received = self._refused = self._dropped = self._strange = self._flood_told = 0
        self._state = State.OK
        self._trouble = f"is not listening at udp {job.target} yet"
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until the child ends."""
        child = await asyncio.create_subprocess_exec(
            *script(_FILE),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment(),
        )
        assert child.stdin is not None
        assert child.stdout is not None
        telling = asyncio.create_task(self._tell())
        try:
            child.stdin.write(msgspec.json.encode(self._session()) + b"\n")
            while line := await child.stdout.readline():
                self._take(msgspec.json.decode(line, type=_Notice))
            self._trouble = self._trouble or "the receiver ended"
            self._measure(at_once=True)
        finally:
            telling.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()

    def _session(self) -> dict[str, Any]:
        """What the child is told: see ``trap_child.Session``."""
        host, port = host_port(self._job.target)
        listed = [one for some in self._devices.values() for one in some]
        return {
            "host": host,
            "port": port,
            "sources": list(self._devices),
            "communities": sorted({one.credential.name for one in listed if not one.credential.v3}),
            "users": list({one.credential.name: _user(one.job.params) for one in listed if one.credential.v3}.values()),
        }

    def _take(self, notice: _Notice) -> None:
        if notice.ready:
            self._trouble = ""
            log.info("SNMP notifications are received at udp %s", self._job.target)
            self._measure(at_once=False)
        elif notice.missing:
            self._trouble = f"needs {notice.missing}: install thongsuot[probes] on the agent's host"
        elif notice.errno is not None:
            error = OSError(notice.errno, os.strerror(notice.errno))
            self._trouble = f"cannot listen at udp {from_os_error(error, self._job.target).summary}"
        elif notice.dropped is not None:
            self._dropped, self._strange = notice.dropped, notice.strange
        else:
            self._notify(notice)

    def _notify(self, notice: _Notice) -> None:
        showed = Credential(notice.v3, notice.showed, notice.level)
        devices = [one for one in self._devices.get(notice.source, ()) if one.credential == showed]
        text = notification.told(notice.variables)
        if not devices or not text:
            self._refused += 1
            return
        self._received += 1
        at = datetime.datetime.fromtimestamp(self._clock.now() // 1000, datetime.UTC)
        for one in devices:
            self._last[f"trap {one.name}"] = f"{text} at {at:%Y-%m-%dT%H:%M:%SZ}"
            self._poll(one.job.id)
        self._news.set()

    async def _tell(self) -> None:
        """Reports what is new, at once but not too often, and every interval that nothing is."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._job.interval):
                    await self._news.wait()
            at_once = self._news.is_set()
            self._news.clear()
            self._measure(at_once=at_once)
            await asyncio.sleep(SPACING)

    def _measure(self, *, at_once: bool) -> None:
        counts = {
            "traps.received": self._received,
            "traps.refused": self._refused,
            "traps.dropped": self._dropped,
            "traps.strange": self._strange,
        }
        metrics = tuple(Metric(name, float(count), "1") for name, count in counts.items())
        state, reason, summary = self._verdict()
        outcome = Outcome(state, summary, reason, metrics=metrics, facts=dict(self._last))
        changed, self._state = at_once or state is not self._state, state
        self._report(Measurement(self._job.id, self._clock.now(), 0.0, outcome), changed)

    def _verdict(self) -> tuple[State, str, str]:
        if self._trouble:
            return State.UNKNOWN, "not-listening", f"the receiver of SNMP notifications {self._trouble}"
        flooded, self._flood_told = self._dropped > self._flood_told, self._dropped
        if flooded:
            return State.WARN, "flood", "SNMP notifications come faster than they can be looked into: some are dropped"
        return State.OK, "", f"SNMP notifications are received at udp {self._job.target}"


def _user(params: Mapping[str, Any]) -> dict[str, str]:
    """A user of SNMPv3 as the child knows it: see ``trap_child.User``."""
    auth, priv = str(params.get("auth", "")), str(params.get("priv", ""))
    return {
        "user": str(params.get("user", "")),
        "auth": usm.PYSNMP_AUTH.get(auth, ""),
        "auth_key": usm.master_key(auth, params["auth_key"]).hex() if auth else "",
        "priv": usm.PYSNMP_PRIV.get(priv, ""),
        "priv_key": usm.master_key(auth, params["priv_key"]).hex() if priv else "",
    }
