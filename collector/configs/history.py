"""The history of configurations: a git repository, one commit a version. Blocking: for a thread.

git is called by argv, in an environment of its own, with no configuration but what stands here. The same versions make
the same commits, and one that is in the history already is not written again: a crash between the two costs nothing.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from checks.model import JobId
from collector.configs.model import Version

_BRANCH: Final = "refs/heads/main"
_TRAILER: Final = "Version: "
_LOG: Final = "--format=%H%x1f%at%x1f%an%x1f%(trailers:key=Version,valueonly,separator=%x20)%x1e"
_OPTIONS: Final = ("-c", "core.fsync=committed,reference", "-c", "gc.auto=2000", "-c", "safe.directory=*")
_COMMITTER: Final = "thongsuot-collector <collector@localhost>"


class HistoryError(Exception):
    """git cannot do it. The message says what was tried, and what git says."""


def git() -> str:
    """Where git is. Raises FileNotFoundError."""
    found = shutil.which("git")
    if found is None:
        raise FileNotFoundError("git is not installed, which keeps the configurations of devices: apt-get install git")
    return found


class Line(msgspec.Struct, frozen=True):
    """A line of a history: the version's hash, when it was seen (Unix ms), who changed it, and its commit."""

    hash: str
    at: int
    by: str
    commit: str


class History:
    """The repository in a directory; made with the first version."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def write(self, versions: Iterable[tuple[JobId, Version]]) -> None:
        """Writes versions down, in order, all or none. Raises HistoryError."""
        known: dict[JobId, set[str]] = {}
        new = []
        for job, version in versions:
            written = known.get(job)
            if written is None:
                written = known[job] = {line for _, line in self._log(job)}
            if version.id not in written and version.text is not None:
                written.add(version.id)
                new.append((job, version))
        if not new:
            return
        if not (self._directory / "HEAD").is_file():
            self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self._directory), at=Path())
        parent = self._git("rev-parse", "--quiet", "--verify", _BRANCH, fails=b"").strip().decode()
        self._git("fast-import", "--quiet", "--date-format=raw", said=b"".join(_stream(new, parent)))
        self._git("gc", "--auto", "--quiet")

    def lines(self, job: JobId) -> list[Line]:
        """The versions of a job, newest first. Raises HistoryError."""
        return [line for line, _ in self._log(job)]

    def text(self, job: JobId, wanted: str) -> str | None:
        """The text of the newest version whose hash begins so; None when there is none."""
        commit = next((line.commit for line in self.lines(job) if line.hash.startswith(wanted)), None)
        if commit is None:
            return None
        return self._git("cat-file", "blob", f"{commit}:{path_of(job)}").decode(errors="replace")

    def _log(self, job: JobId) -> list[tuple[Line, str]]:
        """Each line with the id of its version."""
        if not (self._directory / "HEAD").is_file():
            return []
        log = self._git("log", _LOG, _BRANCH, "--", path_of(job), fails=b"").decode(errors="replace")
        found = []
        for entry in log.split("\x1e")[:-1]:
            commit, at, by, version = entry.strip("\n").split("\x1f")
            found.append((Line(version.partition(" ")[0], int(at) * 1000, by, commit), version.strip()))
        return found

    def _git(self, *arguments: str, said: bytes = b"", at: Path | None = None, fails: bytes | None = None) -> bytes:
        """Runs git in the repository. ``fails`` is the answer where git says no; else that raises HistoryError."""
        directory = self._directory if at is None else at
        done = subprocess.run(  # noqa: S603 - argv of ours; no shell
            [git(), *_OPTIONS, *arguments],
            input=said,
            capture_output=True,
            cwd=directory,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": "/nonexistent",
                "LC_ALL": "C.UTF-8",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                "GIT_TERMINAL_PROMPT": "0",
            },
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        if fails is not None:
            return fails
        why = done.stderr.decode(errors="replace").strip()
        raise HistoryError(f"{directory}: git {arguments[0]} failed: {why[:500]}")


def path_of(job: JobId) -> str:
    """Where a job's configuration is in the repository."""
    return "/".join(re.sub(r"^\.|[^\w.@-]", "_", part) for part in (job.node, f"{job.label}.conf"))


def _stream(versions: Sequence[tuple[JobId, Version]], parent: str) -> Iterable[bytes]:
    """For git fast-import."""
    for job, version in versions:
        text = (version.text or "").encode()
        author = re.sub(r"[<>\x00-\x1f]", "", version.by or f"agent of {version.agent}").strip()[:100] or "unknown"
        message = f"{job.node} {job.label}\n\n{_TRAILER}{version.id}\n".encode()
        second = version.at // 1000
        yield f"commit {_BRANCH}\n".encode()
        yield f"author {author} <{version.agent}@agent> {second} +0000\n".encode()
        yield f"committer {_COMMITTER} {second} +0000\n".encode()
        yield b"data %d\n%s\n" % (len(message), message)
        if parent:
            yield f"from {parent}\n".encode()
            parent = ""
        yield f'M 100644 inline "{path_of(job)}"\n'.encode()
        yield b"data %d\n%s\n" % (len(text), text)
