from __future__ import annotations

from collections.abc import Mapping

import pytest

from checks.levels import Levels
from checks.model import State
from checks.snmp.judge import Thresholds, conclude, interface_metrics, levels, required
from checks.snmp.tables import Interface


def interface(name: str = "wan0", *, admin: int = 1, oper: int = 1, alias: str = "", speed: float = 1e6) -> Interface:
    return Interface(1, name, alias, admin, oper, speed, 0, {})


def words(*interfaces: Interface, want: str = "wan0", seen: frozenset[str] = frozenset()) -> list[tuple[State, str]]:
    return [(finding.state, finding.text) for finding in required((want,), interfaces, seen)]


def test_an_interface_that_is_up_needs_no_words() -> None:
    assert words(interface()) == []


def test_an_interface_may_be_required_by_its_alias() -> None:
    assert words(interface("Gi0/1", oper=2, alias="to the district"), want="to the district") == [
        (State.CRIT, "interface Gi0/1 (to the district) is down, must be up")
    ]


@pytest.mark.parametrize(
    ("admin", "oper", "state", "text"),
    [
        (1, 2, State.CRIT, "interface wan0 is down, must be up"),
        (1, 7, State.CRIT, "interface wan0 is lowerLayerDown, must be up"),
        (1, 5, State.CRIT, "interface wan0 is dormant, must be up"),
        (2, 2, State.CRIT, "interface wan0 is shut down by its administrator"),
        (1, 4, State.UNKNOWN, "the device cannot tell whether interface wan0 is up"),
        (0, 0, State.UNKNOWN, "the device cannot tell whether interface wan0 is up"),
    ],
)
def test_a_required_interface_that_is_not_up(admin: int, oper: int, state: State, text: str) -> None:
    assert words(interface(admin=admin, oper=oper)) == [(state, text)]


def test_a_required_interface_that_never_was_is_a_mistake_of_ours() -> None:
    assert words(interface("GigabitEthernet0/1"), want="GigabitEthernet0/l") == [
        (State.UNKNOWN, "no interface is called 'GigabitEthernet0/l': did you mean 'GigabitEthernet0/1'?")
    ]
    assert words(want="wan0") == [
        (State.UNKNOWN, "no interface is called 'wan0': correct require_up, or the filter of interfaces")
    ]


def test_a_required_interface_that_was_there_is_gone() -> None:
    assert words(want="wan0", seen=frozenset({"wan0"})) == [(State.CRIT, "interface wan0 is gone from the device")]


def findings(rates: Mapping[str, float], previous: Mapping[str, State]) -> list[tuple[State, str]]:
    limits = Thresholds((), Levels(warn=80, crit=95, margin=5), Levels(warn=1))
    return [(f.state, f.text) for f in levels(interface(), rates, limits, previous)]


def test_the_busier_direction_is_judged() -> None:
    assert findings({"ifInBits": 1e5, "ifOutBits": 8.1e5}, {}) == [(State.WARN, "utilization of wan0 is 81 %")]


def test_errors_of_both_directions_add_up() -> None:
    assert findings({"ifInErrors": 0.5, "ifOutErrors": 0.75}, {}) == [(State.WARN, "errors of wan0 is 1.25/s")]


def test_a_level_is_left_with_hysteresis() -> None:
    assert findings({"ifInBits": 7.8e5}, {}) == []
    assert findings({"ifInBits": 7.8e5}, {"utilization wan0": State.WARN})[0][0] is State.WARN


def test_an_interface_of_unknown_speed_has_no_utilization() -> None:
    found = {m.name for m in interface_metrics(interface(speed=0), {"ifInBits": 5.0})}
    assert found == {"ifAdminStatus", "ifOperStatus", "ifInBits"}


def test_the_worst_comes_first_and_not_all_are_listed() -> None:
    down = [f for n in "abcde" for f in required((n,), (interface(n, oper=4 if n == "a" else 2),), frozenset())]
    outcome = conclude("r1", down, (), {})
    assert (outcome.state, outcome.reason) == (State.CRIT, "interface-down")
    assert outcome.summary == (
        "r1: interface b is down, must be up; interface c is down, must be up; "
        "interface d is down, must be up and 2 more"
    )


def test_a_sound_device_has_a_summary_that_does_not_change() -> None:
    assert conclude("r1", [], (), {}).summary == "r1: SNMP answers"
