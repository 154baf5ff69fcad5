"""The agent's own host: processor, memory, filesystems, network and disk traffic, and when it booted."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from checks.contract import Check, Context, Params, Target
from checks.findings import Finding, conclude, level
from checks.levels import Levels
from checks.model import Metric, Outcome

_READ_ONLY_BY_NATURE = frozenset({"squashfs", "iso9660", "udf", "erofs"})
"""Full by design: no news."""


class HostParams(Params, frozen=True):
    """Levels in % of what there is: ``cpu`` since the run before, ``memory`` not available to programs, ``swap``,
    each ``filesystem`` and its ``inodes``; ``load`` is the one-minute load for each processor."""

    cpu: Levels = Levels(warn=90, margin=5)
    load: Levels = Levels()
    memory: Levels = Levels(warn=90, crit=97, margin=2)
    swap: Levels = Levels(warn=80, margin=5)
    filesystem: Levels = Levels(warn=85, crit=95, margin=1)
    inodes: Levels = Levels(warn=85, crit=95, margin=1)


@dataclasses.dataclass(frozen=True)
class Filesystem:
    """A mounted filesystem. ``used`` and ``available`` are bytes, as a user without privileges sees them; ``inodes``
    is the part in use in %, None where there are none to run out of."""

    mount: str
    used: int
    available: int
    inodes: float | None

    @property
    def utilization(self) -> float:
        """In %, as df says it."""
        total = self.used + self.available
        return 100 * self.used / total if total else 0.0


@dataclasses.dataclass(frozen=True)
class Reading:
    """The host at one moment. ``counters`` only grow: (metric, unit of its rate, instance) → value; ``busy`` and
    ``cpu`` are seconds of processor time since boot."""

    at: float
    busy: float
    cpu: float
    load: float
    memory: tuple[int, int]
    swap: tuple[int, int]
    filesystems: tuple[Filesystem, ...]
    counters: Mapping[tuple[str, str, str], float]
    uptime: float
    facts: Mapping[str, str]


async def run(target: Target, params: HostParams, ctx: Context) -> Outcome:  # noqa: ARG001 - the host has no address
    """Reads the host and judges it beside the reading before."""
    reading = await asyncio.to_thread(read, ctx.clock.monotonic(), ctx.clock.now() / 1000)
    before: Reading | None = ctx.memory.get("reading")
    ctx.memory["reading"] = reading
    return judge(reading, before, params, ctx)


def read(monotonic: float, now: float) -> Reading:
    """Reads the host, at two times in seconds: the monotonic clock's and the Unix time. May block on a disk."""
    times = psutil.cpu_times()
    cpu = sum(times[:8])  # user to steal; guest time is within user time already
    memory, swap = psutil.virtual_memory(), psutil.swap_memory()
    return Reading(
        at=monotonic,
        busy=cpu - times.idle - times.iowait,
        cpu=cpu,
        load=os.getloadavg()[0],
        memory=(memory.total - memory.available, memory.total),
        swap=(swap.used, swap.total),
        filesystems=tuple(_filesystems()),
        counters=dict((*_network(), *_disks())),
        uptime=now - psutil.boot_time(),
        facts=_facts(),
    )


def _filesystems() -> Iterator[Filesystem]:
    """Each device once, at its first mount point: a bind mount is not another filesystem."""
    seen = set()
    for part in psutil.disk_partitions():
        if part.device in seen or part.fstype in _READ_ONLY_BY_NATURE:
            continue
        seen.add(part.device)
        try:
            stat = os.statvfs(part.mountpoint)
        except OSError:
            continue  # unmounted since, or not ours to see
        yield Filesystem(
            part.mountpoint,
            (stat.f_blocks - stat.f_bfree) * stat.f_frsize,
            stat.f_bavail * stat.f_frsize,
            100 * (stat.f_files - stat.f_ffree) / stat.f_files if stat.f_files else None,
        )


def _network() -> Iterator[tuple[tuple[str, str, str], float]]:
    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup and "loopback" not in stats.flags}
    for name, io in psutil.net_io_counters(pernic=True).items():
        if name in up:
            yield ("system.network.io.receive", "bit/s", name), io.bytes_recv * 8
            yield ("system.network.io.transmit", "bit/s", name), io.bytes_sent * 8
            yield ("system.network.errors", "1/s", name), io.errin + io.errout
            yield ("system.network.dropped", "1/s", name), io.dropin + io.dropout


def _disks() -> Iterator[tuple[tuple[str, str, str], float]]:
    """Whole disks that were ever used; not their partitions, which would count twice."""
    for name, io in (psutil.disk_io_counters(perdisk=True) or {}).items():
        if Path("/sys/block", name.replace("/", "!")).exists() and io.read_count + io.write_count:
            yield ("system.disk.io.read", "By/s", name), io.read_bytes
            yield ("system.disk.io.write", "By/s", name), io.write_bytes


def _facts() -> dict[str, str]:
    """What identifies the host as it runs now: another boot_id is a reboot."""
    try:
        system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        system = platform.system()
    boot = Path("/proc/sys/kernel/random/boot_id")
    return {
        "os": system,
        "kernel": platform.release(),
        "boot_id": boot.read_text().strip() if boot.exists() else str(int(psutil.boot_time())),
    }


def rates(now: Reading, before: Reading | None) -> Iterator[Metric]:
    """What the counters grew by in a second. One that fell, or is new, has no rate: its interface was made anew."""
    if before is None or now.at <= before.at:
        return
    for (name, unit, instance), value in now.counters.items():
        old = before.counters.get((name, unit, instance))
        if old is not None and value >= old:
            yield Metric(name, (value - old) / (now.at - before.at), unit, instance)


def utilization(now: Reading, before: Reading | None) -> float | None:
    """Processor time in use since the reading before in %; None without one."""
    if before is None or now.cpu <= before.cpu or now.facts != before.facts:
        return None
    return min(100.0, max(0.0, 100 * (now.busy - before.busy) / (now.cpu - before.cpu)))


@dataclasses.dataclass(frozen=True)
class Gauge:
    """A metric that is judged, and said to a person as ``what`` value ``unit``. ``value`` is what the levels see, where
    that is not the metric's own."""

    metric: Metric
    reason: str
    levels: Levels
    what: str
    unit: str
    value: float | None = None


def gauges(now: Reading, before: Reading | None, params: HostParams) -> Iterator[Gauge]:
    """Everything of a reading that has levels."""
    each = now.load / (os.cpu_count() or 1)
    load = Metric("system.cpu.load_average.1m", now.load, "1")
    yield Gauge(load, "load", params.load, "load", "a processor", each)
    if (cpu := utilization(now, before)) is not None:
        yield Gauge(Metric("system.cpu.utilization", cpu, "%"), "cpu", params.cpu, "processor", "% busy")
    used, total = now.memory
    memory = Metric("system.memory.utilization", 100 * used / total, "%")
    yield Gauge(memory, "memory", params.memory, "memory", "% used")
    used, total = now.swap
    if total:
        swap = Metric("system.paging.utilization", 100 * used / total, "%")
        yield Gauge(swap, "swap", params.swap, "swap", "% used")
    for one in now.filesystems:
        space = Metric("system.filesystem.utilization", one.utilization, "%", one.mount)
        yield Gauge(space, "filesystem", params.filesystem, f"filesystem {one.mount}", "% full")
        if one.inodes is not None:
            inodes = Metric("system.filesystem.inodes.utilization", one.inodes, "%", one.mount)
            yield Gauge(inodes, "inodes", params.inodes, f"filesystem {one.mount}", "% of its inodes used")


def amounts(now: Reading) -> Iterator[Metric]:
    """What of a reading is only shown."""
    yield Metric("system.uptime", now.uptime, "s")
    for what, (used, total) in (("system.memory", now.memory), ("system.paging", now.swap)):
        yield Metric(f"{what}.usage", used, "By")
        yield Metric(f"{what}.limit", total, "By")
    for one in now.filesystems:
        yield Metric("system.filesystem.usage", one.used, "By", one.mount)
        yield Metric("system.filesystem.limit", one.used + one.available, "By", one.mount)


def judge(now: Reading, before: Reading | None, params: HostParams, ctx: Context) -> Outcome:
    """The outcome of a reading. The first has no rates and no processor use."""
    metrics, findings = [*amounts(now), *rates(now, before)], []
    for gauge in gauges(now, before, params):
        value = gauge.metric.value if gauge.value is None else gauge.value
        state = level(ctx.memory, f"{gauge.metric.name} {gauge.metric.instance}", value, gauge.levels)
        metrics.append(gauge.metric)
        findings.append(Finding(state, gauge.reason, f"{gauge.what} {value:.3g} {gauge.unit}"))
    return conclude("", "host is well", findings, metrics=metrics, facts=now.facts)


CHECK = Check(
    name="host",
    about="the agent's own host: processor, memory, filesystems, network, disks, boots",
    target="empty: the agent's own host",
    params=HostParams,
    run=run,
)
