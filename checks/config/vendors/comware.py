"""Where secrets stand on VRP and Comware, which grew from one root."""

from __future__ import annotations

from typing import Final

SECRETS: Final = (
    r"\b(?:irreversible-cipher|cipher|simple|hash|encrypted|plain|md5-compatible) (?!rsa|aes|des|sha|md5 )(\S+)",
    r"^ *snmp-agent community (?:read|write) (?!cipher |simple )(\S+)",
    r"^ *snmp-agent target-host .*?\b(?:securityname|params securityname) (?!cipher )(\S+)",
    r"^ *snmp-agent usm-user .*?\bauthentication-mode (?:md5|sha\S*) (?!cipher |simple )(\S+)",
    r"^ *snmp-agent usm-user .*?\bprivacy-mode \S+ (?!cipher |simple )(\S+)",
    r"^ *pre-shared-key (?!cipher |simple |address |hostname )(\S+)",
    r"^ *(?:super )?password (?!cipher |simple |hash |irreversible-cipher |role |-|policy|recover|alert|expire)(\S+)",
    r"^ *(?:radius-server|hwtacacs-server) shared-key (?!cipher )(\S+)",
    r"^ *key (?:authentication|accounting|authorization) (?!cipher |simple )(\S+)",
    r"^ *ntp-service authentication-keyid \d+ authentication-mode \S+ (?!cipher |simple )(\S+)",
    r"^ *(?:peer \S+ password|(?:ospf|isis) authentication-mode \S+(?: \d+)?) (?!cipher |simple |plain |\d+ )(\S+)",
    r"^ *(?:vrrp vrid \d+ authentication-mode \S+) (?!cipher |simple |plain )(\S+)",
)
