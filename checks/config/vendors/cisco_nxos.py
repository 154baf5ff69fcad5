"""Cisco NX-OS."""

from __future__ import annotations

from checks.config.platform import About, Platform
from checks.config.vendors.cisco import PROMPT, REFUSED, SECRETS

PLATFORM = Platform(
    name="cisco_nxos",
    comment="!",
    prompt=PROMPT,
    setup=("terminal length 0",),
    enable="enable",
    refused=REFUSED,
    config=("show running-config",),
    about=(
        About(
            ("show version",),
            (
                (r"^ *((?:NXOS|system): +version \S+)", r"\1"),
                (r"^ *cisco (.*?[Cc]hassis)", r"Chassis type: \1"),
                (r"^ *Processor Board ID +(\S+)", r"Processor ID: \1"),
            ),
        ),
    ),
    drop=(r"!Time: .*", r"!Running configuration last done at: .*", r"!NVRAM config last updated at: .*"),
    secrets=(*SECRETS, r"^ *(?:snmp-server host .* use-vrf|fabric forwarding).*\bpassword (\S+)"),
)
