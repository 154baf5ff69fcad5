from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.recovery import open_or_replace
from agent.spoolfile import Lost, SpoolError, SpoolFile
from agent.wire import Gap
from tests.agent.rows import measured, pending

MANY = 1 << 20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spool.db"


@pytest.fixture
def file(path: Path) -> Iterator[SpoolFile]:
    opened = SpoolFile(path, 64 << 20)
    yield opened
    opened.close()


def numbers(file: SpoolFile) -> list[int]:
    return [seq for seq, _ in file.oldest(1 << 40, MANY).rows]


def gaps(file: SpoolFile) -> list[Gap]:
    return [gap for _, gap in file.newest(0, MANY).gaps]


def test_what_was_written_is_read_back_in_order(file: SpoolFile) -> None:
    assert file.write([pending("one", at=5), pending("two", at=6)]) == [1, 2]
    batch = file.oldest(1 << 40, MANY)
    assert batch.rows == [(1, measured("one", at=5)), (2, measured("two", at=6))]
    assert (batch.epoch, batch.more) == (file.epoch, False)


def test_the_newest_come_first_when_not_all_fit(file: SpoolFile) -> None:
    file.write([pending(f"{n}") for n in range(10)])
    batch = file.newest(0, 3 * len(pending("0").body))
    assert [seq for seq, _ in batch.rows] == [8, 9, 10]
    assert batch.more
    assert [seq for seq, _ in file.newest(8, MANY).rows] == [9, 10]


def test_a_row_larger_than_the_batch_still_goes(file: SpoolFile) -> None:
    file.write([pending("x" * 1000), pending("y")])
    assert [seq for seq, _ in file.oldest(2, 10).rows] == [1]


def test_only_what_is_named_is_deleted(file: SpoolFile) -> None:
    file.write([pending(f"{n}") for n in range(6)])
    file.delete(file.epoch, [5, 1, 2])
    assert numbers(file) == [3, 4, 6]
    file.delete(file.epoch + 1, [3, 4, 6])
    assert numbers(file) == [3, 4, 6]
    stats = file.stats()
    assert (stats.rows, stats.last) == (3, 6)
    file.delete(file.epoch, [3, 4, 6, 77])
    assert (file.stats().rows, file.stats().bytes, file.stats().oldest) == (0, 0, None)


def test_a_number_is_never_used_again(path: Path) -> None:
    first = SpoolFile(path, MANY)
    first.write([pending(), pending()])
    first.delete(first.epoch, [1, 2])
    first.close()
    again = SpoolFile(path, MANY)
    assert again.epoch == first.epoch
    assert again.write([pending()]) == [3]
    again.close()


def test_the_spool_is_for_its_owner_alone(file: SpoolFile, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.slow
def test_a_second_agent_is_told_that_the_spool_is_in_use(file: SpoolFile, path: Path) -> None:
    file.write([pending()])
    with pytest.raises(SpoolError) as refused:
        SpoolFile(path, MANY)
    assert str(refused.value) == f"the spool {path} is in use: another thongsuot-agent runs with this state_dir"


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        SpoolError, match=r"cannot be opened: .*: state_dir must be a directory that this user may write"
    ):
        SpoolFile(tmp_path / "missing" / "spool.db", MANY)


def test_when_full_the_oldest_bulk_goes_first_and_leaves_a_gap(path: Path) -> None:
    file = SpoolFile(path, 20_000)
    for n in range(300):
        file.write([pending(f"{n:04}", at=n, bulk=n % 10 != 0)])
    kept = numbers(file)
    assert [n for n in range(1, 300, 10) if n not in kept] == []  # the changes of state
    bulk = [n for n in kept if n % 10 != 1]
    assert bulk == [n for n in range(bulk[0], 301) if n % 10 != 1]  # the newest of the rest
    lost = sorted({*range(1, 301)} - {*kept})
    told = gaps(file)
    assert sorted(n for gap in told for n in range(gap.first, gap.last + 1)) == lost
    assert sum(gap.count for gap in told) == len(lost) == file.stats().dropped
    assert {gap.why for gap in told} == {"spool-full"}
    assert (told[0].first, told[0].last, told[0].start, told[0].end) == (2, 10, 1, 9)
    file.close()


def test_changes_of_state_go_last(path: Path) -> None:
    file = SpoolFile(path, 10_000)
    for n in range(300):
        file.write([pending(f"{n:04}", at=n, bulk=False)])
    kept = numbers(file)
    assert kept == list(range(kept[0], 301))
    assert gaps(file) == [Gap(1, kept[0] - 1, 0, kept[0] - 2, kept[0] - 1, "spool-full")]
    file.close()


def test_the_file_stays_near_its_bound(path: Path) -> None:
    bound = 1 << 20
    file = SpoolFile(path, bound)
    for n in range(60):
        file.write([pending(f"{n} {k} " + "x" * 100, at=n) for k in range(200)])
    size = path.stat().st_size
    file.close()
    assert size < bound * 1.2


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 300), st.booleans()), min_size=1, max_size=60))
def test_every_number_is_held_or_committed_or_in_one_gap(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, int, bool]]
) -> None:
    file = SpoolFile(tmp_path_factory.mktemp("spool") / "spool.db", 4_000)
    given_out: set[int] = set()
    committed: set[int] = set()
    told: list[Gap] = []
    for bulk, size, report in steps:
        given_out.update(file.write([pending("x" * size, bulk=bulk)]))
        if report:
            batch = file.newest(0, 500)
            seqs = [seq for seq, _ in batch.rows]
            file.delete(file.epoch, seqs, [key for key, _ in batch.gaps])
            committed.update(seqs)
            told += [gap for _, gap in batch.gaps]
    held = set(numbers(file))
    lost = [n for gap in [*told, *gaps(file)] for n in range(gap.first, gap.last + 1)]
    file.close()
    assert held.isdisjoint(lost)
    assert held | committed | set(lost) == given_out
    assert len({gap.first for gap in told}) == len(told)


def test_a_gap_that_a_report_has_named_no_longer_grows(path: Path) -> None:
    file = SpoolFile(path, 4_000)
    file.write([pending("x" * 300) for _ in range(20)])
    ((key, named),) = file.newest(0, MANY).gaps
    file.write([pending("x" * 300) for _ in range(5)])
    again = file.newest(0, MANY).gaps
    assert again[0] == (key, named)
    assert again[1][1].first == named.last + 1
    file.delete(file.epoch, [], [key])
    assert [gap.first for gap in gaps(file)] == [named.last + 1]
    file.close()


def test_what_never_reached_the_disk_has_numbers_of_its_own(file: SpoolFile) -> None:
    file.write([pending()])
    assert file.write([pending()], Lost(7, 100, 200)) == [9]
    assert gaps(file) == [Gap(2, 8, 100, 200, 7, "disk-full")]


def test_what_the_collector_never_takes_is_set_aside_with_the_reason(file: SpoolFile, path: Path) -> None:
    file.write([pending("a", at=1), pending("b", at=2), pending("c", at=3)])
    file.set_aside(file.epoch, [2], "422 malformed: a name is too long")
    assert numbers(file) == [1, 3]
    assert gaps(file) == [Gap(2, 2, 2, 2, 1, "refused")]
    assert file.stats().refused == 1
    file.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT seq, at, reason FROM refused").fetchall() == [
            (2, 2, "422 malformed: a name is too long")
        ]
    db.close()


def test_a_row_that_cannot_be_read_does_not_hold_up_the_others(file: SpoolFile) -> None:
    file.write([pending("a"), pending("b"), pending("c")])
    file._db.execute("UPDATE measurement SET body = x'c1' WHERE seq = 2")
    assert [seq for seq, _ in file.oldest(9, MANY).rows] == [1, 3]
    assert [gap.first for gap in gaps(file)] == [2]


@pytest.mark.parametrize("damage", ["garbage", "torn page", "no schema"])
def test_a_damaged_spool_is_set_aside_and_a_fresh_one_says_so(path: Path, damage: str) -> None:
    first = SpoolFile(path, 64 << 20)
    first.write([pending(f"{n} " + "x" * 200) for n in range(200)])
    first.close()
    content = bytearray(path.read_bytes())
    if damage == "garbage":
        content[:] = b"not a database at all " * 500
    elif damage == "torn page":
        content[4096 * 6 : 4096 * 9] = bytes(4096 * 3)
    else:
        content[100:4096] = bytes(3996)
    path.write_bytes(content)

    fresh, said = open_or_replace(path, 64 << 20, 1_800_000_000_000)
    aside = path.with_name("spool.db.corrupt-1800000000000")
    assert said.startswith(f"the spool {path} is damaged: ")
    assert said.endswith(f"It was set aside as {aside}; what it held is lost unless a person can read it")
    assert aside.read_bytes() == content
    assert fresh.epoch != first.epoch
    (gap,) = gaps(fresh)
    assert (gap.why, gap.count, gap.end) == ("spool-corrupt", 0, 1_800_000_000_000)
    assert fresh.stats().corrupted == 1
    assert fresh.write([pending()]) == [2]
    fresh.close()
    again, nothing = open_or_replace(path, 64 << 20, 1_800_000_000_001)
    assert (nothing, numbers(again)) == ("", [2])
    again.close()


def test_damage_is_counted_and_only_the_newest_damaged_file_takes_room(path: Path) -> None:
    for n in range(3):
        path.write_bytes(b"garbage" * 1000)
        file, _ = open_or_replace(path, MANY, 1_800_000_000_000 + n)
        assert file.stats().corrupted == n + 1
        file.close()
    sizes = sorted(p.stat().st_size for p in path.parent.glob("spool.db.corrupt-*"))
    assert sizes == [0, 0, 7000]


def test_a_torn_log_is_cut_at_its_last_whole_transaction(path: Path) -> None:
    first = SpoolFile(path, 64 << 20)
    for n in range(10):
        first.write([pending(f"{n}")])
    wal = path.with_name("spool.db-wal")
    kept = path.read_bytes(), wal.read_bytes()
    first.close()
    path.write_bytes(kept[0])
    wal.write_bytes(kept[1][: len(kept[1]) - 1000])
    again, said = open_or_replace(path, 64 << 20, 0)
    assert said == ""
    assert numbers(again) == list(range(1, 10))
    again.close()
