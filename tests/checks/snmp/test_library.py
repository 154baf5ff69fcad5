from __future__ import annotations

import pytest

from checks.contract import params_of
from checks.errors import ObserverError
from checks.snmp import CHECK, library
from checks.snmp.survey import leading


@pytest.mark.parametrize(
    ("object_id", "descr", "profile"),
    [
        ("1.3.6.1.4.1.9.1.1116", "Cisco IOS Software", "cisco"),
        ("1.3.6.1.4.1.9.6.1.80", "WAP371", "cisco-small"),
        ("1.3.6.1.4.1.99.1", "another maker's, whose number begins alike", "generic"),
        ("1.3.6.1.4.1.14988.1", "RouterOS RB750Gr3", "mikrotik"),
        ("1.3.6.1.4.1.2011.2.224.62", "Huawei AR169F", "huawei"),
        ("1.3.6.1.4.1.2011.10.1.89", "3Com Switch 4800G", "h3c"),
        ("1.3.6.1.4.1.8072.3.2.10", "Linux r1 6.1.0", "linux"),
        ("1.3.6.1.4.1.8072.3.2.8", "pfSense fw 2.7.2-RELEASE FreeBSD", "linux"),
        ("1.3.6.1.4.1.8072.3.2.10", "UAP-nanoHD 5.43.36.12724", "ubiquiti"),
        ("1.3.6.1.4.1.41112.1.5", "EdgeOS v2.0.9", "edgeos"),
        ("1.0.3.0.6.0.1.0", "SonicWALL TZ 570 (SonicOS 7.0.1-R1456)", "sonicwall"),
        ("1.3.6.1.4.1.311.1.1.3.1.2", "Hardware: Intel64", "windows"),
        ("1.3.6.1.4.1.674.10895.3028", "PowerConnect 2824", "dell-powerconnect"),
        ("1.3.6.1.4.1.207.1.14.99", "Allied Telesis router/switch, AW+ v5.5.0", "allied-telesis"),
        ("", "", "generic"),
    ],
)
def test_a_profile_is_chosen_by_who_the_device_says_it_is(object_id: str, descr: str, profile: str) -> None:
    assert library.choose(object_id, descr) == profile


def test_a_maker_who_moved_a_table_names_the_place_alone() -> None:
    here = {leading(rule) for rule in library.rules("radlan")}
    there = {leading(rule) for rule in library.rules("cisco-small")}

    assert "1.3.6.1.4.1.89.1.8.0" in here - there
    assert "1.3.6.1.4.1.9.6.1.101.1.8.0" in there - here


def test_what_two_included_profiles_include_is_read_once() -> None:
    leads = [leading(rule) for rule in library.rules("dell-powerconnect")]

    assert leads.count("1.3.6.1.2.1.15.3.1.2") == 1


def test_a_profile_that_does_not_exist_is_refused_with_the_near_match() -> None:
    with pytest.raises(ObserverError, match="there is no 'cisko': did you mean 'cisco'"):
        params_of(CHECK, {"profile": "cisko"})
