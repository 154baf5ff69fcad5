"""What Cisco's systems have in common: prompts, refusals, and where secrets stand. FRR writes most of it alike."""

from __future__ import annotations

from typing import Final

PROMPT: Final = r"\r*[\w.@/:+-]+(?:\([\w./ -]+\))?[#>] ?"
REFUSED: Final = r"^% (?:Invalid|Incomplete|Ambiguous|Unknown|Unrecognized|Permission|Authorization)|^ERROR: |^% ?Bad "
_WORD: Final = (
    r"password|secret|passphrase|key|key-string|server-key|shared-secret|string|hash|md5|pac key|cipher|hex|ascii|"
    r"pre-shared-key(?: (?:local|remote))?(?: address \S+(?: \S+)? key)?"
)
_VALUE: Final = r"(\S.*?)(?= (?:password|secret|key|priv) \d |$)"
_HOW: Final = r"(?:(?:use-)?vrf \S+|traps?\b|informs?\b|version \S+|(?:no)?auth\b|priv\b|udp-port \d+)"

SECRETS: Final = (
    # <word> <how it is written, one digit> <secret to the end of the line, or to the next such word>
    rf"(?<![\w-])(?:{_WORD}) (?:encrypted )?\d {_VALUE}",
    rf"\b(?:set-key|psk) (?:ascii|hex) (?:\d )?{_VALUE}",
    rf"^ *(?:enable )?(?:secret|password)(?: level \d+)?(?: \d)? (?!encryption |level |\d ){_VALUE}",
    rf"^ *(?:username \S+|user \S+) .*?\b(?:password|secret) (?!\d ){_VALUE}",
    rf"^ *(?:key-string|server-key|shared-secret|passphrase|authentication-key) (?!\d ){_VALUE}",
    r"^ *pre-shared-key (?:local |remote )?(?:hex )?(?!local |remote |address |hex |\d )(\S+)",
    r"^ *pre-shared-key address \S+(?: \S+)? key (?:hex )?(?!hex |\d )(\S+)",
    r"^ *(?:tacacs|radius|server-private|client)\b.*? (?:server-)?key (?!chain )(?!\d )(\S+)",
    r"^ *key (?!chain |config-key |\d)(?!\d+ *$)(\S+) *$",
    r"^ *crypto isakmp key (?!\d )(\S+)",
    r"^ *(?:.*\b)?neighbor \S+ password (?!\d )(\S+)",
    r"^ *ip(?:v6)? ospf (?:authentication-key|message-digest-key \d+ md5) (?:\d )?(\S+)",
    r"^ *area \S+ .*?(?:authentication-key|message-digest-key \d+ md5) (?:\d )?(\S+)",
    r"^ *(?:standby|vrrp|glbp|hsrp)\b.* authentication (?:md5 key-string |text )?(?!md5 |text )(?:\d )?(\S+)",
    r"^ *(?:isis|lsp-|domain-|area-)password (?!\d )(?:clear |md5 )?(\S+)",
    r"^ *(?:ip )?nhrp authentication (\S+)",
    r"^ *ppp (?:chap|pap) .*?\bpassword (?!\d )(\S+)",
    r"^ *(?:ip )?(?:ftp|http client|vtp) password (?!\d )(\S+)",
    r"^ *vtp password (\S+)",
    r"^ *ntp authentication-key \d+ \S+ (?!\d )(\S+)",
    r"^ *snmp-server community (?!\d )(\S+)",
    rf"^ *snmp-server host (?!\S+ \d+\.)\S+(?: {_HOW})* (?!{_HOW})(\S+)",
    r"^ *snmp-server user \S+ .*?\bauth (?:md5|sha\S*) (\S+)",
    r"^ *snmp-server user \S+ .*?\bpriv (?:(?:des|3des|aes(?:[ -]\d+)?) )?(?!des |3des |aes)(\S+)",
)
