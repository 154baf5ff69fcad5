"""What a device has of what its profile names."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from checks.errors import TargetError
from checks.snmp import library
from checks.snmp.points import Gauge, Point, Reading, Relation, read_all
from checks.snmp.reader import Value
from checks.snmp.survey import PATIENCE, Adjacency, Identity, Survey, read_points
from checks.snmp.vocabulary import AnyRule

HEAD = 'vendor = "Acme"\n'


class Table:
    """An SnmpReader over variables by OID. ``silent`` are columns that it does not answer about."""

    counter64 = True
    round_trip: float | None = 0.0
    faults: frozenset[str] = frozenset()

    def __init__(self, values: Mapping[str, Value], silent: str = "none") -> None:
        self.values = dict(values)
        self.silent = silent
        self.walked: list[str] = []

    def begin(self) -> None: ...

    async def end(self) -> None:
        return

    async def get(self, oids: Sequence[str]) -> dict[str, Value]:
        return {oid: self.values[oid] for oid in oids if oid in self.values}

    async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
        self.walked.append(column)
        if column == self.silent:
            raise TargetError("timeout", "no answer", answered=True)
        for oid, value in self.values.items():
            if oid.startswith(f"{column}."):
                yield oid, value


def rules(tmp_path: Path, text: str) -> tuple[AnyRule, ...]:
    (tmp_path / "acme.toml").write_text(HEAD + text)
    library.load.cache_clear()
    return library.rules("acme", tmp_path)


class Clock:
    """A clock that goes on a second with each look at it."""

    def __init__(self, step: float = 0.0) -> None:
        self.time, self.step = 0.0, step

    def now(self) -> float:
        self.time += self.step
        return self.time


async def surveyed(tmp_path: Path, text: str, table: Table) -> tuple[Survey, tuple[Reading, ...]]:
    survey = Survey(rules(tmp_path, text))
    await survey.advance(table, Clock().now, 60)
    assert survey.complete
    return survey, await readings(survey, table)


async def readings(survey: Survey, table: Table) -> tuple[Reading, ...]:
    points = [one for one in survey.found if isinstance(one, Point)]
    return read_all(points, await read_points(table, points))


FANS = """
[[sensor]]
kind = "fanspeed"
value = "1.3.6.1.4.1.1.2"
name = ["1.3.6.1.4.1.1.3", "1.3.6.1.4.1.1.4"]
label = "fan {name}"
"""


async def test_a_row_is_named_by_the_first_column_that_says_something_or_by_its_index(tmp_path: Path) -> None:
    table = Table(
        {
            "1.3.6.1.4.1.1.2.1": 4000,
            "1.3.6.1.4.1.1.2.2": 4100,
            "1.3.6.1.4.1.1.2.3": 4200,
            "1.3.6.1.4.1.1.3.1": b"left",
            "1.3.6.1.4.1.1.3.2": b"",
            "1.3.6.1.4.1.1.4.2": b"right",
        }
    )
    _, read = await surveyed(tmp_path, FANS, table)
    assert [(one.name, one.value) for one in read if isinstance(one, Gauge)] == [
        ("fan left", 4000),
        ("fan right", 4100),
        ("fan 3", 4200),
    ]


async def test_a_rule_for_what_is_lacking_is_left_out_where_it_is_not(tmp_path: Path) -> None:
    text = """
[[sensor]]
kind = "cpu"
gives = "cpu"
value = "1.3.6.1.4.1.1.0"
[[sensor]]
kind = "cpu"
lacking = ["cpu"]
value = "1.3.6.1.4.1.2"
"""
    _, both = await surveyed(tmp_path, text, Table({"1.3.6.1.4.1.1.0": 5, "1.3.6.1.4.1.2.1": 9}))
    _, other = await surveyed(tmp_path, text, Table({"1.3.6.1.4.1.2.1": 9}))
    assert [one.value for one in both if isinstance(one, Gauge)] == [5]
    assert [one.value for one in other if isinstance(one, Gauge)] == [9]


async def test_rows_are_chosen_by_what_stands_beside_them(tmp_path: Path) -> None:
    text = """
[[sensor]]
kind = "temperature"
value = "1.3.6.1.4.1.1.2"
where = { "1.3.6.1.4.1.1.3" = "^9$" }
unless = { "1.3.6.1.4.1.1.4" = "fan" }
index = '^[1-3]$'
absent = [65535]
"""
    values: dict[str, Value] = {}
    for index, (value, kind, descr) in enumerate(
        [(40, 9, b"slot"), (41, 8, b"slot"), (42, 9, b"Fan tray"), (43, 9, b"slot")], start=1
    ):
        values |= {
            f"1.3.6.1.4.1.1.2.{index}": value,
            f"1.3.6.1.4.1.1.3.{index}": kind,
            f"1.3.6.1.4.1.1.4.{index}": descr,
        }
    _, read = await surveyed(tmp_path, text, Table(values))
    assert [one.value for one in read if isinstance(one, Gauge)] == [40]


async def test_scale_and_precision_are_those_of_the_entity_sensor_mib(tmp_path: Path) -> None:
    text = """
[[sensor]]
by = "1.3.6.1.4.1.1.1"
kinds = [{ match = "^8$", kind = "temperature" }, { match = "^3$", kind = "voltage" }]
value = "1.3.6.1.4.1.1.4"
scale = "1.3.6.1.4.1.1.2"
precision = "1.3.6.1.4.1.1.3"
"""
    values: dict[str, Value] = {}
    for index, row in enumerate([(8, 9, 1, 215), (8, 8, 0, 21625), (3, 7, 0, 1_200_000), (12, 9, 0, 1)], start=1):
        values |= {f"1.3.6.1.4.1.1.{column}.{index}": value for column, value in enumerate(row, start=1)}
    _, read = await surveyed(tmp_path, text, Table(values))
    assert [(one.kind, one.value) for one in read if isinstance(one, Gauge)] == [
        ("temperature", 21.5),
        ("temperature", 21.625),
        ("voltage", 1.2),
    ]


async def test_a_name_may_stand_where_another_column_points(tmp_path: Path) -> None:
    text = """
[[sensor]]
kind = "cpu"
value = "1.3.6.1.4.1.1.2"
name = ["1.3.6.1.4.1.9.7 < 1.3.6.1.4.1.1.3"]
"""
    table = Table({"1.3.6.1.4.1.1.2.1": 5, "1.3.6.1.4.1.1.3.1": 2051, "1.3.6.1.4.1.9.7.2051": b"supervisor"})
    _, read = await surveyed(tmp_path, text, table)
    assert [one.name for one in read] == ["supervisor"]


BGP = """
[[session]]
kind = "bgp"
value = "1.3.6.1.4.1.1.3"
address = "inet[0:]"
states = { 1 = "crit idle", 6 = "ok established" }
[[session]]
kind = "bgp"
value = "1.3.6.1.2.1.15.3.1.2"
address = "ipv4[0:4]"
states = { 1 = "crit idle", 6 = "ok established" }
"""


async def test_a_peer_that_two_tables_list_is_one(tmp_path: Path) -> None:
    table = Table(
        {
            "1.3.6.1.4.1.1.3.1.4.10.0.0.1": 6,
            "1.3.6.1.2.1.15.3.1.2.10.0.0.1": 6,
            "1.3.6.1.2.1.15.3.1.2.10.0.0.2": 1,
        }
    )
    _, read = await surveyed(tmp_path, BGP, table)
    assert [(one.peer, one.word) for one in read if isinstance(one, Relation)] == [
        ("10.0.0.1", "established"),
        ("10.0.0.2", "idle"),
    ]


async def test_neighbours_and_identity_are_found_in_the_survey_alone(tmp_path: Path) -> None:
    text = """
[[neighbour]]
kind = "lldp"
value = "1.3.6.1.4.1.1.5"
name = ["1.3.6.1.4.1.1.9"]
port = ["1.3.6.1.4.1.1.8"]
local = ["1.3.6.1.2.1.31.1.1.1.1[1]"]
[[fact]]
fact = "version"
value = "1.3.6.1.2.1.1.1.0"
pattern = 'Version (\\S+)'
"""
    table = Table(
        {
            "1.3.6.1.4.1.1.5.0.7.1": bytes.fromhex("0021a0ffee01"),
            "1.3.6.1.4.1.1.8.0.7.1": b"Gi0/24",
            "1.3.6.1.4.1.1.9.0.7.1": b"sw2",
            "1.3.6.1.2.1.31.1.1.1.1.7": b"Gi0/1",
            "1.3.6.1.2.1.1.1.0": b"Acme OS Version 12.1",
        }
    )
    survey, read = await surveyed(tmp_path, text, table)
    assert read == ()
    assert list(survey.found) == [Adjacency("lldp", "Gi0/1", "sw2", "Gi0/24"), Identity("version", "12.1")]


async def test_a_slow_device_is_surveyed_over_several_runs(tmp_path: Path) -> None:
    text = "".join(f'[[sensor]]\nkind = "count"\nvalue = "1.3.6.1.4.1.{n}"\n' for n in range(1, 6))
    survey, table, clock = Survey(rules(tmp_path, text)), Table({}), Clock(step=1)
    runs = 0
    while not survey.complete:
        await survey.advance(table, clock.now, clock.time + 4)
        runs += 1
    assert 1 < runs < 5
    assert len(table.walked) == 5
    assert not survey.due(clock.time, 3600)
    assert survey.due(clock.time + 3600, 3600)


async def test_a_table_that_the_device_is_silent_about_is_skipped_and_named(tmp_path: Path) -> None:
    table = Table({"1.3.6.1.4.1.1.2.1": 4000}, silent="1.3.6.1.4.1.8")
    survey, read = await surveyed(tmp_path, '[[sensor]]\nkind = "count"\nvalue = "1.3.6.1.4.1.8"\n' + FANS, table)
    assert len(read) == 1
    assert survey.silent == ("1.3.6.1.4.1.8",)
    table.silent = "none"
    await survey.advance(table, Clock().now, 60)
    assert not survey.silent


async def test_a_device_that_answers_no_more_ends_the_survey(tmp_path: Path) -> None:
    class Dead(Table):
        async def walk(self, column: str) -> AsyncIterator[tuple[str, Value]]:
            raise TargetError("timeout", "no answer")
            yield column, None

    survey = Survey(rules(tmp_path, FANS))
    with pytest.raises(TargetError):
        await survey.advance(Dead({}), Clock().now, 60)


async def test_a_row_that_moved_to_another_index_is_looked_for_after_a_while(tmp_path: Path) -> None:
    table, clock = Table({"1.3.6.1.4.1.1.2.1": 4000}), Clock()
    survey = Survey(rules(tmp_path, FANS))
    await survey.advance(table, clock.now, 60)
    table.values = {"1.3.6.1.4.1.1.2.8": 4000}
    assert await readings(survey, table) == ()
    survey.look_again({}, PATIENCE - 1)
    assert not survey.due(PATIENCE - 1, 1e6)
    survey.look_again({}, PATIENCE)
    assert survey.due(PATIENCE, 1e6)
    await survey.advance(table, clock.now, 60)
    assert [one.name for one in await readings(survey, table)] == ["fan 8"]
