"""Every kind of device that can be backed up, by the name that netmiko has for it where it has one. A literal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

from checks.config.platform import Platform
from checks.config.vendors import (
    cisco_asa,
    cisco_ios,
    cisco_nxos,
    fortinet,
    frr,
    hp_comware,
    huawei_vrp,
    juniper_junos,
    mikrotik_routeros,
    pfsense,
    vyos,
)

PlatformName = Literal[
    "cisco_ios",
    "cisco_nxos",
    "cisco_asa",
    "fortinet",
    "frr",
    "hp_comware",
    "huawei_vrp",
    "juniper_junos",
    "mikrotik_routeros",
    "pfsense",
    "vyos",
]
PLATFORMS: Final[Mapping[str, Platform]] = MappingProxyType(
    {
        vendor.PLATFORM.name: vendor.PLATFORM
        for vendor in (
            cisco_ios,
            cisco_nxos,
            cisco_asa,
            fortinet,
            frr,
            hp_comware,
            huawei_vrp,
            juniper_junos,
            mikrotik_routeros,
            pfsense,
            vyos,
        )
    }
)
