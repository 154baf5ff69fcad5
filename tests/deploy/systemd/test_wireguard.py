"""The helper that asks WireGuard for the agent: what it may, what it says, and to whom."""

from __future__ import annotations

import ipaddress
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from checks.vpn.wireguard import HELPER, QUESTIONS, Peer, parse
from tests.deploy.systemd.handbook import commands
from tests.deploy.systemd.machine import Machine, booted
from tests.peers import need, wait_until

UNITS = Path(__file__).parents[3] / "deploy" / "systemd"
SOCKET, SERVICE = UNITS / "thongsuot-wireguard.socket", UNITS / "thongsuot-wireguard@.service"
INSTALLED = "/opt/thongsuot/share/thongsuot/systemd"
NOBODY = ("setpriv", "--reuid=nobody", "--clear-groups", "--regid")
ASK = f"import socket; s = socket.socket(socket.AF_UNIX); s.connect('{HELPER}'); print(s.makefile().read(), end='')"


def test_it_asks_the_check_s_questions_and_nothing_else() -> None:
    said = re.findall(r"(?m)^ExecStart=(.*)$", SERVICE.read_text())

    assert said[0::2] == [f"/usr/bin/wg show all {question}" for question in QUESTIONS]
    assert said[1::2] == ["/usr/bin/echo"] * len(QUESTIONS)


def test_it_listens_where_the_check_says() -> None:
    assert f"ListenStream={HELPER}\n" in SOCKET.read_text()


@pytest.mark.peer
def test_its_exposure_stays_within_its_bound() -> None:
    need("systemd-analyze")
    argv = ["systemd-analyze", "security", "--offline=yes", str(SERVICE)]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    exposure = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said)

    assert exposure is not None
    assert float(exposure[1]) <= 1.7


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    need("systemd-nspawn", "unshare", "setpriv", "nsenter", "wg", "wireguard-go", root=True)
    with booted(tmp_path_factory.mktemp("machine"), {}) as machine:
        machine.run("groupadd", "--system", "thongsuot-agent")
        machine.run("mkdir", "--parents", INSTALLED)
        for unit in (SOCKET, SERVICE):
            machine.write(f"{INSTALLED}/{unit.name}", unit.read_text())
        machine.run("sh", "-ec", commands("Tunnels"))
        yield machine


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.slow
def test_a_real_systemd_finds_no_fault_in_it(machine: Machine) -> None:
    files = [f"/etc/systemd/system/{unit.name}" for unit in (SOCKET, SERVICE)]

    assert machine.run("systemd-analyze", "verify", "--man=no", *files) == ""


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.slow
def test_it_tells_the_agent_s_group_of_peers_and_of_no_key_that_is_secret(machine: Machine) -> None:
    private, public = machine.run("wg", "genkey").strip(), machine.run("sh", "-c", "wg genkey | wg pubkey").strip()
    machine.write("/root/private", private)
    machine.run("systemd-run", "--unit=wireguard", "--setenv=WG_PROCESS_FOREGROUND=1", "wireguard-go", "-f", "wg0")
    wait_until(lambda: machine.succeeds("wg", "show", "wg0"), "an interface of WireGuard")
    peer = ("peer", public, "endpoint", "192.0.2.1:51820", "allowed-ips", "10.0.0.0/24")
    machine.run("wg", "set", "wg0", "private-key", "/root/private", *peer)

    said = machine.run(*NOBODY, "thongsuot-agent", "/usr/bin/python3", "-c", ASK)

    assert parse(said) == {"wg0": [Peer(public, "192.0.2.1:51820", (ipaddress.ip_network("10.0.0.0/24"),))]}
    assert private not in said


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.slow
def test_it_answers_nobody_else(machine: Machine) -> None:
    said = machine.run(*NOBODY, "nogroup", "/usr/bin/python3", "-c", ASK, check=False)

    assert "PermissionError" in said
