"""H3C and HPE Comware."""

from __future__ import annotations

from checks.config.platform import PAGER, About, Platform
from checks.config.vendors.comware import SECRETS

PLATFORM = Platform(
    name="hp_comware",
    comment="#",
    prompt=r"(?:RBM_[PS])?[<\[][\w.*~/:@ -]+[>\]] ?",
    setup=("screen-length disable",),
    keys=(PAGER, (r"(?i)press y or enter to continue", "\n"), (r"(?i)\[y/n\] ?:? ?$", "n\n")),
    refused=r"^\s*% ?(?:Unrecognized|Incomplete|Wrong|Ambiguous|Too many|Permission)",
    config=("display current-configuration",),
    about=(
        About(
            ("display version",),
            (
                (r"^(.*Comware Software, Version .*?)\s*$", r"\1"),
                (r"^((?:H3C|HPE?|HP) \S+.*?)(?= uptime is)", r"\1"),
            ),
        ),
        About(
            ("display device manuinfo",),
            ((r"^ *(DEVICE_NAME|DEVICE_SERIAL_NUMBER) *: *(\S+)", r"\1: \2"),),
        ),
    ),
    drop=(r" *Current configuration .*", r"# Last (?:modified|saved) .*"),
    secrets=SECRETS,
)
