"""MikroTik RouterOS 6 and 7, without a terminal: its own paints what is typed."""

from __future__ import annotations

from typing import Final

from checks.config.platform import About, Platform

_WORD: Final = (
    r"password|secret|passphrase|key|(?:wpa2?-)?pre-shared-key|private-key|preshared-key|(?:tcp-)?md5-key|"
    r"auth(?:entication)?-(?:password|key|secret)|encryption-(?:password|key)|(?:wpa|static|mac)\S*-key\S*|"
    r"shared-secret|ipsec-secret|http-auth-password"
)

PLATFORM = Platform(
    name="mikrotik_routeros",
    comment="#",
    prompt=r"\[[^\]]+\] ?(?:/[\w /-]*)?> ?",
    exec=True,
    refused=r"^(?:bad command name|expected end of command|syntax error|no such item|not enough permissions)",
    # What leaves out secrets comes first: 7 does so unless asked, 6 when asked.
    config=("/export", "/export show-sensitive"),
    joined=r"\\\n +",
    about=(
        About(
            ("/system resource print",),
            ((r"^ *(version|architecture-name|board-name|platform|cpu|total-memory): (.*?)\s*$", r"\1: \2"),),
        ),
        About(("/system package update print",), ((r"^ *(installed-version): (\S+)", r"\1: \2"),)),
        About(
            ("/system history print without-paging",),
            # The newest is first; its line says who, unless the system itself did it.
            ((r"ACTION.*\n.*?\S {2,}(\S+) +\S+ +(?:\d{4}-\d\d-\d\d|[a-z]{3}/\d\d/\d{4}).*", r"by \1"),),
        ),
    ),
    drop=(r"# .* by RouterOS .*", r"# by \S+"),
    secrets=(rf"\b(?:{_WORD})=((?:\"(?:[^\"\\]|\\.)*\")|[^\s\"]+)",),
    secrets_in=((r"^/snmp community\n(?:[^/].*\n)*", r"\bname=(\S+)"),),
    changed_by=(r"^# by (\S+)",),
)
