"""What every bench needs: CPU of processes, medians, and a table that says when and where it was measured."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import platform
import re
import resource
import statistics
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

import msgspec

from tests.peers import which


class Result(msgspec.Struct, frozen=True):
    """One contestant: a number for every round, and against whom it is compared (a name; its own is 1.0)."""

    name: str
    rounds: list[float]
    against: str
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.rounds)


class Stopwatch:
    """Seconds of CPU, user and system, that a ``with`` cost."""

    cpu = 0.0


@contextlib.contextmanager
def _stopwatch(read: Callable[[], float]) -> Iterator[Stopwatch]:
    watch = Stopwatch()
    before = read()
    yield watch
    watch.cpu = read() - before


def cpu_of_self() -> contextlib.AbstractContextManager[Stopwatch]:
    """This process, all threads."""
    return _stopwatch(lambda: _used(resource.RUSAGE_SELF))


def cpu_of_children() -> contextlib.AbstractContextManager[Stopwatch]:
    """Processes that are started and waited for within."""
    return _stopwatch(lambda: _used(resource.RUSAGE_CHILDREN))


def cpu_of_pid(pid: int) -> contextlib.AbstractContextManager[Stopwatch]:
    """Another process, all threads; the kernel counts in steps of 10 ms."""
    return _stopwatch(lambda: _used_by(pid))


def _used(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


def _used_by(pid: int) -> float:
    # proc(5): the second field is the name in parentheses, and may hold spaces; utime and stime are the 14th and 15th.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> int:
    """Bytes of memory of a process that are its own share of what is resident (PSS): shared pages are divided."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)
    if found is None:
        raise ValueError(f"/proc/{pid}/smaps_rollup: expected a line of Pss")
    return int(found[1]) * 1024


def machine() -> dict[str, str]:
    """When and where: date, processor, cores, system, Python."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return {
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
        "processor": model[1].strip() if model else platform.machine(),
        "cores": str(os.cpu_count()),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "python": platform.python_version(),
    }


def package_versions(*names: str) -> dict[str, str]:
    """Versions of Python packages."""
    return {name: metadata.version(name) for name in names}


def debian_versions(*names: str) -> dict[str, str]:
    """Versions of Debian packages; those not installed are left out."""
    query = which("dpkg-query")
    if query is None:
        return {}
    told = subprocess.run(
        [query, "-W", "-f", "${Package} ${Version}\n", *names], capture_output=True, text=True, check=False
    ).stdout
    return dict(line.split(" ", 1) for line in told.splitlines() if not line.endswith(" "))


def table(results: Sequence[Result], unit: str, about: Mapping[str, str]) -> str:
    """The results as a table in Markdown: medians, and how many times the one that each is compared with."""
    medians = {result.name: result.median for result in results}
    head = ["| | " + unit + " | ratio | |", "|---|---:|---:|---|"]
    rows = [
        f"| {r.name} | {r.median:.2f} | {r.median / medians[r.against]:.2f} | {r.note} |"
        for r in results
        if r.against in medians
    ]
    return "\n".join([*head, *rows, "", ", ".join(f"{key} {value}" for key, value in about.items())])


def as_json(results: Sequence[Result], unit: str, about: Mapping[str, str]) -> str:
    """The same for a machine, every round kept."""
    return json.dumps(
        {
            "unit": unit,
            "about": dict(about),
            "results": [msgspec.structs.asdict(result) | {"median": result.median} for result in results],
        },
        indent=2,
    )
