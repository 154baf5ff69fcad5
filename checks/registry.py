"""Every check there is, by name. A literal: what an agent can be told to do is read here, and nowhere else."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from checks import greeting, host, http, ping, tcp
from checks.config.check import CHECK as CONFIG
from checks.contract import AnyCheck
from checks.dhcp.check import CHECK as DHCP
from checks.dns.check import CHECK as DNS
from checks.errors import ObserverError
from checks.ldap.check import CHECK as LDAP
from checks.ntp.check import CHECK as NTP
from checks.snmp.check import CHECK as SNMP
from checks.stamp.check import CHECK as STAMP
from checks.tls.check import CHECK as TLS
from checks.vpn.check import CHECK as VPN
from checks.wan.check import CHECK as WAN

CHECKS: Final[Mapping[str, AnyCheck]] = MappingProxyType(
    {
        "config": CONFIG,
        "dhcp": DHCP,
        "dns": DNS,
        "host": host.CHECK,
        "http": http.CHECK,
        "imap": greeting.IMAP,
        "ldap": LDAP,
        "ntp": NTP,
        "ping": ping.CHECK,
        "pop3": greeting.POP3,
        "smtp": greeting.SMTP,
        "snmp": SNMP,
        "stamp": STAMP,
        "tcp": tcp.CHECK,
        "tls": TLS,
        "vpn": VPN,
        "wan": WAN,
    }
)


def find(name: str) -> AnyCheck:
    """The check of a name. Raises ObserverError with the near match, or with the names there are."""
    check = CHECKS.get(name)
    if check is None:
        near = difflib.get_close_matches(name, CHECKS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(CHECKS)}"
        raise ObserverError("unknown-check", f"unknown check {name!r}: {hint}")
    return check
