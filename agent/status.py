"""What the running agent says of itself, in a file that ``thongsuot-agent status`` reads."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec

from agent.delivery import Counters
from agent.planning import replace_file
from agent.spoolfile import Stats
from checks.model import State

FILE_NAME = "status.json"
EVERY = 2.0
"""Seconds between two writings."""
STALE_AFTER = 30.0
LATE_AFTER = 120.0
"""Seconds without a receipt after which the agent counts as cut off."""

_PAINT = {State.OK: "32", State.WARN: "33", State.UNKNOWN: "35", State.CRIT: "31"}


class StatusError(Exception):
    """There is no status to show. Says where it was looked for."""


class JobStatus(msgspec.Struct, frozen=True):
    """A job, its last state (null before its first run), when that run began (Unix ms), and what it said."""

    job: str
    state: State | None
    at: int
    summary: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The agent at one moment. Times are Unix ms, 0 for never."""

    node: str
    version: str
    pid: int
    written_at: int
    started_at: int
    collector: str
    plan: str
    plan_trouble: str
    uplink_trouble: str
    spool_trouble: str
    spool: Stats
    delivered: Counters
    skipped: int
    jobs: tuple[JobStatus, ...]


def write(path: Path, status: Status) -> None:
    """Replaces the file. Raises OSError."""
    replace_file(path, msgspec.json.encode(status), 0o640, durable=False)


def read(path: Path) -> Status:
    """Raises StatusError."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Status)
    except FileNotFoundError:
        raise StatusError(f"{path}: no such file: has the agent been started, with this state_dir?") from None
    except OSError as error:
        raise StatusError(f"{path}: cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise StatusError(f"{path}: not the status of an agent: {error}") from error


def health(status: Status, now: int) -> tuple[State, str]:
    """How the agent itself is (not what it measures), and why, at ``now`` in Unix ms."""
    age = (now - status.written_at) / 1000
    if age > STALE_AFTER:
        return State.CRIT, f"the agent has not written its status for {age:.0f} s: it does not run, or its disk is full"
    if status.spool_trouble:
        return State.CRIT, status.spool_trouble
    silent = (now - max(status.delivered.committed_at, status.started_at)) / 1000
    if silent > LATE_AFTER:
        return State.CRIT, f"nothing committed for {silent:.0f} s: {status.uplink_trouble or 'the agent is stuck'}"
    trouble = status.uplink_trouble or status.plan_trouble
    if trouble:
        return State.WARN, trouble
    if not status.plan:
        return State.WARN, "no plan yet"
    return State.OK, "measuring and delivering"


def table(status: Status, now: int, *, colour: bool) -> str:
    """The status for people."""
    state, why = health(status, now)
    spool, sent = status.spool, status.delivered
    lines = [
        f"{painted(state, colour=colour)}  {why}",
        "",
        f"node       {status.node}",
        f"collector  {status.collector}",
        f"version    {status.version}, pid {status.pid}, since {_when(status.started_at)}",
        f"plan       {status.plan or 'none'}, {len(status.jobs)} jobs, {status.skipped} runs skipped",
        f"delivered  {sent.measurements} measurements, last {_when(sent.committed_at)}, {sent.refused} refused",
        f"spool      {spool.rows} rows, {spool.bytes} of {spool.max_bytes} bytes",
        f"lost       {spool.dropped} dropped, {spool.corrupted} times damaged, {spool.gaps} gaps to tell of",
        "",
    ]
    width = max((len(job.job) for job in status.jobs), default=0)
    for job in status.jobs:
        shown = painted(job.state, colour=colour) if job.state else "-"
        pad = " " * (8 - len(job.state.value if job.state else "-"))
        lines.append(f"{shown}{pad}{job.job:<{width}}  {job.summary}")
    return "\n".join(lines)


def painted(state: State, *, colour: bool) -> str:
    """A state's name, in its colour on a terminal."""
    return f"\033[{_PAINT[state]}m{state.value}\033[0m" if colour else state.value


def _when(at: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at / 1000)) if at else "never"
