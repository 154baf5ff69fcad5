from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from checks.model import JobId
from collector.configs.history import History, HistoryError, path_of
from tests.collector.configs.versions import AFTER, BEFORE, hash_of, version
from tests.peers import need

R1, R2 = JobId("d1", "config", "r1"), JobId("c1", "config", "../.git/hooks")
T0 = 1_750_000_000_000


@pytest.fixture(autouse=True)
def _git() -> None:
    need("git")


def git(directory: Path, *arguments: str) -> str:
    return subprocess.run(["git", "-C", str(directory), *arguments], check=True, capture_output=True, text=True).stdout


def test_versions_are_commits_with_who_and_when(tmp_path: Path) -> None:
    history = History(tmp_path / "configs.git")
    assert history.lines(R1) == []

    history.write([(R1, version(BEFORE, T0)), (R1, version(AFTER, T0 + 60_000, "alice <a@b>\n"))])

    assert [(line.hash, line.at, line.by) for line in history.lines(R1)] == [
        (hash_of(AFTER), T0 + 60_000, "alice a@b"),
        (hash_of(BEFORE), T0, "agent of d1"),
    ]
    assert history.text(R1, hash_of(BEFORE)[:6]) == BEFORE
    assert history.text(R1, "zzz") is None
    assert git(tmp_path / "configs.git", "show", "main:d1/r1.conf") == AFTER
    assert git(tmp_path / "configs.git", "fsck", "--strict") == ""


def test_what_is_written_already_is_not_written_again(tmp_path: Path) -> None:
    history = History(tmp_path / "configs.git")
    rows = [(R1, version(BEFORE, T0)), (R1, version(AFTER, T0 + 1))]

    history.write(rows[:1])
    history.write(rows)
    history.write(rows)

    assert git(tmp_path / "configs.git", "rev-list", "--count", "main") == "2\n"


def test_the_same_versions_make_the_same_commits_wherever_they_are_written(tmp_path: Path) -> None:
    heads = set()
    for name in ("a", "b"):
        History(tmp_path / name).write([(R1, version(BEFORE, T0)), (R2, version(AFTER, T0 + 1))])
        heads.add(git(tmp_path / name, "rev-parse", "main"))

    assert len(heads) == 1


def test_no_label_leads_out_of_the_repository(tmp_path: Path) -> None:
    assert path_of(R2) == "c1/_._.git_hooks.conf"
    History(tmp_path / "configs.git").write([(R2, version(BEFORE, T0))])


def test_a_repository_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    history = History(tmp_path / "configs.git")
    history.write([(R1, version(BEFORE, T0))])
    (tmp_path / "configs.git" / "HEAD").write_text("nonsense\n")

    with pytest.raises(HistoryError, match=r"configs\.git: git .* failed: .*not a git repository"):
        history.write([(R1, version(AFTER, T0 + 1))])
