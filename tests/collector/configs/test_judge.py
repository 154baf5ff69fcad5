from __future__ import annotations

import datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.model import State, parse_job_id
from collector.configs.judge import FIRST, approve, judged, take, version_of
from collector.configs.model import MOST_TEXT, Approval, Record, Version
from collector.configs.windows import ChangeWindow
from tests.collector.configs.versions import AFTER, BEFORE, CHANGE, JOB, hash_of, packed, read, version

DAY = datetime.datetime(2026, 3, 1, tzinfo=datetime.UTC)
T0 = round(DAY.timestamp() * 1000)
HOUR = 3_600_000
WINDOW = ChangeWindow(DAY, DAY + datetime.timedelta(hours=2), "Nguyễn Văn An", "12/KH-STTTT", ("d1",))


def outcome_of(record: Record, text: str) -> tuple[State, str, str]:
    found = judged(record, parse_job_id(JOB), read(text), lambda text: text)
    return found.state, found.reason, found.summary


def after(*seen: Version, windows: tuple[ChangeWindow, ...] = ()) -> Record:
    record: Record | None = None
    for one in seen:
        record = take(record, one, "d1", windows)
    assert record is not None
    return record


def test_the_first_version_is_the_baseline() -> None:
    record = after(version(BEFORE, T0))

    assert (record.why, record.pending) == (FIRST, (version(BEFORE, T0),))
    assert outcome_of(record, BEFORE)[0] is State.OK


def test_a_change_without_approval_is_critical_and_names_its_lines() -> None:
    record = after(version(BEFORE, T0), version(AFTER, T0 + HOUR, "alice"))

    assert outcome_of(record, AFTER) == (
        State.CRIT,
        "unapproved-change",
        f"r1: the configuration was changed by alice without approval: {CHANGE}",
    )


def test_it_stays_so_while_nothing_more_changes_and_ends_when_the_configuration_is_back() -> None:
    changed = after(version(BEFORE, T0), version(AFTER, T0 + HOUR), version(AFTER, T0 + 2 * HOUR, whole=False))
    back = take(changed, version(BEFORE, T0 + 3 * HOUR), "d1", ())

    assert outcome_of(changed, AFTER)[0] is State.CRIT
    assert outcome_of(back, BEFORE)[0] is State.OK
    assert [one.text for one in back.pending] == [BEFORE, AFTER, BEFORE]


@pytest.mark.parametrize(
    ("last", "seen", "approved"),
    [(-HOUR, HOUR, True), (HOUR, 3 * HOUR, True), (2 * HOUR, 3 * HOUR, False), (-2 * HOUR, -HOUR, False)],
)
def test_a_change_that_may_have_been_made_within_a_window_is_approved(last: int, seen: int, approved: bool) -> None:
    record = after(version(BEFORE, T0 + last), version(AFTER, T0 + seen), windows=(WINDOW,))

    assert record.well is approved
    if approved:
        assert (record.approver, record.why) == ("Nguyễn Văn An", "12/KH-STTTT")


def test_a_window_of_another_node_approves_nothing() -> None:
    elsewhere = msgspec.structs.replace(WINDOW, nodes=("c1",))
    assert not after(version(BEFORE, T0), version(AFTER, T0 + HOUR), windows=(elsewhere,)).well


def test_a_person_approves_the_version_that_they_saw_and_no_later_one() -> None:
    record = after(version(BEFORE, T0), version(AFTER, T0 + HOUR))
    seen = Approval(hash_of(AFTER), "an", "13/QĐ", T0 + 2 * HOUR)
    changed_again = take(record, version(AFTER + "!\n", T0 + 3 * HOUR), "d1", ())

    assert outcome_of(approve(record, seen), AFTER)[0] is State.OK
    assert approve(changed_again, seen) == changed_again
    assert approve(approve(record, seen), seen) == approve(record, seen)


def test_a_text_that_comes_after_its_hash_completes_the_change() -> None:
    record = after(version(BEFORE, T0), version(AFTER, T0 + HOUR, whole=False))
    assert outcome_of(record, AFTER)[2].endswith("without approval: its text is not known here")

    record = take(record, version(AFTER, T0 + HOUR // 2), "d1", ())

    assert outcome_of(record, AFTER)[2].endswith("“+ ip address 10.1.0.2/24”")
    assert record.pending[-1].text == AFTER


def test_a_version_from_a_backlog_goes_into_the_history_before_the_newest() -> None:
    between = version("hostname r2\nend\n", T0 + HOUR)
    record = after(version(BEFORE, T0), version(AFTER, T0 + 2 * HOUR), between)

    assert record.newest.text == AFTER
    assert [one.text for one in record.pending] == [BEFORE, AFTER, between.text, AFTER]


def test_what_does_not_count_makes_no_change() -> None:
    record = after(version(BEFORE, T0), version(BEFORE + "list 2\n", T0 + HOUR))
    found = judged(record, parse_job_id(JOB), read(BEFORE + "list 2\n"), lambda text: text.replace("list 2\n", ""))

    assert found.state is State.OK


@pytest.mark.parametrize("body", [b"", b"no zstd", packed("\0" * (MOST_TEXT + 1)), packed(BEFORE)[:-3]])
def test_a_body_that_is_no_text_is_none(body: bytes) -> None:
    assert Version("0", T0, "", "d1", body).text is None


def test_an_outcome_without_a_hash_is_no_version() -> None:
    assert version_of(msgspec.structs.replace(read(BEFORE), facts={}), T0, "d1") is None


@given(st.lists(st.tuples(st.sampled_from([BEFORE, AFTER, "end\n"]), st.integers(0, 9), st.booleans()), min_size=1))
def test_seeing_it_all_again_changes_nothing(seen: list[tuple[str, int, bool]]) -> None:
    record: Record | None = None
    for text, at, whole in seen:
        record = take(record, version(text, T0 + at, whole=whole), "d1", ())
        assert take(record, version(text, T0 + at, whole=whole), "d1", ()).newest == record.newest
    assert record is not None
    assert record.newest.at <= record.seen_at
