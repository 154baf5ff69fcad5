"""The words a measurement is made of. Frozen values, no I/O.

A *job* is one check bound to one target on one node; a *measurement* is the outcome of one run of a job.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec


class State(enum.Enum):
    """How a subject is. In order of how much an operator must care: OK < WARN < UNKNOWN < CRIT.

    UNKNOWN says that the *observer* could not tell; it is never an outage.
    """

    OK = "OK"
    WARN = "WARN"
    UNKNOWN = "UNKNOWN"
    CRIT = "CRIT"

    @property
    def rank(self) -> int:
        """0 for OK to 3 for CRIT: what charts and stores keep."""
        return _RANK[self]

    @classmethod
    def of_rank(cls, rank: int) -> State:
        """The state of a rank. Raises IndexError beyond 0..3."""
        return _ORDER[rank]


_ORDER = (State.OK, State.WARN, State.UNKNOWN, State.CRIT)
_RANK = {state: rank for rank, state in enumerate(_ORDER)}


def worst(states: Iterable[State]) -> State:
    """The worst of the states; OK when there are none."""
    return max(states, key=lambda state: state.rank, default=State.OK)


class Metric(msgspec.Struct, frozen=True):
    """One number that a check read.

    ``unit`` is in UCUM-like short form: s, By, bit/s, 1, %, d, Cel. ``instance`` tells apart several of a kind:
    an interface's ifName, a disk's mount point; empty where there is one. ``value`` is finite.
    """

    name: str
    value: float
    unit: str
    instance: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """What a check concluded.

    ``answered`` is true when a reply of the target was seen, whatever it said: the proof that traffic passed.
    ``reason`` is a stable word for a machine ("timeout", "expired"); empty when OK.
    ``summary`` is a sentence for a person; while OK it holds no number that changes from run to run.
    ``facts`` are strings that identify (a certificate's fingerprint, a sysName): a change of one is an event.
    ``documents`` are what is kept whole beside them, by name (a device's configuration): in zstd, and seldom.
    """

    state: State
    summary: str
    reason: str = ""
    answered: bool = False
    metrics: tuple[Metric, ...] = ()
    facts: Mapping[str, str] = {}
    documents: Mapping[str, bytes] = {}


class Measurement(msgspec.Struct, frozen=True):
    """The outcome of one run of a job. ``at`` is the start of the run by the agent's clock, in Unix ms;
    ``duration`` is in seconds."""

    job: str
    at: int
    duration: float
    outcome: Outcome


class Job(msgspec.Struct, frozen=True):
    """One check bound to one target on one node, as a plan lists it.

    ``node`` is the node that is measured, which need not be the one that measures. ``label`` tells apart the
    node's jobs of one check. ``target`` is what the check takes: a host, host:port or URL; empty for the agent's
    own host. ``params`` are the check's, as plain values. ``interval`` and ``deadline`` are seconds;
    ``retry`` is the interval while a change of state is not confirmed.
    """

    node: str
    check: str
    label: str
    target: str
    interval: float
    deadline: float
    retry: float
    params: Mapping[str, Any] = {}

    @property
    def id(self) -> str:
        """``node/check/label``: unique in the province, and readable in a log."""
        return f"{self.node}/{self.check}/{self.label}"


class JobId(msgspec.Struct, frozen=True):
    """A job's id, taken apart."""

    node: str
    check: str
    label: str


def parse_job_id(text: str) -> JobId:
    """Takes ``node/check/label`` apart. Raises ValueError when it is not of that form."""
    parts = text.split("/", 2)
    if len(parts) != 3 or not all(parts):
        raise ValueError(f"job id {text!r}: expected node/check/label")
    return JobId(*parts)


class Beat(msgspec.Struct, frozen=True):
    """A STAMP session that an agent keeps up without end: a job of the check ``stamp`` whose target is the reflector.
    One packet goes every ``spacing`` of its params; every ``interval`` what came back is a measurement. ``ssid`` is
    the Session Identifier by which the reflector knows whose the packets are (RFC 8972, section 3)."""

    job: Job
    ssid: int


class Reflect(msgspec.Struct, frozen=True):
    """STAMP packets that an agent sends back: the address of its host that it ``listen``s at, host:port, and the key of
    each session by its Session Identifier. Others are not answered."""

    listen: str
    keys: Mapping[int, str]


class Plan(msgspec.Struct, frozen=True):
    """The jobs of one agent, with the credentials that they need and no others. ``version`` is a digest of
    the content. ``report_every`` is the seconds between two live reports. ``beats`` are its own STAMP sessions,
    ``reflect`` those of the nodes below that it answers. ``traps`` is the job under which it reports the SNMP
    notifications of the devices that it polls; its target is the host:port to listen at."""

    agent: str
    version: str
    report_every: float
    jobs: tuple[Job, ...]
    beats: tuple[Beat, ...] = ()
    reflect: Reflect | None = None
    traps: Job | None = None
