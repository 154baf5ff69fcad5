from __future__ import annotations

import os
from pathlib import Path

import pytest

from collector.state import Changes, StateError, StateFile


def test_of_a_token_only_its_hash_is_kept(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "s.db")
    token = state.new_token("d1", 1)
    state.close()
    assert token.encode() not in (tmp_path / "s.db").read_bytes()
    assert StateFile(tmp_path / "s.db").agent_of(token) == "d1"


def test_a_revocation_by_another_process_holds_at_once(tmp_path: Path) -> None:
    running, command = StateFile(tmp_path / "s.db"), StateFile(tmp_path / "s.db")
    token = running.new_token("d1", 1)
    assert running.agent_of(token) == "d1"
    assert command.revoke("d1")
    assert running.agent_of(token) is None
    assert not command.revoke("d1")


def test_a_new_token_replaces_the_one_before(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "s.db")
    first, second = state.new_token("d1", 1), state.new_token("d1", 2)
    assert state.agent_of(first) is None
    assert state.agent_of(second) == "d1"
    assert state.agents() == {"d1": 2}


@pytest.mark.parametrize("hostile", ["'; DROP TABLE agent; --", "\0", "d1\n", "𝔡1", ""])
def test_hostile_tokens_are_nobodys(tmp_path: Path, hostile: str) -> None:
    state = StateFile(tmp_path / "s.db")
    state.new_token("d1", 1)
    assert state.agent_of(hostile) is None
    assert state.agents() == {"d1": 1}


def test_changes_are_kept_whole_or_not_at_all(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "s.db")
    state.save(Changes(things={("job", "a"): b"1"}))
    with state._engine.connect() as db:
        pages = db.exec_driver_sql("PRAGMA page_count").scalar()
        db.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StateError, match=r"s\.db: cannot be written .*full.*: free space on its disk"):
        state.save(Changes(things={("job", "b"): b"2", ("job", "c"): os.urandom(100_000)}))
    assert state.things("job") == {"a": b"1"}


def test_things_are_forgotten(tmp_path: Path) -> None:
    state = StateFile(tmp_path / "s.db")
    state.save(Changes(things={("job", "a"): b"1", ("job", "b"): b"2"}))
    changes = Changes(things={("job", "b"): b"3"})
    changes.forget("job", "a")
    changes.forget("job", "none")
    state.save(changes)
    assert state.things("job") == {"b": b"3"}


def test_a_file_that_is_none_is_not_overwritten_and_named(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"no database, but somebody's text " * 100)
    with pytest.raises(StateError, match=r"s\.db: cannot be opened .*not a database.*restored from a backup"):
        StateFile(tmp_path / "s.db")
    assert (tmp_path / "s.db").read_bytes().startswith(b"no database")
