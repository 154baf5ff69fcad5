"""Real servers for tests to talk to: found, started, awaited, and ended by pid."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

DEBIAN = {
    "snmpd": "snmpd",
    "snmpbulkwalk": "snmp",
    "vtysh": "frr frr-snmp",
    "sshd": "openssh-server",
    "ssh": "openssh-client",
    "nginx": "nginx-light",
    "influxd": "influxdb",
    "victoria-metrics": "victoria-metrics",
    "prometheus-snmp-exporter": "prometheus-snmp-exporter",
    "prometheus-node-exporter": "prometheus-node-exporter",
    "zabbix_agent2": "zabbix-agent2",
    "chromium": "chromium",
    "ip": "iproute2",
    "nft": "nftables",
    "iperf3": "iperf3",
    "ping": "iputils-ping",
    "tc": "iproute2",
    "traceroute": "traceroute",
    "tracepath": "iputils-tracepath",
    "tshark": "tshark",
    "socat": "socat",
    "dnsmasq": "dnsmasq-base",
    "unbound": "unbound",
    "chronyd": "chrony",
    "kea-dhcp4": "kea-dhcp4-server",
    "kea-dhcp6": "kea-dhcp6-server",
    "radvd": "radvd",
    "wg": "wireguard-tools",
    "wireguard-go": "wireguard-go",
    "/usr/lib/ipsec/charon": "strongswan-charon libstrongswan-extra-plugins libcharon-extra-plugins",
    "swanctl": "strongswan-swanctl",
    "openvpn": "openvpn",
    "/usr/lib/nagios/plugins/check_dhcp": "monitoring-plugins-basic",
    "/usr/lib/nagios/plugins/check_imap": "monitoring-plugins-basic",
    "/usr/lib/nagios/plugins/check_ldap": "monitoring-plugins-standard",
    "/usr/lib/nagios/plugins/check_ntp_time": "monitoring-plugins-basic",
    "/usr/lib/nagios/plugins/check_pop": "monitoring-plugins-basic",
    "/usr/lib/nagios/plugins/check_smtp": "monitoring-plugins-basic",
    "/usr/lib/nagios/plugins/check_http": "monitoring-plugins-basic",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "dovecot": "dovecot-imapd dovecot-pop3d dovecot-submissiond",
    "slapd": "slapd",
    "vsftpd": "vsftpd",
    "/usr/lib/postgresql/bin/postgres": "postgresql",
    "openssl": "openssl",
    "systemd-nspawn": "systemd-container",
    "systemd-analyze": "systemd",
}
required = False
"""Set by ``--require-peers``: a missing peer is then a failure."""

SBIN = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


def need(*programs: str, root: bool = False) -> None:
    """Skips the test, or fails it under ``--require-peers``, unless the programs (and root) are there."""
    missing = [name for name in programs if which(name) is None]
    if missing:
        packages = " ".join(DEBIAN.get(name, name) for name in missing)
        _without(f"needs {', '.join(missing)}: apt-get install {packages}")
    if root and os.geteuid() != 0:
        _without("needs root")


def which(program: str) -> str | None:
    """Where a program is, looking in sbin too."""
    return shutil.which(program, path=SBIN)


def _without(reason: str) -> None:
    if required:
        pytest.fail(reason)
    pytest.skip(reason)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback that nobody listens on just now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int, host: str = "127.0.0.1") -> bool:
    """Whether somebody listens on a TCP port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), 0.2):
        return True
    return False


def wait_until(condition: Callable[[], bool], what: str, seconds: float = 15.0) -> None:
    """Polls a condition; fails the test when it does not come true in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {seconds:g} s in vain for {what}")
        time.sleep(0.02)


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    *,
    ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    log: Path | None = None,
    seconds: float = 15.0,
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ready, for the length of a ``with``. Ended by TERM, after 5 s by KILL."""
    with open(log or os.devnull, "ab") as out:  # noqa: PTH123 - devnull is no Path
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=cwd,
            env={**os.environ, "PATH": SBIN, **(env or {})},
        )
    try:
        end = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None or time.monotonic() > end:
                said = log.read_text(errors="replace")[-2000:] if log else ""
                pytest.fail(f"{argv[0]} did not get ready (exit {process.returncode}): {said}")
            time.sleep(0.02)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)
