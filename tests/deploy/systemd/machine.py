"""A machine of its own: a real systemd in systemd-nspawn, on a throw-away copy of this host's files, with no network
but its own loopback."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil

from tests.peers import running, wait_until

_TARGET = """
[Unit]
Description=What the services under test need, and none of this host's
Requires=basic.target
After=basic.target
AllowIsolate=yes
"""
_BOOT = """
for groups in $CGROUPS; do mkdir "$groups"; echo $$ > "$groups/cgroup.procs"; done
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$FOLDER"
mkdir "$FOLDER/upper" "$FOLDER/work" "$FOLDER/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$FOLDER/root"
cd "$FOLDER/root"
rm -f etc/machine-id && : > etc/machine-id
rm -rf etc/thongsuot opt/thongsuot var/lib/thongsuot-* var/log/journal
printf '%s' "$TARGET" > etc/systemd/system/thongsuot-test.target
exec systemd-nspawn --quiet --directory=. --machine="$NAME" --register=no --keep-unit --private-network \
    --resolv-conf=off --timezone=off --link-journal=no --console=pipe $BINDS \
    --boot -- --unit=thongsuot-test.target --show-status=no
"""
"""Mounts and processes are in namespaces of their own, and so end with it, however it ends."""
_APART = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
"""It ends when the tests do, however they end: their death is a signal to the first, and its death one to the rest."""
_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "SYSTEMD_PAGER": "",
    "PIP_CONFIG_FILE": "/dev/null",  # this host's may name an index that cannot be reached
}


class Machine:
    """A booted machine."""

    def __init__(self, leader: int) -> None:
        self._leader = leader

    def run(self, *argv: str, check: bool = True) -> str:
        """What a command that root runs on the machine prints. Fails with what it said, unless told not to check."""
        done = self._execute(argv)
        assert not check or done.returncode == 0, f"{' '.join(argv)}: exit {done.returncode}: {done.stdout[-3000:]}"
        return done.stdout

    def succeeds(self, *argv: str) -> bool:
        """Whether a command that root runs on the machine ends with 0."""
        return self._execute(argv).returncode == 0

    def _execute(self, argv: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", "--", *argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            env=_ENVIRONMENT,
            check=False,
            timeout=100,
        )

    def shown(self, unit: str, what: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "--property", what, unit).strip()

    def journal(self, unit: str) -> str:
        """What a unit, and systemd about it, has said so far."""
        return self.run("journalctl", "--no-pager", "--output=cat", "--unit", unit)

    def write(self, path: str, text: str) -> None:
        """A file with this text."""
        self.path(path).write_text(text, encoding="utf-8")

    def path(self, path: str) -> Path:
        """Where, seen from here, a file of the machine is."""
        return Path(f"/proc/{self._leader}/root{path}")


@contextlib.contextmanager
def booted(folder: Path, binds: Mapping[Path, str]) -> Iterator[Machine]:
    """A machine, for the length of a ``with``. ``binds``: folders of this host, and where it sees them, read-only."""
    name = f"thongsuot-test-{os.getpid()}"
    groups = [mount / name for mount in _hierarchies()]
    root, log = folder / "machine", folder / "machine.log"
    root.mkdir()
    environment = {
        "CGROUPS": " ".join(map(str, groups)),
        "FOLDER": str(root),
        "TARGET": _TARGET,
        "NAME": name,
        "BINDS": " ".join(f"--bind-ro={here}:{there}" for here, there in binds.items()),
    }
    try:
        with running([*_APART, "sh", "-ec", _BOOT], ready=_up, env=environment, log=log, seconds=30):
            leader = _leader()
            assert leader is not None
            try:
                yield Machine(leader.pid)
            finally:
                leader.kill()  # nothing on it is worth an orderly end
    finally:
        for group in groups:
            wait_until(functools.partial(_removed, group), f"{group} to be empty")


def _leader() -> psutil.Process | None:
    """The first process of the machine, its systemd, once there is one."""
    with contextlib.suppress(psutil.NoSuchProcess):  # what starts it comes and goes
        for process in psutil.Process().children(recursive=True):
            parent = process.parent()
            if process.name() == "systemd" and parent is not None and parent.name() == "systemd-nspawn":
                return process
    return None


def _up() -> bool:
    leader = _leader()
    said = Machine(leader.pid).run("systemctl", "is-system-running", check=False) if leader else ""
    return said.strip() in ("running", "degraded")


def _hierarchies() -> Iterator[Path]:
    """The control group hierarchies that systemd keeps its units in: the unified one, and that of its name."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        mount, _, filesystem = line.partition(" - ")
        if filesystem.startswith("cgroup2 ") or "name=systemd" in filesystem:
            yield Path(mount.split()[4])


def _removed(group: Path) -> bool:
    """Removes a control group with those below it, deepest first; whether it is gone."""
    for folder, _, _ in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):  # a process that is still ending is in it
            Path(folder).rmdir()
    return not group.exists()
