from __future__ import annotations

from alerts.model import Verdict
from tests.alerts.world import OK, Scene

AGENTS = ("centre", "ba-be", "na-ri")


def test_an_agent_that_stops_reporting_is_silent_after_its_time_and_no_more_when_it_reports() -> None:
    scene = Scene(agents=AGENTS)
    scene.run(60, {}, hear=AGENTS)
    scene.run(29, {}, hear=("centre", "na-ri"))
    assert not scene.open
    scene.run(1, {})
    assert scene.open["ba-be"].verdict is Verdict.SILENT
    assert scene.open["ba-be"].title == "Huyện Ba Bể không có tín hiệu"
    scene.desk.hear("ba-be", scene.now)
    scene.tick()
    assert not scene.open
    assert scene.told == ["opened ba-be major", "closed ba-be major"]


def test_nobody_is_silent_before_the_collector_has_listened_for_long_enough() -> None:
    scene = Scene(agents=AGENTS)
    scene.run(29, {})
    assert not scene.open
    scene.run(1, {})
    assert set(scene.open) == set(AGENTS[:1])
    assert scene.open["centre"].behind == ("ba-be", "na-ri")


def test_a_restart_gives_every_agent_its_time_again() -> None:
    scene = Scene(agents=AGENTS)
    scene.run(10, {}, hear=AGENTS)
    scene.seconds += 600
    scene.restart()
    scene.run(29, {})
    assert not scene.open


def test_a_tick_that_comes_late_makes_nobody_silent() -> None:
    scene = Scene(agents=AGENTS)
    scene.run(20, {}, hear=AGENTS)
    scene.seconds += 300
    scene.tick()
    assert not scene.open
    scene.run(28, {})
    assert not scene.open
    scene.run(5, {})
    assert set(scene.open) == {"centre"}


def test_a_clock_set_back_makes_nobody_silent_nor_deaf() -> None:
    scene = Scene(agents=AGENTS)
    scene.run(20, {}, hear=AGENTS)
    scene.seconds -= 3600
    scene.run(29, {})
    assert not scene.open
    scene.run(2, {})
    assert set(scene.open) == {"centre"}


def test_a_silent_agent_whose_router_answers_is_a_fault_and_not_an_outage() -> None:
    scene = Scene(agents=("ba-be",))
    scene.run(60, {"ba-be/ping/router": OK})
    incident = scene.open["ba-be"]
    assert incident.verdict is Verdict.FAULT
    assert incident.title == "Huyện Ba Bể: agent không gửi số liệu"
    assert incident.offices == 0
