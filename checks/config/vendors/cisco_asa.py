"""Cisco ASA. ``show running-config`` hides most secrets by itself; the other way to ask, for contexts, does not."""

from __future__ import annotations

from checks.config.platform import About, Platform
from checks.config.vendors.cisco import PROMPT, REFUSED, SECRETS

PLATFORM = Platform(
    name="cisco_asa",
    comment="!",
    prompt=PROMPT,
    setup=("terminal pager 0",),
    enable="enable",
    refused=REFUSED,
    config=("show running-config", "more system:running-config"),
    about=(
        About(
            ("show version",),
            (
                (r"^(Cisco Adaptive Security Appliance Software Version \S+)", r"\1"),
                (r"^Hardware: +([^,\n]+)", r"Hardware: \1"),
                (r"^Serial Number: (\S+)", r"Serial Number: \1"),
            ),
        ),
    ),
    drop=(
        r": Saved",
        r": Written by .*",
        r": Hardware: .*",
        r"Building configuration\.\.\.",
        r"Cryptochecksum:.*",
        r": end",
    ),
    secrets=(
        *SECRETS,
        r"^ *(?:enable password|passwd) (\S+)",
        r"^ *username \S+ (?:nopassword|password (\S+))",
        r"^ *(?:ikev1|ikev2) (?:local-authentication |remote-authentication )?pre-shared-key (\S+)",
        r"^ *(?:key|failover key|failover ipsec pre-shared-key|ldap-login-password|server-key) (?:\d )?(\S+)",
        r"^ *snmp-server host .*? community (?:\d )?(\S+)",
    ),
    changed_by=(r"^: Written by (\S+) at",),
)
