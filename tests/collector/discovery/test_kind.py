from __future__ import annotations

import pytest

from checks.snmp.reader import Value
from collector.discovery.kind import BASE_PORTS, CAPABILITIES, IP_FORWARDING, SYS_SERVICES, kind_of


@pytest.mark.parametrize(
    ("profile", "name", "kind"),
    [
        ("fortinet", "our firewall", "firewall"),
        ("cisco", "Cisco Adaptive Security Appliance Version 9.12(2)", "firewall"),
        ("juniper", "Juniper SRX240B", "firewall"),
        ("linux", "pfSense localhost 2.4.5-RELEASE-p1 FreeBSD", "firewall"),
        ("cisco", "Cisco IOS Software, C2960 Software (C2960-LANBASEK9-M)", "switch"),
        ("cisco", "C9404R", "switch"),
        ("cisco", "Cisco IOS Software, ASR920 Software", "router"),
        ("huawei", "S5720-56C-PWR-EI-AC Huawei Versatile Routing Platform", "switch"),
        ("huawei", "Huawei AR169F Huawei Versatile Routing Platform", "router"),
        ("mikrotik", "RouterOS CRS317-1G-16S+", "switch"),
        ("mikrotik", "RouterOS RB750Gr3", "router"),
        ("aruba", "PL.10.10.0002", "switch"),
        ("hp", "HP Stack, revision KA.00.00.0000", "switch"),
        ("linux", "Linux OpenWrt 5.4.137", "router"),
        ("windows", "Hardware: Intel64", "server"),
    ],
)
def test_a_kind_is_told_by_the_profile_and_the_names(profile: str, name: str, kind: str) -> None:
    assert kind_of(profile, [name], {}) == kind


@pytest.mark.parametrize(
    ("profile", "values", "kind"),
    [
        ("linux", {IP_FORWARDING: 1}, "router"),
        ("linux", {IP_FORWARDING: 2}, "server"),
        ("generic", {CAPABILITIES: b"\x20"}, "switch"),
        ("generic", {CAPABILITIES: b"\x28"}, "router"),
        ("generic", {BASE_PORTS: 48, SYS_SERVICES: 6}, "switch"),
        ("generic", {BASE_PORTS: 4, SYS_SERVICES: 6}, "router"),
        ("generic", {SYS_SERVICES: 2}, "switch"),
        ("generic", {SYS_SERVICES: 2, IP_FORWARDING: 1}, "router"),
        ("generic", {}, "router"),
    ],
)
def test_where_no_name_tells_it_is_told_by_what_the_device_does(
    profile: str, values: dict[str, Value], kind: str
) -> None:
    assert kind_of(profile, [""], values) == kind
