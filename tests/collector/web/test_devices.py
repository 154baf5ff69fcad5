from __future__ import annotations

from collector.web.devices import Device, devices, shown_elsewhere
from collector.web.words import Words
from tests.collector.web.measured import job, router


def device() -> Device:
    (one,) = devices([router()], Words("vi"))
    return one


def test_a_device_says_who_it_is_and_how_long_it_runs() -> None:
    assert device().name == "fw-01834"
    assert device().about == (("Model", "FGT_500D"), ("Serial number", "FGT5HD3916803570"), ("Version", "v5.6.6"))
    assert device().uptime == "6 ngày"


def test_the_busiest_processors_are_seen_and_the_others_folded() -> None:
    processors = device().processors
    assert [bar.written for bar in processors.shown] == ["7 %", "6 %", "5 %", "4 %"]
    assert len(processors.rest) == 4


def test_memory_says_of_how_much_it_is_a_share() -> None:
    (memory,) = device().memory.shown
    assert (memory.percent, memory.written, memory.note) == (43, "43 %", "3,6 GB / 8,4 GB")


def test_all_that_is_measured_of_a_part_is_one_line_and_a_bad_part_comes_first() -> None:
    found = [(one.name, one.values, one.state) for one in device().sensors.shown]
    assert found == [
        ("RPS 12V", "", "CRIT"),
        ("CPU Core 0", "62 °C", "OK"),
        ("FAN1", "7200/min", ""),
        ("ether1 PoE", "9,1 W · 48,7 V", ""),
        ("sessions", "1449", ""),
    ]


def test_a_session_that_should_be_up_stands_before_those_that_are_and_one_switched_off_is_no_fault() -> None:
    found = [(one.kind, one.name, one.word, one.uptime, one.state) for one in device().sessions.shown]
    assert found == [
        ("BGP", "10.45.1.2", "active", "", "WARN"),
        ("BGP", "10.45.1.1", "established", "45 ngày", "OK"),
        ("BGP", "10.45.1.3", "idle, disabled", "", ""),
        ("IPSEC", "site#3", "up", "", "OK"),
    ]


def test_neighbours_are_named_with_the_interface_that_they_are_on() -> None:
    (one,) = device().neighbours.shown
    assert (one.protocol, one.interface, one.text) == ("LLDP", "ether2", "sw1 ge-0/0/1, sw2 ge-0/0/2")


def test_a_device_that_told_nothing_of_itself_or_did_not_answer_is_not_shown() -> None:
    silent = job("snmp", "r1", ("system.uptime", "", 5.0, "s"), answered=False)
    bare = job("snmp", "r2", ("snmp.response_time", "", 0.01, "s"), ("ifOperStatus", "wan0", 1, "1"))
    host = job("host", "host", ("system.uptime", "", 5.0, "s"))
    assert devices([silent, bare, host], Words("vi")) == []


def test_a_sensor_that_two_tables_tell_of_is_written_once() -> None:
    twice = [("hw.temperature", "Inlet#1018", 37.0, "Cel")] * 2
    (one,) = devices([job("snmp", "r1", *twice)], Words("vi"))
    assert one.sensors.shown[0].values == "37 °C"


def test_a_state_of_a_newer_agent_is_unknown_not_an_error() -> None:
    (one,) = devices([job("snmp", "r1", ("hw.state", "PSU", 9.0, "1"))], Words("vi"))
    assert one.sensors.shown[0].state == "UNKNOWN"


def test_facts_that_have_their_place_are_not_listed_again() -> None:
    listed = [fact for fact in router().facts if not shown_elsewhere(router(), fact)]
    assert listed == ["sysName"]
    assert not shown_elsewhere(job("config", "r1"), "version")
