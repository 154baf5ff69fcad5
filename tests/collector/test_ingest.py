"""Reports into the journal, with real files."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from agent import wire
from checks.model import Measurement, Outcome, State
from collector import ingest as module
from collector.ingest import Ingest, RefusedError
from collector.journal import Entry, Journal, JournalError
from tests.collector.senders import NOW, Sender


@contextlib.asynccontextmanager
async def taking(path: Path, after: int = 0) -> AsyncIterator[tuple[Ingest, list[Entry]]]:
    """An ingest over a journal, and the entries it commits."""
    journal = Journal(path, after)
    entries: list[Entry] = []

    async def collect() -> None:
        async for entry in journal.committed():
            entries.append(entry)  # noqa: PERF401 - seen as they come

    task = asyncio.create_task(collect())
    try:
        yield Ingest(journal), entries
    finally:
        await journal.close()
        await task
        journal.shut()


def numbers(entries: list[Entry]) -> list[int]:
    return [n for entry in entries for n in wire.sequence_numbers(entry.report.columns)]


async def test_an_acknowledged_report_is_read_back_after_a_restart(tmp_path: Path) -> None:
    sender = Sender()
    rows = sender.rows(3)
    async with taking(tmp_path / "j") as (ingest, _):
        assert await ingest.take("d1", sender.body(rows), NOW) == 3
    journal = Journal(tmp_path / "j")
    (entry,) = journal.entries()
    assert wire.measurements_of(entry.report.columns, entry.table) == rows
    assert journal.depth == 1
    journal.shut()


async def test_a_report_sent_again_changes_nothing_and_is_acknowledged(tmp_path: Path) -> None:
    sender = Sender()
    body = sender.body(sender.rows(3))
    async with taking(tmp_path / "j") as (ingest, entries):
        assert await ingest.take("d1", body, NOW) == 3
        assert await ingest.take("d1", body, NOW) == 0
        assert ingest.counters.repeated == 3
        assert ingest.journal.depth == 1
    async with taking(tmp_path / "j") as (ingest, _):
        assert await ingest.take("d1", body, NOW) == 0
    assert numbers(entries) == [1, 2, 3]


async def test_of_a_report_that_overlaps_only_what_is_new_is_kept(tmp_path: Path) -> None:
    sender = Sender()
    rows = sender.rows(5)
    async with taking(tmp_path / "j") as (ingest, entries):
        await ingest.take("d1", sender.body(rows[1:3]), NOW)
        await ingest.take("d1", sender.body(rows), NOW)
    assert numbers(entries) == [2, 3, 1, 4, 5]


async def test_two_spools_of_one_agent_are_told_apart(tmp_path: Path) -> None:
    first, second = Sender(epoch=1), Sender(epoch=2, table=2)
    async with taking(tmp_path / "j") as (ingest, entries):
        await ingest.take("d1", first.body(first.rows(2)), NOW)
        await ingest.take("d1", second.body(second.rows(2)), NOW)
    assert numbers(entries) == [1, 2, 1, 2]


async def test_words_come_once_and_outlive_a_restart(tmp_path: Path) -> None:
    sender = Sender()
    async with taking(tmp_path / "j") as (ingest, _):
        await ingest.take("d1", sender.body(sender.rows(1)), NOW)
    known = (len(sender.table.texts), len(sender.table.series))
    async with taking(tmp_path / "j") as (ingest, _):
        assert await ingest.take("d1", sender.body(sender.rows(1), words_from=known), NOW) == 1


async def test_a_report_with_unknown_words_asks_for_them_all(tmp_path: Path) -> None:
    sender = Sender()
    async with taking(tmp_path / "j") as (ingest, entries):
        with pytest.raises(RefusedError) as refused:
            await ingest.take("d1", sender.body(sender.rows(1), words_from=(5, 1)), NOW)
        assert refused.value.status == 409
        assert refused.value.refusal.error == "unknown-ids"
        assert await ingest.take("d1", sender.body(sender.rows(1)), NOW) == 1
    assert numbers(entries) == [2]


async def test_words_of_a_refused_report_are_not_kept(tmp_path: Path) -> None:
    sender = Sender()
    rows = sender.rows(1)
    report = wire.decode(sender.body(rows))
    report.columns.counts = [7]
    async with taking(tmp_path / "j") as (ingest, _):
        with pytest.raises(RefusedError, match="not as many as the rows say") as refused:
            await ingest.take("d1", wire.encode(report), NOW)
        assert refused.value.status == 422
        known = (len(sender.table.texts), len(sender.table.series))
        with pytest.raises(RefusedError, match="0 texts and 0 series are known"):
            await ingest.take("d1", sender.body(rows, words_from=known), NOW)


async def test_no_agent_speaks_for_another(tmp_path: Path) -> None:
    sender = Sender(agent="d1")
    async with taking(tmp_path / "j") as (ingest, entries):
        with pytest.raises(RefusedError, match="c1's token cannot speak for 'd1'") as refused:
            await ingest.take("c1", sender.body(sender.rows(1)), NOW)
    assert refused.value.status == 403
    assert not entries


async def test_gaps_are_kept_and_shown(tmp_path: Path) -> None:
    sender, gap = Sender(), wire.Gap(1, 9, NOW - 900, NOW, 9, "spool-full")
    sender.next = 10
    async with taking(tmp_path / "j") as (ingest, _):
        await ingest.take("d1", sender.body(sender.rows(1), gaps=(gap,)), NOW)
        assert ingest.journal.gaps() == [("d1", gap)]
        assert ingest.journal.received("d1", 1).runs() == [(1, 10)]


async def test_what_is_settled_is_trimmed_and_still_known_as_received(tmp_path: Path) -> None:
    sender = Sender()
    body = sender.body(sender.rows(2))
    async with taking(tmp_path / "j") as (ingest, entries):
        await ingest.take("d1", body, NOW)
        await ingest.journal.trim(entries[0].id)
        assert ingest.journal.entries() == []
        assert ingest.journal.depth == 0
        assert await ingest.take("d1", body, NOW) == 0


async def test_tables_of_an_agents_earlier_processes_are_forgotten_with_their_entries(tmp_path: Path) -> None:
    async with taking(tmp_path / "j") as (ingest, entries):
        for table in (1, 2):
            sender = Sender(epoch=table, table=table)
            await ingest.take("d1", sender.body(sender.rows(1)), NOW)
        await ingest.journal.trim(entries[-1].id)
        assert list(ingest.journal.tables) == [("d1", 2)]
    journal = Journal(tmp_path / "j")
    assert list(journal.tables) == [("d1", 2)]
    journal.shut()


async def test_a_journal_that_was_lost_goes_on_above_what_the_store_remembers(tmp_path: Path) -> None:
    sender = Sender()
    async with taking(tmp_path / "j", after=41) as (ingest, entries):
        await ingest.take("d1", sender.body(sender.rows(1)), NOW)
    assert [entry.id for entry in entries] == [42]


async def test_a_full_disk_acknowledges_nothing_and_forgets_nothing(tmp_path: Path) -> None:
    sender = Sender()
    async with taking(tmp_path / "j") as (ingest, entries):
        await ingest.take("d1", sender.body(sender.rows(1)), NOW)
        pages = ingest.journal._db.execute("PRAGMA page_count").fetchone()[0]
        ingest.journal._db.execute(f"PRAGMA max_page_count = {pages}")
        # zstd cannot make random words small
        chance = random.Random(1)
        words = "".join(chance.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=200_000))
        large = (sender.next, Measurement("d1/ping/r1", NOW, 0.1, Outcome(State.CRIT, words, "timeout")))
        body = sender.body([large])
        with pytest.raises(JournalError, match=r"cannot write the journal .*full.*: free space on its disk"):
            await ingest.take("d1", body, NOW)
        ingest.journal._db.execute("PRAGMA max_page_count = 1000000")
        everything = (len(sender.table.texts), len(sender.table.series))
        with pytest.raises(RefusedError, match="texts and 1 series are known"):
            await ingest.take("d1", sender.body([large], words_from=everything), NOW)  # its words are asked for again
        assert await ingest.take("d1", body, NOW) == 1
    assert numbers(entries) == [1, 2]


async def test_an_empty_report_is_a_sign_of_life_and_takes_no_space(tmp_path: Path) -> None:
    async with taking(tmp_path / "j") as (ingest, entries):
        assert await ingest.take("d1", Sender().body([]), NOW) == 0
        assert ingest.journal.depth == 0
    assert [entry.id for entry in entries] == [0]


async def test_after_a_failed_write_the_words_on_disk_are_still_those_of_the_agent(tmp_path: Path) -> None:
    sender = Sender()
    async with taking(tmp_path / "j") as (ingest, _):
        await ingest.take("d1", sender.body(sender.rows(1)), NOW)
        ingest.journal._db.execute("PRAGMA query_only = 1")
        with pytest.raises(JournalError):
            await ingest.take("d1", sender.body(sender.rows(1, "d1/ping/r2")), NOW)
        ingest.journal._db.execute("PRAGMA query_only = 0")
        await ingest.take("d1", sender.body(sender.rows(1, "d1/ping/r2")), NOW)
    known = (len(sender.table.texts), len(sender.table.series))
    async with taking(tmp_path / "j") as (ingest, _):
        assert ingest.journal.tables["d1", 1].texts == sender.table.texts
        assert await ingest.take("d1", sender.body(sender.rows(1, "d1/ping/r3"), words_from=known), NOW) == 1


async def test_closing_ends_although_the_last_write_failed(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal._db.execute("PRAGMA query_only = 1")
    sender = Sender()
    sending = asyncio.create_task(Ingest(journal).take("d1", sender.body(sender.rows(1)), NOW))
    await asyncio.sleep(0)
    await journal.close()
    async with asyncio.timeout(5):
        assert [entry async for entry in journal.committed()] == []
    with pytest.raises(JournalError):
        await sending
    journal.shut()


async def test_a_table_is_not_forgotten_while_an_entry_that_needs_it_waits_to_be_written(tmp_path: Path) -> None:
    old, new = Sender(table=1), Sender(epoch=2, table=2)
    async with taking(tmp_path / "j") as (ingest, entries):
        journal = ingest.journal
        await ingest.take("d1", old.body(old.rows(1)), NOW)
        await ingest.take("d1", new.body(new.rows(1)), NOW)
        known = (len(old.table.texts), len(old.table.series))
        written = threading.Event()
        busy = journal._thread.submit(written.wait)
        first = asyncio.create_task(ingest.take("d1", new.body(new.rows(1)), NOW))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is being written, the second will be in the next group
        second = asyncio.create_task(ingest.take("d1", old.body(old.rows(1), words_from=known), NOW))
        await asyncio.sleep(0)
        trimming = asyncio.create_task(journal.trim(entries[-1].id))
        await asyncio.sleep(0)
        written.set()
        assert list(await asyncio.gather(first, second)) == [1, 1]
        await trimming
        assert busy.done()
        assert journal.depth == 2
        assert [entry.report.table for entry in journal.entries()] == [2, 1]
    again = Journal(tmp_path / "j")
    assert [entry.table.texts for entry in again.entries()] == [new.table.texts, old.table.texts]
    again.shut()


async def test_trimming_on_a_full_disk_says_so_and_forgets_nothing(tmp_path: Path) -> None:
    async with taking(tmp_path / "j") as (ingest, entries):
        for table in (1, 2):
            sender = Sender(epoch=table, table=table)
            await ingest.take("d1", sender.body(sender.rows(1)), NOW)
        ingest.journal._db.execute("PRAGMA query_only = 1")
        with pytest.raises(JournalError, match="cannot write the journal"):
            await ingest.journal.trim(entries[-1].id)
        ingest.journal._db.execute("PRAGMA query_only = 0")
        assert set(ingest.journal.tables) == {("d1", 1), ("d1", 2)}
        assert ingest.journal.depth == 2


Change = Callable[[wire.Report], None]


def _set(**fields: Any) -> Change:
    def change(report: wire.Report) -> None:
        for name, value in fields.items():
            setattr(report if hasattr(report, name) else report.columns, name, value)

    return change


@pytest.mark.parametrize(
    "change",
    [
        _set(seq=[2**63]),
        _set(seq=[-1]),
        _set(seq=[2**64 - 1, 2**64 - 1]),
        _set(at=[2**64 - 1]),
        _set(at=[-(2**63)]),
        _set(duration=[2**64 - 1]),
        _set(sent_at=2**63),
        _set(sent_at=-(2**63)),
        _set(epoch=2**63),
        _set(epoch=-1),
        _set(table=2**64 - 1),
        _set(texts_from=-1),
        _set(series_from=-1),
        _set(counts=[-1]),
        _set(gaps=[wire.Gap(0, 2**64 - 1, 0, 0, 1, "")]),
        _set(gaps=[wire.Gap(-(2**63), 1, 0, 0, 1, "")]),
        _set(gaps=[wire.Gap(1, 1, 0, 2**63, 1, "")]),
        _set(gaps=[wire.Gap(1, 1, 0, 0, 2**63, "")]),
        _set(gaps=[wire.Gap(2, 1, 0, 0, 1, "")]),
    ],
)
async def test_numbers_that_could_not_be_kept_are_refused_and_the_next_report_is_taken(
    tmp_path: Path, change: Change
) -> None:
    sender = Sender()
    report = wire.decode(sender.body(sender.rows(1)))
    change(report)
    async with taking(tmp_path / "j") as (ingest, entries):
        with pytest.raises(RefusedError) as refused:
            await ingest.take("d1", wire.encode(report), NOW)
        assert refused.value.status in (409, 422)
        assert await ingest.take("d1", sender.body(sender.rows(1)), NOW) == 1
    assert numbers(entries) == [2]


async def test_reports_that_bring_nothing_leave_nothing_in_memory(tmp_path: Path) -> None:
    async with taking(tmp_path / "j") as (ingest, _):
        for n in range(10):
            assert await ingest.take("d1", Sender(epoch=n, table=n).body([]), NOW) == 0
        assert ingest.journal.tables == {}
        assert ingest.journal._received == {}


async def test_a_table_does_not_grow_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WORDS", 50)
    sender = Sender()
    async with taking(tmp_path / "j") as (ingest, _):
        for n in range(8):
            await ingest.take("d1", sender.body(sender.rows(1, f"d1/ping/r{n}")), NOW)
        more = sender.body(sender.rows(1) + [row for n in range(50) for row in sender.rows(1, f"d1/tcp/{n}")])
        with pytest.raises(RefusedError, match="a table is at most 50 texts and series: begin a new one") as refused:
            await ingest.take("d1", more, NOW)
        assert (refused.value.status, refused.value.refusal.error) == (413, "too-large")
        anew = Sender(table=2)
        anew.next = sender.next
        assert await ingest.take("d1", anew.body(anew.rows(1)), NOW) == 1


async def test_text_that_is_not_utf8_is_malformed(tmp_path: Path) -> None:
    sender = Sender()
    plain = zstandard.decompress(sender.body(sender.rows(1)))
    body = zstandard.compress(plain.replace(b"reply", b"re\xffly"))
    async with taking(tmp_path / "j") as (ingest, _):
        with pytest.raises(RefusedError, match="expected a report in msgpack") as refused:
            await ingest.take("d1", body, NOW)
        assert refused.value.refusal.error == "malformed"
