"""Juniper Junos."""

from __future__ import annotations

from typing import Final

from checks.config.platform import PAGER, About, Platform

_WORD: Final = (
    r"encrypted-password|plain-text-password-value|secret|authentication-key|authentication-password|privacy-password|"
    r"pre-shared-key (?:ascii-text|hexadecimal)|simple-password|password"
)

PLATFORM = Platform(
    name="juniper_junos",
    comment="#",
    prompt=r"[\w.@-]+(?:\([\w.-]+\))?[>%#$] ?",
    setup=("set cli screen-length 0", "set cli screen-width 0"),
    keys=(PAGER,),
    refused=r"^(?:error: |unknown command|syntax error|\s*\^\s*$)",
    config=("show configuration | display omit", "show configuration"),
    about=(
        About(("show version",), ((r"^(Hostname|Model|Junos): (.*?)\s*$", r"\1: \2"),)),
        About(("show chassis hardware",), ((r"^Chassis +(\S+) +(\S.*?)\s*$", r"Chassis: \1 \2"),)),
    ),
    drop=(r"## Last (?:commit|changed): .*",),
    secrets=(
        r"(?<!\S)(\"[^\"]*\"|\S+); ## SECRET-DATA",
        rf"\b(?:{_WORD}) (\"[^\"]*\"|[^\s;]+);",
        r"^ *community (?!\S+ members|\S+ \[)(\"[^\"]*\"|[^\s;]+) \{",
        r"^ *(?:key|chap-secret|pap-password|local-password) (\"[^\"]*\");",
    ),
    changed_by=(r"^## Last commit: .* by (\S+)",),
)
