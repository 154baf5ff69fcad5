"""The objects that are read, by the names that MIBs give them."""

from __future__ import annotations

from typing import Final

# SNMPv2-MIB, the system group (RFC 3418). Scalars: the instance 0 is part of the OID here.
SYS_DESCR: Final = "1.3.6.1.2.1.1.1.0"
SYS_OBJECT_ID: Final = "1.3.6.1.2.1.1.2.0"
SYS_UP_TIME: Final = "1.3.6.1.2.1.1.3.0"
SYS_NAME: Final = "1.3.6.1.2.1.1.5.0"
SYS_LOCATION: Final = "1.3.6.1.2.1.1.6.0"
IF_NUMBER: Final = "1.3.6.1.2.1.2.1.0"

# Two witnesses of the time since the start, besides sysUpTime: the host's own (HOST-RESOURCES-MIB, RFC 2790), and one
# that takes 68 years to wrap (SNMP-FRAMEWORK-MIB, RFC 3411).
HR_SYSTEM_UP_TIME: Final = "1.3.6.1.2.1.25.1.1.0"
SNMP_ENGINE_TIME: Final = "1.3.6.1.6.3.10.2.1.3.0"

SYSTEM: Final = (
    SYS_DESCR,
    SYS_OBJECT_ID,
    SYS_UP_TIME,
    SYS_NAME,
    SYS_LOCATION,
    IF_NUMBER,
    HR_SYSTEM_UP_TIME,
    SNMP_ENGINE_TIME,
)

# IF-MIB, ifTable and ifXTable (RFC 2863). Columns: the instance is the ifIndex.
IF_DESCR: Final = "1.3.6.1.2.1.2.2.1.2"
IF_SPEED: Final = "1.3.6.1.2.1.2.2.1.5"
IF_ADMIN_STATUS: Final = "1.3.6.1.2.1.2.2.1.7"
IF_OPER_STATUS: Final = "1.3.6.1.2.1.2.2.1.8"
IF_IN_OCTETS: Final = "1.3.6.1.2.1.2.2.1.10"
IF_IN_DISCARDS: Final = "1.3.6.1.2.1.2.2.1.13"
IF_IN_ERRORS: Final = "1.3.6.1.2.1.2.2.1.14"
IF_OUT_OCTETS: Final = "1.3.6.1.2.1.2.2.1.16"
IF_OUT_DISCARDS: Final = "1.3.6.1.2.1.2.2.1.19"
IF_OUT_ERRORS: Final = "1.3.6.1.2.1.2.2.1.20"
IF_NAME: Final = "1.3.6.1.2.1.31.1.1.1.1"
IF_HC_IN_OCTETS: Final = "1.3.6.1.2.1.31.1.1.1.6"
IF_HC_OUT_OCTETS: Final = "1.3.6.1.2.1.31.1.1.1.10"
IF_HIGH_SPEED: Final = "1.3.6.1.2.1.31.1.1.1.15"
IF_ALIAS: Final = "1.3.6.1.2.1.31.1.1.1.18"
IF_COUNTER_DISCONTINUITY_TIME: Final = "1.3.6.1.2.1.31.1.1.1.19"

OCTETS: Final = (IF_IN_OCTETS, IF_OUT_OCTETS)
HC_OCTETS: Final = (IF_HC_IN_OCTETS, IF_HC_OUT_OCTETS)
INTERFACE: Final = (
    IF_OPER_STATUS,  # every agent has it, so that an answer without it is no answer
    IF_ADMIN_STATUS,
    IF_SPEED,
    IF_IN_DISCARDS,
    IF_IN_ERRORS,
    IF_OUT_DISCARDS,
    IF_OUT_ERRORS,
    IF_HIGH_SPEED,
    IF_ALIAS,
    IF_COUNTER_DISCONTINUITY_TIME,
)
"""What is read of each interface beside its octets."""

UNKNOWN_SPEED: Final = 2**32 - 1
"""ifSpeed of a link too fast for it."""
MAX_SPEED: Final = 1.6e12
"""bit/s that no port exceeds."""

UP: Final = 1
DOWN: Final = 2
OPER_STATUS: Final = {
    1: "up",
    2: "down",
    3: "testing",
    4: "unknown",
    5: "dormant",
    6: "notPresent",
    7: "lowerLayerDown",
}
