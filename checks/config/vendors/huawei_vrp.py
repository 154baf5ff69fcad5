"""Huawei VRP: routers, switches, and USG firewalls."""

from __future__ import annotations

from checks.config.platform import PAGER, About, Platform
from checks.config.vendors.comware import SECRETS

PLATFORM = Platform(
    name="huawei_vrp",
    comment="#",
    prompt=r"(?:HRP_[MSAB])?[<\[][~*]?[\w.:/@ -]+[>\]] ?",
    setup=("screen-length 0 temporary",),
    # It asks whether to change the password, and whether to save: this session changes nothing.
    keys=(PAGER, (r"(?i)\[y/n(?:/c)?\] ?:? ?$", "n\n")),
    refused=r"^\s*(?:Error|% ?(?:Unrecognized|Incomplete|Wrong|Ambiguous|Too many))\b",
    config=("display current-configuration", "display current-configuration all"),
    about=(
        About(
            ("display version",),
            (
                (r"^(VRP \(R\) software, Version .*?)\s*$", r"\1"),
                (r"^((?:HUAWEI|Huawei|Quidway) \S+)(?= .*uptime)", r"\1"),
            ),
        ),
    ),
    drop=(
        r"!Last configuration was (?:updated|saved) at .*",
        r"!Configuration was (?:updated|saved) at .*",
        r"!Time: .*",
        r"# Last configuration was .*",
    ),
    secrets=SECRETS,
    changed_by=(r"^[!#] ?(?:Last configuration|Configuration) was updated at .* by (\S+)",),
)
