"""pfSense and OPNsense: one XML file, read without the menu that a login shows."""

from __future__ import annotations

from checks.config.platform import About, Platform

_ELEMENT = (
    r"(?:[\w-]*password[\w-]*|[\w-]*passwd|passwordfld|[\w-]*-hash|pre-shared-key|presharedkey|psk|prv|"
    r"[\w-]*secret[\w-]*|shared_key|tls|tlskey|tls_key|authorizedkeys|rocommunity|rwcommunity|privatekey|"
    r"private_key|apikey|api_key|accesskey|stats_password|md5sigpass|crypto_password\d?|ldap_bindpw|"
    r"community|otp_seed|passphrase|hasync_password|wpa_passphrase|encryption_password)"
)

PLATFORM = Platform(
    name="pfsense",
    comment="#",
    prompt=r"\[.*\].*: ?|.*[#$%] ?",
    exec=True,
    refused=r"^(?:cat|sh): .*: (?:No such file|Permission denied)",
    config=("cat /cf/conf/config.xml", "cat /conf/config.xml"),
    about=(About(("cat /etc/version", "opnsense-version"), ((r"^(\d\S*|OPNsense .*)$", r"Version: \1"),)),),
    drop=(r"[ \t]*<lastchange>[^<]+</lastchange>", r"[ \t]*<revision(?: [^>]*)?>\n(?:.*\n)*?[ \t]*</revision>"),
    secrets=(rf"<{_ELEMENT}>([^<\n]+|<!\[CDATA\[.*?\]\]>)</",),
    changed_by=(r"<username>(?:<!\[CDATA\[)?([^@<\]\s(]+)[^<]*</username>\s*(?:<[^>]*>[^<]*</[^>]*>\s*)*</revision>",),
)
