"""``make lab``, as a person runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.lab.monitored import coverage
from tests.lab.test_province import traces
from tests.peers import free_port, need, running, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

TOP = Path(__file__).parents[2]


class Lab(msgspec.Struct, frozen=True):
    """A running lab, its folder and its page."""

    folder: Path
    page: str
    process: Any
    namespaces: list[str]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """What a person types."""
        argv = [sys.executable, "-m", "tests.lab", "--folder", str(self.folder), *words]
        return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=TOP)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    need("ip", "nft", "snmpd", "vtysh", "socat", root=True)
    folder, log, page = tmp_path / "lab", tmp_path / "log", f"127.0.0.1:{free_port()}"
    size = ("--districts", "1", "--communes", "2")
    argv = [sys.executable, "-m", "tests.lab", "--folder", str(folder), "up", *size, "--page", page]
    env = {"PYTHONPATH": str(TOP), "PYTHONUNBUFFERED": "1"}
    with running(argv, ready=lambda: "ends everything" in log.read_text(), cwd=TOP, env=env, log=log, seconds=60) as p:
        yield Lab(folder, page, p, (folder / "namespaces").read_text().split())


def connected(lab: Lab) -> int:
    found: int = coverage(lab.page)["total"]["connected"]
    return found


def test_a_person_sees_every_node_connected_breaks_a_line_and_ends_the_lab(lab: Lab) -> None:
    wait_until(lambda: connected(lab) == 4, "the four nodes to be connected", 60)

    cut = lab("cut", "c2")
    assert (cut.returncode, cut.stdout) == (0, "cut: the primary line of c2\n")
    wait_until(lambda: any(line.split()[-1] == "nothing" for line in lab("status").stdout.splitlines()), "the cut", 30)
    assert lab("mend", "c2").returncode == 0
    wait_until(lambda: "nothing" not in lab("status").stdout, "the line", 30)

    assert lab("down").returncode == 0
    assert lab.process.wait(5) == 0
    assert not lab.folder.exists()
    assert traces(lab.namespaces) == []
    assert lab("status").returncode == 1


def test_what_cannot_be_done_is_said_and_changes_nothing(lab: Lab, tmp_path: Path) -> None:
    elsewhere = msgspec.structs.replace(lab, folder=tmp_path / "other")

    wrong, second, other = lab("cut", "c2", "backup"), lab("up"), elsewhere("up", "--page", lab.page)

    assert (wrong.returncode, second.returncode, other.returncode) == (1, 1, 1)
    assert wrong.stdout.startswith("c2 has no backup line: there are centre primary, d1 primary, c1 primary, c1 backup")
    assert "a lab is running, or was killed" in second.stderr
    assert f"{lab.page}: somebody listens there already" in other.stderr
    assert not elsewhere.folder.exists()
    wait_until(lambda: connected(lab) == 4, "the four nodes to be connected", 60)


def test_what_a_killed_lab_left_is_removed(lab: Lab) -> None:
    os.kill(lab.process.pid, signal.SIGKILL)
    lab.process.wait(5)
    assert traces(lab.namespaces) != []

    assert lab("down").returncode == 0

    assert traces(lab.namespaces) == []
    assert not lab.folder.exists()
