"""FRRouting, by vtysh as a login shell."""

from __future__ import annotations

from checks.config.platform import Platform
from checks.config.vendors.cisco import PROMPT, REFUSED, SECRETS

PLATFORM = Platform(
    name="frr",
    comment="!",
    prompt=PROMPT,
    setup=("terminal length 0",),
    enable="enable",
    refused=REFUSED,
    config=("show running-config",),
    drop=(r"Building configuration\.\.\.", r"Current configuration:"),
    secrets=SECRETS,
)
