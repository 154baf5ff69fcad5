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


# By beats


def beating(scene: Scene, seconds: int, *agents: str) -> None:
    """Lets time pass, with a beat of each of these in every second."""
    for _ in range(seconds):
        scene.seconds += 1
        for agent in agents:
            scene.desk.beat(agent, scene.now)
        scene.tick()


ALL = ("centre", "ba-be", "na-ri", "banh-trach", "phuc-loc")


def test_an_agent_whose_beats_stay_away_is_silent_within_four_seconds_and_no_more_with_the_next() -> None:
    scene = Scene(agents=ALL)
    beating(scene, 10, *ALL)
    beating(scene, 2, "centre", "ba-be", "na-ri", "phuc-loc")
    assert not scene.open
    beating(scene, 1, "centre", "ba-be", "na-ri", "phuc-loc")
    incident = scene.open["banh-trach"]
    assert (incident.verdict, incident.waits) == (Verdict.SILENT, "")
    assert incident.alerts[0].summary == "no beat from the agent of banh-trach for 2.75 s"
    beating(scene, 1, *ALL)
    assert not scene.open
    assert scene.told == ["opened banh-trach major", "closed banh-trach major"]


def test_those_behind_a_node_that_fell_silent_with_them_are_its_incident_and_page_nobody() -> None:
    scene = Scene(agents=ALL)
    beating(scene, 10, *ALL)
    # The children's last beats were a little earlier than their parent's: their time is up one tick before.
    scene.desk.beat("ba-be", scene.now + 400)
    beating(scene, 5, "centre", "na-ri")
    assert set(scene.open) == {"ba-be"}
    assert scene.open["ba-be"].behind == ("banh-trach", "phuc-loc")
    assert scene.told == ["opened ba-be major"]


def test_when_most_fall_silent_together_nobody_is_called_so_by_beats() -> None:
    scene = Scene(agents=ALL)
    for agent in ALL:
        scene.desk.hear(agent, scene.now)
    beating(scene, 10, *ALL)
    beating(scene, 19)
    assert not scene.open
    beating(scene, 1)  # reports have their own time
    assert set(scene.open) == {"centre"}
    assert (scene.open["centre"].verdict, len(scene.open["centre"].behind)) == (Verdict.SILENT, 4)


def test_one_alone_who_is_silent_may_be_our_own_fault() -> None:
    scene = Scene(agents=("ba-be",))
    beating(scene, 10, "ba-be")
    beating(scene, 15)
    assert not scene.open


def test_beats_that_are_filtered_are_not_waited_for_while_reports_come() -> None:
    scene = Scene(agents=("centre", "ba-be"))
    beating(scene, 10, "centre", "ba-be")
    for second in range(60):
        if second % 10 == 2:  # as when the agent tells at once that nothing comes back
            scene.desk.hear("ba-be", scene.now + 600)
        beating(scene, 1, "centre")
    assert "ba-be" not in {incident.node for incident in scene.closed} | scene.open.keys()


def test_a_restart_waits_for_a_first_beat() -> None:
    scene = Scene(agents=ALL)
    beating(scene, 10, *ALL)
    scene.seconds += 600
    scene.restart()
    beating(scene, 10, "centre")
    assert not scene.open
    beating(scene, 2, *ALL)
    beating(scene, 4, "centre", "ba-be", "banh-trach", "phuc-loc")
    assert set(scene.open) == {"na-ri"}


def test_beats_without_reports_are_a_fault_of_the_agent() -> None:
    scene = Scene(agents=("centre", "ba-be"))
    for _ in range(4):
        scene.desk.hear("centre", scene.now)
        beating(scene, 10, "centre", "ba-be")
    assert scene.open["ba-be"].verdict is Verdict.FAULT


def test_a_tick_that_comes_late_calls_nobody_silent_by_beats() -> None:
    scene = Scene(agents=ALL)
    beating(scene, 10, *ALL)
    scene.seconds += 30
    scene.tick()
    beating(scene, 1, "centre", "na-ri")
    assert not scene.open
