from __future__ import annotations

import msgspec
import pytest

from alerts.messages import NoticeKind, lasted, local_time, message, plain
from alerts.model import Incident
from checks.model import Outcome, State
from tests.alerts.world import LOST, NAMES, OK, START, Scene


def outage() -> Incident:
    scene = Scene()
    jobs = ("ba-be/ping/router", "banh-trach/ping/router")
    scene.run(20, dict.fromkeys(jobs, OK))
    scene.run(20, dict.fromkeys(jobs, LOST))
    return scene.open["ba-be"]


def test_an_outage_is_told_in_vietnamese_with_english_beside_it() -> None:
    told = message(NoticeKind.OPENED, outage(), lambda node: NAMES[node])
    assert told.title == "[NGHIÊM TRỌNG] Huyện Ba Bể mất kết nối / node ba-be is down"
    assert told.body.splitlines() == [
        "Từ / Since: 2025-07-25T06:33:45+07:00",
        "Cơ quan mất kết nối / Offices cut off: 14",
        "Bị ảnh hưởng theo / Behind it (1):",
        "- Xã Bành Trạch (banh-trach)",
        "Phép đo không đạt / Failed checks:",
        "- ping/router: no answer in time",
        "Sự cố / Incident: 2025-0001",
    ]


def test_a_recovery_tells_how_long_it_lasted() -> None:
    incident = outage()
    closed = msgspec.structs.replace(incident, alerts=(), closed_at=incident.since + 7_500_000, closed_by="recovery")
    told = message(NoticeKind.CLOSED, closed, lambda node: NAMES[node])
    assert told.title == "[ĐÃ KHÔI PHỤC] Huyện Ba Bể mất kết nối / node ba-be is down (khôi phục / recovered)"
    assert "Kéo dài / Lasted: 2 giờ 5 phút / 2 hours 5 minutes" in told.body


def test_hostile_text_stays_on_its_line() -> None:
    hostile = "bad\r\nSubject: x\n<script>alert(1)</script>\u202e\x1b[31m\x00 " + "y" * 1000
    scene = Scene()
    scene.run(20, {"ba-be/http/portal": Outcome(State.CRIT, hostile, "status", answered=True)})
    told = message(NoticeKind.OPENED, scene.open["ba-be"], lambda _: "A\nB")
    assert "\n" not in told.title
    assert len(told.body.splitlines()) == 4
    assert "\x1b" not in told.body
    assert "\u202e" not in told.body
    assert len(told.body) < 500


@pytest.mark.parametrize(
    ("milliseconds", "vietnamese", "english"),
    [
        (0, "0 giây", "0 seconds"),
        (61_000, "1 phút 1 giây", "1 minute 1 second"),
        (90_061_000, "1 ngày 1 giờ", "1 day 1 hour"),
        (-5, "0 giây", "0 seconds"),
    ],
)
def test_a_duration_is_said_in_its_two_largest_units(milliseconds: int, vietnamese: str, english: str) -> None:
    assert lasted(milliseconds) == (vietnamese, english)


def test_times_are_the_provinces() -> None:
    assert local_time(START) == "2025-07-25T06:33:20+07:00"


def test_plain_text_is_left_as_it_is() -> None:
    assert plain("chứng chỉ hết hạn") == "chứng chỉ hết hạn"
