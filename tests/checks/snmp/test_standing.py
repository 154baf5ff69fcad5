from __future__ import annotations

from checks.snmp.points import Relation
from checks.snmp.standing import Standing, interface_facts, session_facts, standings
from checks.snmp.tables import Interface

NOW = 1_767_225_600_000
"""2026-01-01T00:00Z"""


def session(since: float | None, word: str = "established", *, wanted: bool = True) -> Relation:
    severity = "ok" if word == "established" else "crit"
    return Relation("bgp", "10.0.0.1", severity, word, "6", "10.0.0.1", 65001, since, wanted, "1.3.6.1.1")  # type: ignore[arg-type]  # one of its words


def interface(name: str, admin: int, oper: int) -> Interface:
    return Interface(1, name, "", admin, oper, 0.0, 0, {})


def since(uptime: float, before: dict[str, Standing], at: float) -> dict[str, Standing]:
    return standings([session(uptime)], before, at, NOW + int(at * 1000))


def test_a_session_is_up_since_when_it_came_up() -> None:
    up = since(3600.0, {}, 0.0)
    assert session_facts([session(3600.0)], up) == {"bgp 10.0.0.1": "established since 2025-12-31T23:00Z"}


def test_a_session_that_lasts_is_up_since_the_same_time_whatever_the_clocks_do() -> None:
    up = since(3600.0, {}, 0.0)
    for run in range(1, 100):
        up = since(3600.0 + 61.0 * run, up, 60.0 * run)
    assert up["1.3.6.1.1"].since == "2025-12-31T23:00Z"


def test_a_device_that_shows_a_minute_old_values_resets_nothing() -> None:
    up = since(3600.0, {}, 0.0)
    assert since(3600.0, up, 59.0)["1.3.6.1.1"].since == "2025-12-31T23:00Z"


def test_a_session_that_was_reset_between_two_runs_is_up_since_another_time() -> None:
    up = since(3600.0, {}, 0.0)
    assert since(250.0, up, 300.0)["1.3.6.1.1"].since == "2026-01-01T00:00Z"


def test_a_reset_is_seen_although_the_new_session_is_older_by_now_than_the_old_one_was() -> None:
    up = since(10.0, {}, 0.0)
    assert since(100.0, up, 300.0)["1.3.6.1.1"].since == "2026-01-01T00:03Z"


def test_a_session_that_is_down_or_tells_no_time_has_only_its_state() -> None:
    for one in (session(3600.0, "idle"), session(None)):
        assert standings([one], {}, 0.0, NOW) == {}
        assert session_facts([one], {}) == {"bgp 10.0.0.1": one.word}


def test_a_session_that_was_switched_off_is_said_to_be() -> None:
    assert session_facts([session(1.0, "idle", wanted=False)], {}) == {"bgp 10.0.0.1": "idle, disabled"}


def test_an_interface_is_up_or_down_or_disabled_and_no_guess_is_made() -> None:
    found = interface_facts([interface("a", 1, 1), interface("b", 1, 2), interface("c", 2, 2), interface("d", 1, 4)])
    assert found == {"interface a": "up", "interface b": "down", "interface c": "disabled"}
