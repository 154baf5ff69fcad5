from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from agent.spool import Spool
from agent.spoolfile import SpoolError, SpoolFile
from checks.contract import SystemClock
from tests.agent.rows import measured
from tests.agent.waiting import eventually
from tests.peers import need

MANY = 1 << 20


@contextlib.asynccontextmanager
async def opened(path: Path, **options: int) -> AsyncIterator[Spool]:
    spool = await Spool.open(path, 64 << 20, SystemClock(), retry=0.02, **options)
    try:
        yield spool
    finally:
        await spool.close()


async def test_a_change_of_state_is_on_disk_at_once(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool.db") as spool:
        begin = time.monotonic()
        assert await spool.append(measured("down"), changed=True) == 1
        assert time.monotonic() - begin < 0.5


async def test_the_rest_waits_for_its_group_and_takes_one_transaction(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool.db") as spool:
        begin = time.monotonic()
        appended = [spool.append(measured(f"{n}"), changed=False) for n in range(500)]
        assert await asyncio.gather(*appended) == list(range(1, 501))
        assert 0.5 < time.monotonic() - begin < 2.0


async def test_reading_sees_what_was_appended_before(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool.db") as spool:
        spool.append(measured("a"), changed=False)
        spool.append(measured("b"), changed=False)
        batch = await spool.newest(0, MANY)
        assert [m.outcome.summary for _, m in batch.rows] == ["a", "b"]
        await spool.delete(batch.epoch, [1])
        assert [seq for seq, _ in (await spool.oldest(9, MANY)).rows] == [2]
        assert (await spool.stats()).rows == 1


async def test_closing_writes_what_waits(tmp_path: Path) -> None:
    async with opened(tmp_path / "spool.db") as spool:
        spool.append(measured("last words"), changed=False)
    async with opened(tmp_path / "spool.db") as spool:
        assert (await spool.newest(0, MANY)).rows[0][1].outcome.summary == "last words"
    with pytest.raises(SpoolError, match="is closed"):
        await spool.stats()


async def test_a_file_that_is_damaged_while_open_is_replaced_and_work_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "spool.db"
    async with opened(path) as spool:
        first = (await spool.stats()).epoch
        for n in range(3000):  # more than SQLite holds in memory
            spool.append(measured(f"{n} " + "x" * 500), changed=False)
        await spool.stats()
        await asyncio.to_thread(damage, path)
        await spool.append(measured("after the damage"), changed=True)
        batch = await spool.newest(0, MANY)
    assert batch.epoch != first
    assert [gap.why for _, gap in batch.gaps] == ["spool-corrupt"]
    assert "was set aside as" in caplog.text
    assert batch.rows[-1][1].outcome.summary == "after the damage"


def damage(path: Path) -> None:
    """Overwrites the file and its log under the open spool: what a broken disk does."""
    for name in (path, path.with_name("spool.db-wal")):
        with name.open("r+b") as file:
            file.write(os.urandom(max(4096, name.stat().st_size)))


# A full disk, for real: a small file system in memory.


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    need("mount", "umount", root=True)
    place = tmp_path / "disk"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


@pytest.mark.root
async def test_on_a_full_disk_measurements_wait_and_the_operator_is_told(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = small_disk / "spool.db"
    async with opened(path) as spool:
        assert await spool.append(measured("before"), changed=True) == 1
        ballast = fill(small_disk)
        waiting = [spool.append(measured(f"{n} " + "x" * 4000), changed=True) for n in range(20)]
        await eventually(lambda: spool.trouble)
        assert re.fullmatch(
            re.escape(f"the spool {path} cannot be written: the disk is full (")
            + r"\d+"
            + re.escape(
                f" bytes free in {small_disk}): free space there, or move state_dir. "
                "Until then measurements wait in memory, at most 8388608 bytes of them"
            ),
            spool.trouble,
        )
        assert caplog.text.count("the disk is full") == 1
        assert spool.waiting > 0
        assert (await spool.newest(0, MANY)).rows[0][1].outcome.summary == "before"
        await spool.alive()

        ballast.unlink()
        numbers = await asyncio.wait_for(asyncio.gather(*waiting), 10)
        assert numbers == list(range(2, 22))
        assert (spool.trouble, spool.waiting) == ("", 0)


@pytest.mark.root
async def test_what_memory_cannot_hold_either_becomes_a_gap(small_disk: Path) -> None:
    path = small_disk / "spool.db"
    async with opened(path, memory_bytes=40_000) as spool:
        await spool.append(measured("before"), changed=True)
        ballast = fill(small_disk)
        change = spool.append(measured("down " + "x" * 4000, at=1), changed=True)
        await eventually(lambda: spool.trouble)
        bulk = [spool.append(measured("x" * 1000, at=10 + n), changed=False) for n in range(100)]
        ballast.unlink()
        numbers = await asyncio.wait_for(asyncio.gather(*bulk), 10)
        lost = [n for n, number in enumerate(numbers) if number is None]
        assert await change is not None
        assert lost == list(range(len(lost)))  # the oldest bulk
        ((_, gap),) = (await spool.newest(0, MANY)).gaps
        assert (gap.why, gap.count, gap.start, gap.end) == ("disk-full", len(lost), 10, 10 + len(lost) - 1)
        assert gap.last - gap.first + 1 == gap.count


@pytest.mark.root
async def test_a_full_disk_does_not_keep_the_spool_from_draining(small_disk: Path) -> None:
    path = small_disk / "spool.db"
    async with opened(path) as spool:
        for n in range(100):
            spool.append(measured(f"{n} " + "x" * 500), changed=False)
        batch = await spool.newest(0, MANY)
        fill(small_disk)
        with contextlib.suppress(SpoolError):
            await spool.delete(batch.epoch, [seq for seq, _ in batch.rows])
        late = spool.append(measured("late"), changed=True)
        await eventually(lambda: late.done() or spool.trouble)
        await spool.newest(0, MANY)


# kill -9 of a process that spools.

WRITER = """
import asyncio, sys, random
from pathlib import Path
from agent.spool import Spool
from checks.contract import SystemClock
from tests.agent.rows import measured

async def main():
    spool = await Spool.open(Path(sys.argv[1]), 64 << 20, SystemClock())
    chance = random.Random(int(sys.argv[2]))
    n = 0
    while True:
        n += 1
        future = spool.append(measured(f"{sys.argv[2]}-{n}"), changed=chance.random() < 0.2)
        future.add_done_callback(lambda f, n=n: print(f.result(), f"{sys.argv[2]}-{n}", flush=True))
        if n % 50 == 0:
            batch = await spool.oldest(1 << 60, 2000)
            print("deleting", *(seq for seq, _ in batch.rows), flush=True)
            await spool.delete(batch.epoch, [seq for seq, _ in batch.rows])
        await asyncio.sleep(0.0005)

asyncio.run(main())
"""


@pytest.mark.slow
def test_twenty_kills_lose_nothing_that_was_acknowledged_and_repeat_no_number(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    chance = random.Random(7)
    acknowledged: dict[int, str] = {}
    deleted: set[int] = set()
    epochs = set()
    for life in range(20):
        log = tmp_path / f"{life}.log"
        with log.open("wb") as out:
            writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(life)], stdout=out, cwd=Path.cwd())
        end = time.monotonic() + 15
        while not log.stat().st_size and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        for line in log.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                continue
            if line.startswith("deleting"):
                deleted.update(int(seq) for seq in line.split()[1:])
                continue
            seq, text = line.split()
            assert int(seq) not in acknowledged, f"number {seq} was given out twice"
            acknowledged[int(seq)] = text
        file = SpoolFile(path, 64 << 20)
        epochs.add(file.epoch)
        held = {seq: m.outcome.summary for seq, m in file.oldest(1 << 60, 1 << 30).rows}
        file.close()
        missing = {seq for seq in acknowledged if seq not in held and seq not in deleted}
        assert missing == set()
        assert all(held[seq] == text for seq, text in acknowledged.items() if seq in held)
    assert len(epochs) == 1
    assert len(acknowledged) > 500
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
