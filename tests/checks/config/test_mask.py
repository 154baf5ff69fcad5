"""Lines as the vendors' manuals write them: S3cr3t stands where a secret stands, and no other word may go."""

from __future__ import annotations

import time

import pytest

from checks.config.backup import backup
from checks.config.mask import masked, without
from checks.config.platform import MASK
from checks.config.platforms import PLATFORMS
from tests.checks.config.simulator import PASSWORD

SECRET = {
    "cisco_ios": """
enable secret 9 S3cr3t
enable password S3cr3t
enable secret level 5 5 S3cr3t
username admin privilege 15 secret 9 S3cr3t
username admin privilege 15 password 0 S3cr3t
username admin password S3cr3t
snmp-server community S3cr3t RO 10
snmp-server host 10.1.1.1 S3cr3t
snmp-server host 10.1.1.1 version 2c S3cr3t
snmp-server host 10.1.1.1 vrf Mgmt informs version 2c S3cr3t  config
snmp-server user ops group v3 auth sha S3cr3t priv aes 128 S3cr3t
tacacs-server key 7 S3cr3t
tacacs-server host 10.1.1.1 key S3cr3t
radius-server host 10.1.1.1 auth-port 1812 acct-port 1813 key 7 S3cr3t
 key 7 S3cr3t
 key S3cr3t
 key-string 7 S3cr3t
 key-string S3cr3t
crypto isakmp key S3cr3t address 10.1.1.1
crypto isakmp key 6 S3cr3t
 pre-shared-key S3cr3t
 pre-shared-key local S3cr3t
 pre-shared-key address 10.1.1.1 key S3cr3t
 neighbor 10.1.1.1 password S3cr3t
 neighbor 10.1.1.1 password 7 S3cr3t
 ip ospf authentication-key S3cr3t
 ip ospf message-digest-key 1 md5 S3cr3t
 ip ospf message-digest-key 1 md5 7 S3cr3t
 standby 1 authentication md5 key-string S3cr3t
 vrrp 1 authentication text S3cr3t
 ip nhrp authentication S3cr3t
 ppp chap password 0 S3cr3t
 ppp pap sent-username u password S3cr3t
 password S3cr3t
 password 7 S3cr3t
ip ftp password S3cr3t
ntp authentication-key 1 md5 S3cr3t 7
vtp password S3cr3t
""",
    "cisco_nxos": """
username admin password 5 S3cr3t  role network-admin
snmp-server user admin network-admin auth md5 S3cr3t priv aes-128 S3cr3t localizedV2key
snmp-server community S3cr3t group network-operator
snmp-server host 10.1.1.1 traps version 2c S3cr3t
tacacs-server host 10.1.1.1 key 7 "S3cr3t"
""",
    "cisco_asa": """
enable password S3cr3t pbkdf2
passwd S3cr3t encrypted
username admin password S3cr3t pbkdf2 privilege 15
 ikev1 pre-shared-key S3cr3t
 ikev2 local-authentication pre-shared-key S3cr3t
snmp-server host inside 10.1.1.1 community S3cr3t
 key S3cr3t
failover key S3cr3t
""",
    "frr": """
password S3cr3t
enable password 8 S3cr3t
 neighbor 10.1.1.1 password S3cr3t
 ip ospf message-digest-key 1 md5 S3cr3t
  key-string S3cr3t
""",
    "huawei_vrp": """
 local-user admin password irreversible-cipher S3cr3t
 set authentication password cipher S3cr3t
snmp-agent community read cipher S3cr3t
snmp-agent community write S3cr3t
 pre-shared-key cipher S3cr3t
 radius-server shared-key cipher S3cr3t
 ospf authentication-mode md5 1 cipher S3cr3t
 peer 10.1.1.1 password cipher S3cr3t
snmp-agent usm-user v3 ops authentication-mode sha cipher S3cr3t
""",
    "hp_comware": """
 password hash S3cr3t
super password role network-admin hash S3cr3t
snmp-agent community read simple S3cr3t
 key authentication cipher S3cr3t
 pre-shared-key address 10.1.1.1 255.255.255.255 key cipher S3cr3t
""",
    "mikrotik_routeros": """
/ppp secret
add name=u password=S3cr3t service=l2tp
add name=u password="S3cr3t with \\"quotes\\"" service=l2tp
/ip ipsec identity
add peer=p secret=S3cr3t
/interface wireguard
add listen-port=13231 name=wg private-key="S3cr3t"
/interface wireless security-profiles
set [ find default=yes ] wpa2-pre-shared-key=S3cr3t
/snmp community
set [ find default=yes ] addresses=10.1.1.0/24 name=S3cr3t
/snmp
set enabled=yes
""",
    "juniper_junos": """
            encrypted-password "S3cr3t"; ## SECRET-DATA
    community S3cr3t {
        secret "S3cr3t"; ## SECRET-DATA
            pre-shared-key ascii-text "S3cr3t"; ## SECRET-DATA
            authentication-key "S3cr3t";
""",
    "fortinet": """
        set password ENC S3cr3t
        set psksecret S3cr3t
config system snmp community
    edit 1
        set name "S3cr3t"
        config hosts
            edit 1
                set ip 10.1.1.1 255.255.255.255
            next
        end
    next
end
        set passphrase "S3cr3t"
""",
    "vyos": """
set system login user vyos authentication encrypted-password 'S3cr3t'
set service snmp community S3cr3t authorization 'ro'
set vpn ipsec site-to-site peer x authentication pre-shared-secret 'S3cr3t'
set interfaces wireguard wg0 private-key 'S3cr3t'
set protocols bgp neighbor 10.1.1.1 password 'S3cr3t'
set vpn ipsec authentication psk office secret 'S3cr3t'
""",
    "pfsense": """
<bcrypt-hash>S3cr3t</bcrypt-hash>
<rocommunity>S3cr3t</rocommunity>
<pre-shared-key>S3cr3t</pre-shared-key>
<prv>S3cr3t</prv>
<ldap_bindpw>S3cr3t</ldap_bindpw>
<password><![CDATA[S3cr3t]]></password>
""",
}
PLAIN = {
    "cisco_ios": """
service password-encryption
security passwords min-length 8
password encryption aes
aaa authentication login default local group TACACS
aaa authorization commands 15 default local none
key chain OSPF
 key 1
ip ssh version 2
snmp-server enable traps snmp authentication linkdown linkup coldstart warmstart
snmp-server location Bắc Kạn
snmp-server host 10.1.1.1 version 3 auth
 neighbor 10.1.1.1 remote-as 65001
 ip address 10.1.1.1 255.255.255.0
 description password of nobody
""",
    "huawei_vrp": """
 authentication-mode password
 ssh server cipher aes256_ctr aes128_ctr
 ip address 10.1.1.1 255.255.255.0
 local-user admin privilege level 15
""",
    "fortinet": """
    edit "secret-office"
        set name "policy 1"
        set alias "key"
config system snmp sysinfo
    set status enable
end
""",
    "juniper_junos": """
    policy-options {
        community customers members 65001:100;
    authentication-order [ password radius ];
""",
    "vyos": """
set system host-name 'r1'
set service ssh port '22'
""",
    "mikrotik_routeros": """
/interface bridge
add name=bridge1
/system identity
set name=r1
""",
}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_secret_goes_and_its_line_stays(platform: str) -> None:
    text = masked(SECRET[platform], PLATFORMS[platform])

    for written, kept in zip(SECRET[platform].split("\n"), text.split("\n"), strict=True):
        before, secret, _ = written.partition("S3cr3t")
        assert "S3cr3t" not in kept
        assert kept.startswith(before.removesuffix("<![CDATA[").rstrip("\"'"))
        assert secret or kept == written
    assert masked(text, PLATFORMS[platform]) == text


@pytest.mark.parametrize("platform", PLAIN)
def test_what_is_no_secret_stays(platform: str) -> None:
    assert masked(PLAIN[platform], PLATFORMS[platform]) == PLAIN[platform]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_keys_hashes_and_passwords_in_addresses_go_on_every_platform(platform: str) -> None:
    text = (
        "x -----BEGIN RSA PRIVATE KEY-----\nMIIE\nS3cr3t\n-----END RSA PRIVATE KEY----- y\n"
        "backup to ftp://user:S3cr3t@10.1.1.1/x\nhash $6$S3cr3t$abcdef end\n"
    )
    found = masked(text, PLATFORMS[platform])

    assert "S3cr3t" not in found
    assert "10.1.1.1/x" in found


def test_what_we_log_in_with_goes_wherever_it_stands() -> None:
    assert without('description "hunter22" of admin1 and admin', ("hunter22", "admin", "")) == (
        f'description "{MASK}" of admin1 and {MASK}'
    )


@pytest.mark.slow
@pytest.mark.parametrize("platform", PLATFORMS)
def test_no_device_can_keep_the_agent_busy_with_what_it_says(platform: str) -> None:
    shapes = [
        "a",
        "a-",
        '"',
        "'",
        "key ",
        "password 7 ",
        "$1$",
        "<password>",
        "://",
        "\n",
        " \n",
        "set name x\n",
        "\\\n ",
    ]
    kind = PLATFORMS[platform]
    for shape in shapes:
        said = (shape * (100_000 // len(shape))) + "\n"
        begin = time.process_time()
        backup(kind, [*([None] * len(kind.about)), (kind.config[0], "x\n" + said)], "r1#", (PASSWORD,))
        assert time.process_time() - begin < 1.0, shape
