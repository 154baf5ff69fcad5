from __future__ import annotations

from checks.levels import Levels
from checks.model import State
from checks.snmp import report
from checks.snmp.points import Condition, Gauge, Pool, Reading, Relation
from checks.snmp.survey import Adjacency, Found, Identity
from checks.snmp.vocabulary import Severity

NONE = {"cpu": Levels(), "memory": Levels(), "temperature": Levels()}


def peer(name: str = "10.0.0.1", severity: Severity = "ok", word: str = "established", **more: bool) -> Relation:
    return Relation("bgp", name, severity, word, "6", name, 65000, 60.0, more.get("wanted", True), f"1.{name}")


def told(readings: list[Reading], up_before: frozenset[str] = frozenset(), ignore: str = "") -> list[tuple[str, str]]:
    found = report.findings(readings, NONE, ignore, up_before, {})
    return [(finding.reason, finding.text) for finding in found]


def test_numbers_have_names_and_units_that_users_know() -> None:
    readings: list[Reading] = [
        Gauge("temperature", "inlet", 21.5, "1.1"),
        Pool("RAM", 25.0, 256.0, 1024.0, "1.2"),
        Pool("swap", 5.0, None, None, "1.3"),
        Condition("fan 1", "crit", "failed", "4", "1.4"),
        peer(),
    ]
    assert [(m.name, m.value, m.unit, m.instance) for m in report.metrics(readings)] == [
        ("hw.temperature", 21.5, "Cel", "inlet"),
        ("system.memory.utilization", 25.0, "%", "RAM"),
        ("system.memory.usage", 256.0, "By", "RAM"),
        ("system.memory.limit", 1024.0, "By", "RAM"),
        ("system.memory.utilization", 5.0, "%", "swap"),
        ("hw.state", 3.0, "1", "fan 1"),
        ("bgp.up", 1.0, "1", "10.0.0.1"),
        ("bgp.uptime", 60.0, "s", "10.0.0.1"),
    ]


def test_two_sensors_of_one_name_are_told_apart() -> None:
    readings = [Gauge("temperature", "CPU", 40.0, "1.7"), Gauge("temperature", "CPU", 41.0, "1.8")]
    readings.append(Gauge("fanspeed", "CPU", 4000.0, "1.9"))
    assert [m.instance for m in report.metrics(readings)] == ["CPU#7", "CPU#8", "CPU"]


def test_a_part_that_the_device_calls_failed_is_told_unless_it_is_to_be_ignored() -> None:
    readings: list[Reading] = [
        Condition("PSU 1", "ok", "normal", "1", "1"),
        Condition("PSU 2", "crit", "failed", "3", "2"),
        Condition("PSU 3", "absent", "notPresent", "5", "3"),
        Condition("sensor 9", "unknown", "unavailable", "2", "4"),
    ]
    assert told(readings) == [("hardware", "PSU 2 is failed")]
    assert told(readings, ignore="^PSU") == []


def test_a_session_that_goes_down_is_told_until_it_is_up_again() -> None:
    up = report.still_up([peer()], frozenset())
    down = peer(severity="crit", word="idle")
    assert told([down], up) == [("session-down", "bgp 10.0.0.1 is idle")]
    assert told([down], report.still_up([down], up)) == [("session-down", "bgp 10.0.0.1 is idle")]
    assert told([peer()], up) == []


def test_a_session_that_never_was_up_or_was_switched_off_is_only_recorded() -> None:
    assert told([peer(severity="crit", word="idle")]) == []
    assert told([peer(severity="crit", word="idle", wanted=False)], frozenset({"1.10.0.0.1"})) == []


def test_a_required_session_must_be_there_and_up() -> None:
    readings: list[Reading] = [peer(), peer("10.0.0.2", "crit", "active")]
    found = report.required(["10.0.0.1", "bgp 10.0.0.2", "10.0.0.9"], readings, frozenset())
    assert [(f.state, f.reason, f.text) for f in found] == [
        (State.CRIT, "session-down", "bgp 10.0.0.2 is active, must be up"),
        (State.CRIT, "session-gone", "the device has no session '10.0.0.9': did you mean '10.0.0.2'?"),
    ]


def test_levels_are_for_each_part_with_hysteresis() -> None:
    limits = {**NONE, "cpu": Levels(80, 95, margin=5), "memory": Levels(90)}
    readings: list[Reading] = [
        Gauge("cpu", "core 1", 78.0, "1"),
        Gauge("cpu", "core 2", 97.0, "2"),
        Pool("RAM", 91.0, None, None, "3"),
    ]
    found = report.findings(readings, limits, "", frozenset(), {"cpu core 1": State.WARN})
    assert [(f.state, f.text) for f in found] == [
        (State.WARN, "cpu of core 1 is 78 %"),
        (State.CRIT, "cpu of core 2 is 97 %"),
        (State.WARN, "memory of RAM is 91 %"),
    ]


def test_what_identifies_is_a_fact() -> None:
    found: list[Found] = [
        Identity("model", "C9300-48P"),
        Identity("model", "another member of the stack"),
        Adjacency("lldp", "Gi0/1", "sw2", "Gi0/24"),
        Adjacency("lldp", "Gi0/1", "phone", ""),
    ]
    facts = report.facts(found)
    assert facts == {"model": "C9300-48P", "lldp Gi0/1": "sw2 Gi0/24, phone"}
