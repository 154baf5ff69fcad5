"""What every store promises, over every store."""

from __future__ import annotations

import math
import random
from array import array

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collector.store.model import Batch, Points, Selector, SeriesKey
from tests.collector.store.labs import T0, Lab, batch, key, read

HOSTILE = (
    "a b",
    "a,b=c",
    'say "cheese"',
    "it's",
    "back\\slash",
    "ends in \\",
    "two\nlines",
    "tab\tand\rreturn",
    "nul\0",
    "100%",
    "100%20",
    "Xã Bằng Thành – Bắc Kạn",
    "🛰",
    " lead and trail ",
    "#not a comment",
    "_hidden",
    "'; DROP DATABASE x; --",
    '"} or {check!="',
    ".*",
    "",
)
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(HOSTILE)
name = text.filter(bool)


async def test_points_come_back_in_order_of_time_with_their_series(lab: Lab, node: str) -> None:
    store = await lab.open()
    rtt, loss = key(node, "rtt"), key(node, "loss")
    await store.write([batch(store, 1, (rtt, 0, 0.5), (loss, 0, 1.0)), batch(store, 2, (rtt, 1000, 0.25))])
    lab.show()
    answer = await store.query(Selector(node=node), T0, T0 + 5000)
    assert answer == [
        Points(loss, array("q", [T0]), array("d", [1.0])),
        Points(rtt, array("q", [T0, T0 + 1000]), array("d", [0.5, 0.25])),
    ]
    await store.close()


async def test_values_come_back_as_they_went(lab: Lab, node: str) -> None:
    store = await lab.open()
    chance = random.Random(1)
    values = [0.0, -1.5, 1e-3, 1 / 3, -math.pi, *(chance.uniform(-1e6, 1e6) for _ in range(300))]
    if not lab.tolerance:
        values += [2.0**53, -(2.0**53) - 2, 1e300, 5e-324]
    await store.write([batch(store, 1, *((key(node), i, value) for i, value in enumerate(values)))])
    lab.show()
    assert [value for _, value in await read(store, key(node))] == pytest.approx(values, rel=0, abs=1e6 * lab.tolerance)
    await store.close()


async def test_start_is_inclusive_and_end_exclusive(lab: Lab, node: str) -> None:
    store = await lab.open()
    await store.write([batch(store, 1, *((key(node), at, float(at)) for at in range(5)))])
    lab.show()
    (found,) = await store.query(Selector(node=node), T0 + 1, T0 + 3)
    assert list(found.at) == [T0 + 1, T0 + 2]
    assert await store.query(Selector(node=node), T0 + 5, T0 + 50) == []
    await store.close()


async def test_a_limit_takes_the_newest_of_each_series(lab: Lab, node: str) -> None:
    store = await lab.open()
    a, b = key(node, "a"), key(node, "b")
    await store.write([batch(store, 1, *((a, at, 1.0) for at in range(5)), *((b, at, 2.0) for at in range(0, 9, 3)))])
    lab.show()
    answer = await store.query(Selector(node=node), T0, T0 + 100, limit=2)
    assert [(found.key, [at - T0 for at in found.at]) for found in answer] == [(a, [3, 4]), (b, [3, 6])]
    (only_b,) = await store.query(Selector(node=node, metric="b", check="wan"), T0, T0 + 100, limit=1)
    assert list(only_b.at) == [T0 + 6]
    assert await store.query(Selector(node=node), T0, T0 + 100, limit=0) == []
    await store.close()


async def test_a_selector_tells_any_from_empty(lab: Lab, node: str) -> None:
    store = await lab.open()
    keys = [
        key(node, "a_b", check="c"),
        key(node, "b", check="c_a"),
        key(node, "in", instance="eth0"),
        key(node, "in", instance=""),
        key(node, "in", label="backup", instance="eth0"),
    ]
    await store.write([batch(store, 1, *((series, 0, float(i)) for i, series in enumerate(keys)))])
    lab.show()

    async def found(**wanted: str) -> set[SeriesKey]:
        return {points.key for points in await store.query(Selector(node=node, **wanted), 0, 2 * T0)}

    assert await found() == set(keys)
    assert await found(check="c") == {keys[0]}
    assert await found(metric="b") == {keys[1]}
    assert await found(metric="in") == set(keys[2:])
    assert await found(metric="in", instance="") == {keys[3]}
    assert await found(instance="eth0", label="backup") == {keys[4]}
    assert await found(label="nobody") == set()
    await store.close()


async def test_a_replay_changes_nothing(lab: Lab, node: str) -> None:
    store = await lab.open()
    batches = [batch(store, entry, (key(node), entry * 1000, float(entry))) for entry in range(1, 6)]
    await store.write(batches[:3])
    await store.flush()
    await store.write(batches[1:])
    await store.close()
    store = await lab.open()
    await store.write([batch(store, entry, (key(node), entry * 1000, float(entry))) for entry in range(1, 6)])
    lab.show()
    assert await read(store, key(node)) == [(entry * 1000, float(entry)) for entry in range(1, 6)]
    await store.close()


async def test_of_two_points_at_one_ms_the_later_written_wins(lab: Lab, node: str) -> None:
    store = await lab.open()
    await store.write([batch(store, 1, (key(node), 0, 1.0), (key(node), 0, 2.0), (key(node), 5, 9.0))])
    lab.show()
    assert await read(store, key(node)) == [(0, 2.0), (5, 9.0)]
    await store.flush()
    await store.write([batch(store, 2, (key(node), 0, 3.0))])
    for _ in range(2):
        lab.show()
        first, second = await read(store, key(node))
        assert first == (0, 3.0) or (not lab.later_wins and first == (0, 2.0))
        assert second == (5, 9.0)
        await store.flush()
    await store.close()


async def test_late_points_find_their_place(lab: Lab, node: str) -> None:
    store = await lab.open()
    await store.write([batch(store, 1, *((key(node), at, 1.0) for at in (100, 200, 300)))])
    await store.flush()
    await store.write([batch(store, 2, *((key(node), at, 2.0) for at in (250, 50, 150)))])
    await store.flush()
    await store.write([batch(store, 3, (key(node), 120, 3.0))])
    lab.show()
    assert await read(store, key(node)) == [
        (50, 2.0), (100, 1.0), (120, 3.0), (150, 2.0), (200, 1.0), (250, 2.0), (300, 1.0),
    ]  # fmt: skip
    await store.close()


async def test_what_no_store_takes_is_quarantined_and_the_rest_goes_on(lab: Lab, node: str) -> None:
    store = await lab.open()
    series = key(node, instance="eth0")
    ids = [store.series_id(series)] * 6
    values = [1.0, math.nan, math.inf, 2.0, 3.0, 4.0]
    await store.write([Batch(1, ids, [T0, T0 + 1, T0 + 2, T0 + 3, -1, 2**64], values)])
    lab.show()
    assert await read(store, series) == [(0, 1.0), (3, 2.0)]
    assert store.quarantined == 4
    assert [refusal.reason for refusal in store.refusals][:2] == [
        "value nan: expected a finite number",
        "value inf: expected a finite number",
    ]
    assert store.refusals[2].reason == "time -1 ms: expected 0 to 9223372036854 (1970 to 2262)"
    assert store.refusals[0].point == f"{node}/wan/up rtt[eth0] = nan at {T0 + 1}"
    await store.flush()
    assert store.settled == 1
    await store.close()


async def test_the_newest_100_refusals_are_kept(lab: Lab, node: str) -> None:
    store = await lab.open()
    series = store.series_id(key(node))
    await store.write([Batch(1, [series] * 150, range(T0, T0 + 150), [math.nan] * 150)])
    assert (store.quarantined, len(store.refusals)) == (150, 100)
    assert store.refusals[-1].point.endswith(str(T0 + 149))
    await store.close()


async def test_settled_reaches_the_last_entry_by_a_flush_and_outlives_a_restart(lab: Lab, node: str) -> None:
    store = await lab.open()
    assert (store.settled, store.newest) == (0, 0)
    await store.write([batch(store, 7, (key(node), 0, 1.0)), batch(store, 9, (key(node, "x"), 0, 1.0))])
    await store.flush()
    assert (store.settled, store.newest) == (9, 9)
    await store.close()
    store = await lab.open()
    assert (store.settled, store.newest) == (9, 9)
    await store.close()


async def test_series_and_their_units_outlive_a_restart(lab: Lab, node: str) -> None:
    store = await lab.open()
    octets = SeriesKey(node, "snmp", "core", "ifHCInOctets", "Gi0/1", "By/s")
    keys = [octets, key(node, "rtt")]
    await store.write([batch(store, 1, *((series, 0, 1.0) for series in keys))])
    await store.close()
    store = await lab.open()
    lab.show()
    assert await store.series(node=node) == keys
    assert await store.series(node=node, check="snmp") == [octets]
    assert await store.series(node=node, metric="rtt") == [keys[1]]
    assert [found.key for found in await store.query(Selector(node=node), T0, T0 + 1)] == keys
    assert store.series_id(octets) != store.series_id(keys[1])
    await store.close()


async def test_what_is_old_can_be_forgotten(lab: Lab, node: str) -> None:
    store = await lab.open()
    await store.write([batch(store, 1, (key(node), 0, 1.0), (key(node, "gone"), 0, 1.0))])
    await store.flush()
    await store.write([batch(store, 2, (key(node), 100_000, 2.0))])
    await store.flush()
    await store.retain(T0 + 50_000)
    lab.show()
    old = [] if lab.forgets else [(0, 1.0)]
    assert await read(store, key(node)) == [*old, (100_000, 2.0)]
    assert await read(store, key(node, "gone")) == old
    await store.close()


async def test_an_empty_write_and_an_empty_entry_are_fine(lab: Lab) -> None:
    store = await lab.open()
    await store.write([])
    await store.write([Batch(3, [], [], [])])
    assert store.settled == 3
    await store.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(st.tuples(text, name, text, name, text), min_size=1, max_size=20, unique=True))
async def test_hostile_names_come_back_and_find_only_themselves(
    lab: Lab, node: str, drawn: list[tuple[str, str, str, str, str]]
) -> None:
    store = await lab.open()
    at = store.newest
    keys = [SeriesKey(node + parts[0], *parts[1:], "1") for parts in drawn]
    entry = store.newest + 1
    await store.write([batch(store, entry, *((series, at, float(i)) for i, series in enumerate(keys)))])
    lab.show()
    assert store.quarantined == 0
    for i, series in enumerate(keys):
        assert (await read(store, series))[-1:] == [(at, float(i))]
    await store.close()
