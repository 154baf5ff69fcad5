"""VyOS and Vyatta."""

from __future__ import annotations

from typing import Final

from checks.config.platform import PAGER, About, Platform

_WORD: Final = (
    r"(?:encrypted-|plaintext-)?password|(?:pre-shared-|shared-)?secret|private-key|preshared-key|authentication-key|"
    r"md5-key|passphrase|api-key|token|psk"
)

PLATFORM = Platform(
    name="vyos",
    comment="#",
    prompt=r"[\w.@-]+(?::[\w~./-]*)?[>$#] ?",
    setup=("set terminal length 0",),
    keys=(PAGER,),
    refused=r"^\s*(?:Invalid command|Ambiguous command|Incomplete command|Configuration path)",
    config=(
        "show configuration commands | no-more",
        "show configuration commands",
        "show configuration | no-more",
        "show configuration",
    ),
    about=(
        About(
            ("show version | no-more", "show version"),
            ((r"^(Version|Hardware S/N|Hardware model|System type): +(.*?)\s*$", r"\1: \2"),),
        ),
    ),
    drop=(r"// (?:Warning|vyos-config-version|Release version).*",),
    secrets=(
        rf"\b(?:{_WORD}) ('[^']*'|\"[^\"]*\"|[^\s'\"{{]\S*)$",
        r"^set service snmp community ('[^']*'|\S+)",
        r"^ *community (\S+) \{",
        r"^set service snmp v3 user \S+ (?:auth|privacy) (?:encrypted|plaintext)-(?:key|password) (\S+)",
    ),
)
