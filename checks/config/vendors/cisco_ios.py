"""Cisco IOS and IOS-XE."""

from __future__ import annotations

from checks.config.platform import About, Platform
from checks.config.vendors.cisco import PROMPT, REFUSED, SECRETS

PLATFORM = Platform(
    name="cisco_ios",
    comment="!",
    prompt=PROMPT,
    setup=("terminal length 0", "terminal width 0"),
    enable="enable",
    refused=REFUSED,
    config=("show running-config",),
    about=(
        About(
            ("show version",),
            (
                (r"^(Cisco IOS.*?Version [^,\n]+)", r"\1"),
                (r"^System image file is \"([^\"]+)\"", r"Image: \1"),
                (r"^[Cc]isco (\S+).* processor", r"Chassis type: \1"),
                (r"^Processor board ID (\S+)", r"Processor ID: \1"),
            ),
        ),
    ),
    drop=(
        r"Building configuration\.\.\.",
        r"(?:Current|Using) .*bytes.*",
        r"! Last configuration change at .*",
        r"! NVRAM config last updated at .*",
        r"! No configuration change since last restart.*",
        r"!Time: .*",
        r"ntp clock-period \d+",
    ),
    secrets=SECRETS,
    changed_by=(r"^! Last configuration change at .* by (\S+)",),
)
