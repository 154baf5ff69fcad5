"""Fortinet FortiOS. The pipe into grep shows all pages at once, without a setting on the device."""

from __future__ import annotations

from typing import Final

from checks.config.platform import PAGER, About, Platform

_WORD: Final = (
    r"passwd|password|psksecret|secret|key|secondary-key|tertiary-key|community|sso-secret|ppk-secret|group-password|"
    r"(?:auth|priv)-pwd|\S*passphrase|pre-shared-key|fixed-key|sae-password|radius-\S*secret|authkey|enckey"
)

PLATFORM = Platform(
    name="fortinet",
    comment="#",
    prompt=r"(?:\(\w\) )?[\w.~-]+(?:\(\w+\))?(?: \([\w. -]+\))? ?~? ?[#$>] ?",
    keys=(PAGER, (r"\(Press 'a' to accept\)", "a")),
    refused=r"^(?:Unknown action|command parse error|Command fail)",
    config=("show | grep .", "show"),
    about=(
        About(
            ("get system status",),
            ((r"^(Version|Serial-Number|Hostname|Operation Mode|Current HA mode): (.*?)\s*$", r"\1: \2"),),
        ),
    ),
    drop=(r"#conf_file_ver=.*", r" *set (?:last-updated|md5-key-update|last-login) .*"),
    aside=(r"config firewall internet-service-name\n(?:[ \t].*\n)*end",),  # FortiGuard renews it
    secrets=(
        r"\bENC (\S+)",
        rf"^ *set (?:{_WORD}) (?!ENC )(\"[^\"]*\"|\S+)",
    ),
    secrets_in=((r"^config system snmp community\n(?:[ \t].*\n)*", r"^ {8}set name (\"[^\"]*\"|\S+)"),),
)
