from __future__ import annotations

import random

import pytest

from agent import outbox
from agent.outbox import Outbox
from agent.wire import Lane, Table, measurements_of
from tests.agent.rows import measured


def test_names_go_until_they_are_known_to_have_arrived() -> None:
    box = Outbox("bk", random.Random(1))
    first = box.compose(Lane.LIVE, 7, [(1, measured("a"))], [], 1)
    second = box.compose(Lane.BACKLOG, 7, [(2, measured("b"))], [], 2)
    assert first.texts == second.texts[: len(first.texts)]
    box.acknowledged(second)
    box.acknowledged(first)
    third = box.compose(Lane.LIVE, 7, [(3, measured("c"))], [], 3)
    assert third.texts == ["c"]
    table = Table(first.table)
    for report in (second, first, third):
        table.learn(report)
        table.check(report.columns)
    assert measurements_of(third.columns, table) == [(3, measured("c"))]


def test_a_receipt_of_an_old_table_says_nothing_of_the_new_one() -> None:
    box = Outbox("bk", random.Random(1))
    old = box.compose(Lane.LIVE, 7, [(1, measured("a"))], [], 1)
    box.renew()
    box.acknowledged(old)
    new = box.compose(Lane.LIVE, 7, [(1, measured("a"))], [], 1)
    assert new.table != old.table
    assert (new.texts_from, new.series_from) == (0, 0)
    assert "a" in new.texts


def test_a_table_that_has_grown_too_long_is_followed_by_a_new_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_TABLE", 50)
    box = Outbox("bk", random.Random(1))
    tables = set()
    for n in range(200):
        report = box.compose(Lane.LIVE, 7, [(n, measured(f"{n} different words"))], [], n)
        box.acknowledged(report)
        tables.add(report.table)
    assert 3 <= len(tables) <= 6
