#!/bin/sh
# Installs the Debian packages that the tests talk to. Without root, or elsewhere than on Debian, it says what is
# missing and lets the tests skip with a reason. No service of theirs is started.
set -eu
packages="snmpd snmp nginx-light influxdb victoria-metrics prometheus-snmp-exporter prometheus-node-exporter
zabbix-agent2 chromium nftables iproute2 systemd-container python3-venv curl openssl
dnsmasq-base kea-dhcp4-server kea-dhcp6-server radvd monitoring-plugins-basic iputils-ping iputils-tracepath traceroute tshark socat iperf3
wireguard-go wireguard-tools openvpn strongswan-charon strongswan-swanctl libstrongswan-extra-plugins
libcharon-extra-plugins frr frr-snmp openssh-server openssh-client
prometheus-blackbox-exporter dovecot-imapd dovecot-pop3d dovecot-submissiond slapd vsftpd postgresql
unbound chrony monitoring-plugins-standard"
command -v dpkg-query >/dev/null || { echo "not Debian: tests that need a real server may skip"; exit 0; }
missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    echo "some tests will skip: as root, apt-get install$missing"
    exit 0
fi
# The packages' own daemons must not start here: tests start what they need, on loopback or in namespaces.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || rm -f "$policy"' EXIT
echo "installing:$missing"
apt-get update -qq
# shellcheck disable=SC2086 # a list of words is meant
DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $missing >/dev/null
