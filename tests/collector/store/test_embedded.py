from __future__ import annotations

import logging
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from collector.store.embedded import MAX_POINTS, EmbeddedStore
from collector.store.model import Batch, Selector, StoreAway, StoreError
from tests.collector.store.labs import T0, batch, key, read
from tests.peers import need

A, B, C = key("n", "a"), key("n", "b"), key("n", "c")
DAY = 86_400_000

WRITER = """
import asyncio, sys
from pathlib import Path
from collector.store.embedded import EmbeddedStore
from tests.collector.store.labs import batch, key

async def main():
    store = await EmbeddedStore.open(Path(sys.argv[1]), points=8)
    entry = store.settled
    while True:
        entry += 1
        series = [key("n", name) for name in "abc"[: 1 + entry % 3]]
        await store.write([batch(store, entry, *((one, entry, float(entry)) for one in series))])
        print(entry, store.settled, flush=True)

asyncio.run(main())
"""


def write_and_be_killed(path: Path, *, after: int) -> tuple[int, int]:
    """Has a process write until it is killed after some entries. Returns the last that it told, and the settled one."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [writer.stdout.readline() for _ in range(after)]
        writer.kill()
    last, settled = map(int, told[-1].split())
    return last, settled


def sealed_points(path: Path) -> int:
    """How many points are in chunks, twins counted."""
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("SELECT coalesce(sum(count), 0) FROM chunk").fetchone()[0])


@pytest.mark.slow
async def test_killed_in_the_middle_of_writes_it_has_every_point_once_after_the_replay(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    chance = random.Random(7)
    last = 0
    for _ in range(4):
        last, settled = write_and_be_killed(path, after=chance.randrange(20, 120))
        store = await EmbeddedStore.open(path, points=8)
        assert settled <= store.settled <= store.newest
        await store.close()
    store = await EmbeddedStore.open(path, points=8)
    last = max(last, store.newest)
    for entry in range(store.settled + 1, last + 1):
        series = [key("n", name) for name in "abc"[: 1 + entry % 3]]
        await store.write([batch(store, entry, *((one, entry, float(entry)) for one in series))])
    await store.close()
    store = await EmbeddedStore.open(path)
    expected = 0
    for i, name in enumerate("abc"):
        wanted = [(entry, float(entry)) for entry in range(1, last + 1) if entry % 3 >= i]
        assert await read(store, key("n", name)) == wanted
        expected += len(wanted)
    assert sealed_points(path) == expected
    await store.close()


async def test_a_replay_skips_what_was_sealed_beyond_the_settled_entry(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await EmbeddedStore.open(path, points=8)
    entries = [batch(store, 1, (B, 0, 1.0))] + [batch(store, entry, (A, entry, 1.0)) for entry in range(2, 12)]
    await store.write(entries)
    assert (store.settled, store.newest) == (0, 11)
    for name in ("store.db", "store.db-wal"):
        shutil.copy(tmp_path / name, tmp_path / f"crashed-{name}")
    await store.close()

    crashed = tmp_path / "crashed-store.db"
    store = await EmbeddedStore.open(crashed, points=8)
    sealed = sealed_points(crashed)
    assert sealed > 0
    assert (store.settled, store.newest) == (0, 11 if sealed == 10 else store.newest)
    ids = {one: store.series_id(one) for one in (A, B)}
    await store.write([Batch(e.entry, [ids[B if e.entry == 1 else A]], e.at, e.values) for e in entries])
    assert len(await read(store, A)) == 10
    await store.close()
    assert sealed_points(crashed) == 11


async def test_settled_follows_the_oldest_point_that_is_in_no_chunk(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "store.db", points=1)
    await store.write([batch(store, 5, (A, 0, 1.0))])
    assert store.settled == 5
    await store.close()
    store = await EmbeddedStore.open(tmp_path / "store.db", points=1000)
    await store.write([batch(store, 6, (A, 1, 1.0)), batch(store, 7, (B, 1, 1.0))])
    assert store.settled == 5
    await store.flush()
    assert store.settled == 7
    await store.close()


async def test_a_head_is_sealed_when_it_is_old(tmp_path: Path) -> None:
    now = 0.0
    store = await EmbeddedStore.open(tmp_path / "store.db", monotonic=lambda: now, max_age=3600)
    await store.write([batch(store, 1, (A, 0, 1.0))])
    now = 1800.0
    await store.write([batch(store, 2, (B, 0, 1.0))])
    assert store.settled == 0
    now = 3601.0
    await store.write([batch(store, 3, (C, 0, 1.0))])
    assert store.settled == 1
    assert await read(store, A) == [(0, 1.0)]
    await store.close()


async def test_the_oldest_heads_are_sealed_when_there_is_too_much_in_memory(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "store.db", max_points=400)
    many = [key("n", f"m{i}") for i in range(600)]
    await store.write([batch(store, 1 + i, (one, 0, 1.0)) for i, one in enumerate(many)])
    assert store.settled >= 200
    assert len(await store.query(Selector(node="n"), T0, T0 + 1)) == 600
    await store.close()


async def test_a_chunk_is_bounded_in_time_and_size_and_its_tail_is_found(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await EmbeddedStore.open(path)
    sparse = [(A, i * DAY // 3, float(i)) for i in range(20)]
    dense = [(B, i, float(i)) for i in range(2 * MAX_POINTS + 1)]
    await store.write([batch(store, 1, *sparse, *dense)])
    await store.flush()
    assert await read(store, A) == [(at, value) for _, at, value in sparse]
    (tail,) = await store.query(Selector(metric="a"), T0 + 2 * DAY // 3, T0 + DAY)
    assert list(tail.values) == [2.0]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT max(last_ms - first_ms) < ?, max(count) FROM chunk", (DAY,)).fetchone() == (
            1,
            MAX_POINTS,
        )
    await store.close()


async def test_a_series_with_nothing_left_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    store = await EmbeddedStore.open(tmp_path / "store.db")
    await store.write([batch(store, 1, (A, 0, 1.0), (B, DAY, 1.0))])
    await store.flush()
    await store.retain(T0 + DAY)
    await store.write([batch(store, 2, (B, DAY + 1, 1.0))])
    await store.close()
    store = await EmbeddedStore.open(tmp_path / "store.db")
    assert await store.series() == [B]
    await store.close()


@pytest.mark.parametrize("damage", [b"this is no database" * 400, b"SQLite format 3\0" + b"\xff" * 8000])
async def test_a_broken_file_is_set_aside_and_the_store_goes_on(
    tmp_path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(damage)
    with caplog.at_level(logging.ERROR):
        store = await EmbeddedStore.open(path)
    assert (store.set_aside, store.settled) == (1, 0)
    assert (tmp_path / "store.db.broken-1").read_bytes() == damage
    assert "set aside as store.db.broken-1, going on with an empty one" in caplog.text
    await store.write([batch(store, 1, (A, 0, 1.0))])
    await store.close()
    store = await EmbeddedStore.open(path)
    assert (store.set_aside, await read(store, A)) == (0, [(0, 1.0)])
    await store.close()


async def test_a_broken_block_is_an_error_that_names_the_series(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await EmbeddedStore.open(path)
    await store.write([batch(store, 1, (A, 0, 1.0), (B, 0, 1.0))])
    await store.flush()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE chunk SET block = x'00' WHERE series = ?", (store.series_id(A),))
    with pytest.raises(StoreError, match=r"store\.db: cannot read n/wan/up/a//s: "):
        await read(store, A)
    assert await read(store, B) == [(0, 1.0)]
    await store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 900 kB."""
    need("mount", root=True)
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", disk], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.mark.root
async def test_a_full_disk_is_waited_out_and_nothing_is_lost_or_doubled(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(700_000))
    store = await EmbeddedStore.open(small_disk / "store.db", points=50)
    chance = random.Random(1)
    batches = [
        batch(store, entry, *((key("n", f"m{i}"), entry, chance.random()) for i in range(100)))
        for entry in range(1, 151)
    ]
    with pytest.raises(StoreAway, match=r"store\.db: .*: check the space on the disk"):
        await store.write(batches)
    assert store.settled < 150
    assert len(await store.query(Selector(node="n"), 0, 2 * T0)) == 100
    ballast.unlink()
    await store.write(batches)
    await store.flush()
    assert store.settled == 150
    answer = await store.query(Selector(node="n"), 0, 2 * T0)
    assert [len(found.at) for found in answer] == [150] * 100
    await store.close()
    assert sealed_points(small_disk / "store.db") == 150 * 100


async def test_a_folder_that_cannot_be_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreAway, match="file: cannot make the folder: "):
        await EmbeddedStore.open(tmp_path / "file" / "store.db")


@pytest.mark.slow
async def test_a_file_that_breaks_under_way_is_set_aside_and_what_is_in_memory_goes_into_a_new_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "store.db"
    store = await EmbeddedStore.open(path)
    chance = random.Random(1)
    many = [key("n", f"m{i}") for i in range(2000)]
    await store.write([batch(store, 1, *((one, i, chance.random()) for one in many for i in range(150)))])
    await store.flush()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    await store.write([batch(store, 2, *((one, 1000, 5.0) for one in many))])
    await store.flush()
    assert (store.set_aside, store.settled) == (1, 2)
    assert await read(store, many[77]) == [(1000, 5.0)]
    await store.close()
    store = await EmbeddedStore.open(path)
    assert await read(store, many[77]) == [(1000, 5.0)]
    assert len(await store.series()) == 2000
    await store.close()
