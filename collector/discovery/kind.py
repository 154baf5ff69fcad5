"""Whether a device is a router, a switch, a firewall or a server. A guess, for a person to correct. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from checks.snmp.reader import Value
from checks.snmp.tables import number
from collector.discovery.found import Kind

SYS_SERVICES: Final = "1.3.6.1.2.1.1.7.0"  # SNMPv2-MIB
IP_FORWARDING: Final = "1.3.6.1.2.1.4.1.0"  # IP-MIB: 1 forwards, 2 does not
BASE_PORTS: Final = "1.3.6.1.2.1.17.1.2.0"  # dot1dBaseNumPorts, BRIDGE-MIB
CAPABILITIES: Final = "1.0.8802.1.1.2.1.3.6.0"  # lldpLocSysCapEnabled, LLDP-MIB
OBJECTS: Final = (SYS_SERVICES, IP_FORWARDING, BASE_PORTS, CAPABILITIES)
"""What :func:`kind_of` looks at beside the system group."""

_FIREWALLS: Final = {"fortinet", "paloalto", "checkpoint", "sonicwall", "sophos", "screenos"}
_FIREWALL: Final = re.compile(r"adaptive security|firepower|firewall|\bsrx\d|pfsense|opnsense|\busg\d", re.IGNORECASE)
_SWITCHES: Final = {"hp", "fastpath", "radlan", "cisco-small", "dell-force10", "dell-os10", "arista"}
_SWITCH: Final = re.compile(
    r"\bswitch\b|catalyst|nexus|nx-os"
    r"|\b(WS-)?C(29|3[5-8]|45|49|65|9[2-6])\d\d|\bIE-?\d{4}"  # Cisco
    r"|\b(S\d{4}|CE\d{4,5})\b"  # Huawei, H3C
    r"|\bC[RS]S\d{3}"  # MikroTik
    r"|\bZTE [25]\d{3}-"
    r"|^[A-Z]{2}\.\d\d\.\d\d\.",  # ArubaOS-CX tells its version alone
    re.IGNORECASE,
)
_ROUTER_OS: Final = re.compile(r"openwrt|vyos|edgeos", re.IGNORECASE)
_SERVERS: Final = {"linux", "windows"}
_BRIDGE, _ROUTER = 0x20, 0x08
"""Bits of LldpSystemCapabilitiesMap, counted from the first octet's highest."""
_LAYER_2, _LAYER_3 = 0x02, 0x04
"""Bits of sysServices: 2 to the power of the layer less one."""
_MANY_PORTS: Final = 8
"""A router has a bridge for its LAN, but seldom with more ports than this."""


def kind_of(profile: str, names: Sequence[str], values: Mapping[str, Value]) -> Kind:
    """By its profile and ``names`` (sysDescr, model) where they tell, else by what it says it does: LLDP's
    capabilities, the ports of its bridge, its layers, whether it forwards. ``values`` are those of :data:`OBJECTS`, by
    OID."""
    if profile in _FIREWALLS or any(map(_FIREWALL.search, names)):
        return "firewall"
    if profile in _SERVERS:
        routes = profile == "linux" and (values.get(IP_FORWARDING) == 1 or any(map(_ROUTER_OS.search, names)))
        return "router" if routes else "server"
    if profile in _SWITCHES or any(map(_SWITCH.search, names)):
        return "switch"
    return _by_function(values)


def _by_function(values: Mapping[str, Value]) -> Kind:
    told = values.get(CAPABILITIES)
    capabilities = told[0] if isinstance(told, bytes) and told else 0
    if capabilities & _BRIDGE and not capabilities & _ROUTER:
        return "switch"
    if (number(values.get(BASE_PORTS)) or 0) > _MANY_PORTS:
        return "switch"
    services = number(values.get(SYS_SERVICES)) or 0
    if services & _LAYER_2 and not services & _LAYER_3 and values.get(IP_FORWARDING) != 1:
        return "switch"
    return "router"
