"""Both daemons as services of a real systemd, installed with the commands of the handbook."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests import peers
from tests.deploy.systemd import wheelhouse
from tests.deploy.systemd.handbook import commands
from tests.deploy.systemd.machine import Machine, booted
from tests.peers import need, wait_until

pytestmark = [pytest.mark.root, pytest.mark.peer, pytest.mark.slow, pytest.mark.timeout(300)]

AGENT, COLLECTOR = "thongsuot-agent", "thongsuot-collector"
NODE = "n01840"
CAP_NET_RAW = 1 << 13
TOPOLOGY = "/etc/thongsuot/topology.yaml"


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Collector and agent on one machine, at work."""
    need("systemd-nspawn", "unshare", "setpriv", "nsenter", "runuser", "openssl", "curl", root=True)
    _need_what_no_package_gives()
    folder = tmp_path_factory.mktemp("machine")
    wheels = folder / "wheels"
    wheels.mkdir()
    wheelhouse.build(wheels, "collector")
    with booted(folder, {wheels: "/root/wheels"}) as machine:
        _install(machine)
        yield machine


def _need_what_no_package_gives() -> None:
    without = pytest.fail if peers.required else pytest.skip
    if subprocess.run(["unshare", "--mount", "--net", "true"], check=False, capture_output=True).returncode:
        without("needs CAP_SYS_ADMIN, to make namespaces")
    same = f"import sys, ensurepip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]})"
    if subprocess.run(["/usr/bin/python3", "-c", same], check=False, capture_output=True).returncode:
        without(f"needs /usr/bin/python3 to be {sys.version_info[0]}.{sys.version_info[1]}, with python3-venv")


def _install(machine: Machine) -> None:
    # The names and addresses of the examples are this machine's.
    shell(machine, "echo 127.0.0.1 collector.example.vn >> /etc/hosts; ip address add 10.200.1.1/32 dev lo")
    for heading in ("The collector", "Certificate", "Settings and topology", "Service", "An agent"):
        shell(machine, commands(heading))


def shell(machine: Machine, script: str) -> str:
    return machine.run("sh", "-ec", f"cd /root\n{script}")


def page(machine: Machine, path: str) -> str:
    return machine.run("curl", "--silent", "--show-error", "--fail", f"http://127.0.0.1:8080{path}")


def node(machine: Machine) -> dict[str, Any]:
    """The node as the collector's API tells it."""
    found: dict[str, Any] = json.loads(page(machine, f"/api/v1/nodes/{NODE}"))
    return found


def state(machine: Machine, job: str) -> tuple[str, str]:
    """State and reason of a job of the node."""
    return next((one["state"], one["reason"]) for one in node(machine)["jobs"] if one["id"] == f"{NODE}/{job}")


def process(machine: Machine, unit: str) -> str:
    """The process id of a daemon, on the machine."""
    return machine.shown(unit, "MainPID")


def status(machine: Machine, unit: str) -> dict[str, str]:
    """/proc/PID/status of a daemon."""
    lines = machine.run("cat", f"/proc/{process(machine, unit)}/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def wait_for_another(machine: Machine, unit: str, old: str) -> None:
    def another() -> bool:
        return machine.shown(unit, "ActiveState") == "active" and process(machine, unit) not in ("0", old)

    wait_until(another, f"{unit} to be started again", 20)


@pytest.fixture
def impatient(machine: Machine) -> Iterator[None]:
    """An agent that systemd watches and restarts as its unit says, only sooner, so that nobody waits for it."""
    folder = f"/run/systemd/system/{AGENT}.service.d"
    sooner = f"mkdir {folder}; printf '[Service]\\nWatchdogSec=2\\nRestartSec=100ms\\n' > {folder}/sooner.conf"
    again = f"systemctl daemon-reload; systemctl restart {AGENT}"
    shell(machine, f"{sooner}; {again}")
    yield
    shell(machine, f"rm -r {folder}; {again}")


def test_both_daemons_say_when_they_are_ready(machine: Machine) -> None:
    for unit in (AGENT, COLLECTOR):
        assert machine.shown(unit, "Type") == "notify"
        assert machine.shown(unit, "ActiveState") == "active"
        assert machine.shown(unit, "NRestarts") == "0"


def test_systemd_finds_no_fault_in_the_units(machine: Machine) -> None:
    units = [f"/etc/systemd/system/{unit}.service" for unit in (AGENT, COLLECTOR)]

    assert machine.run("systemd-analyze", "verify", "--man=no", *units) == ""


def test_what_the_agent_measures_arrives_at_the_collector(machine: Machine) -> None:
    wait_until(lambda: state(machine, "host/agent")[1] != "pending", "the agent's own host to be measured", 60)

    assert state(machine, "host/agent")[0] != "UNKNOWN"
    assert node(machine)["node"]["reach"] == "connected"


def test_the_agent_pings_from_a_raw_socket(machine: Machine) -> None:
    lowest, highest = map(int, machine.path("/proc/sys/net/ipv4/ping_group_range").read_text().split())
    assert lowest > highest, "a datagram socket would do as well here"

    wait_until(lambda: state(machine, "ping/r1")[0] == "OK", "the router to answer pings", 60)


def test_the_agent_runs_as_its_own_user_with_cap_net_raw_and_nothing_else(machine: Machine) -> None:
    found = status(machine, AGENT)

    assert found["Uid"].split() == [machine.run("id", "-u", AGENT).strip()] * 4
    assert {found[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {f"{CAP_NET_RAW:016x}"}
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


def test_the_collector_runs_as_its_own_user_with_no_capability(machine: Machine) -> None:
    found = status(machine, COLLECTOR)

    assert found["Uid"].split() == [machine.run("id", "-u", COLLECTOR).strip()] * 4
    assert {found[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {f"{0:016x}"}
    assert (found["NoNewPrivs"], found["Seccomp"]) == ("1", "2")


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_a_daemon_can_write_to_its_own_directory_and_what_is_temporary(machine: Machine, unit: str) -> None:
    """What its user, in its view of the files, could make a file in."""
    seen_by_it = ("nsenter", "--target", process(machine, unit), "--mount")
    as_it = ("setpriv", f"--reuid={unit}", f"--regid={unit}", "--clear-groups", "--bounding-set=-all")
    writable = "find / -path /proc -prune -o -type d -writable -print 2>/dev/null || true"

    found = machine.run(*seen_by_it, *as_it, "sh", "-c", writable).split()

    assert set(found) == {f"/var/lib/{unit}", "/tmp", "/var/tmp", "/dev/shm", "/dev/mqueue"}


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_others_cannot_read_what_a_daemon_keeps(machine: Machine, unit: str) -> None:
    modes = machine.run("find", f"/var/lib/{unit}", "-printf", "%M %u\n").splitlines()

    assert len(modes) > 1
    assert modes[0] == f"drwx------ {unit}"
    assert {(mode[7:], user) for mode, user in (line.split() for line in modes)} == {("---", unit)}


def test_the_collector_draws_its_charts_within_its_bounds(machine: Machine) -> None:
    assert page(machine, f"/nodes/{NODE}/charts/quality.svg").startswith("<svg")


def test_an_agent_that_hangs_is_restarted_and_says_where_it_hung(machine: Machine, impatient: None) -> None:
    before = process(machine, AGENT)

    machine.run("kill", "-STOP", before)

    wait_for_another(machine, AGENT, before)
    said = machine.journal(AGENT)
    assert "Watchdog timeout" in said
    assert "Fatal Python error: Aborted" in said
    assert not machine.succeeds("sh", "-c", "ls -d /var/lib/thongsuot-agent/core* /core*"), "a core holds secrets"


def test_an_agent_is_never_given_up(machine: Machine, impatient: None) -> None:
    """systemd's own limit is five starts in 10 s."""
    for _ in range(6):
        before = process(machine, AGENT)
        machine.run("kill", "-KILL", before)
        wait_for_another(machine, AGENT, before)


def test_daemons_that_are_killed_come_back_with_what_they_kept(machine: Machine) -> None:
    before = {unit: process(machine, unit) for unit in (AGENT, COLLECTOR)}

    machine.run("kill", "-KILL", *before.values())

    for unit, old in before.items():
        wait_for_another(machine, unit, old)
    wait_until(lambda: node(machine)["node"]["reach"] == "connected", "the agent to be known and to deliver", 60)


def test_a_reload_of_the_agent_fetches_the_plan_again(machine: Machine) -> None:
    before = process(machine, AGENT)

    machine.run("systemctl", "reload", AGENT)

    wait_until(lambda: "asked to fetch the plan again" in machine.journal(AGENT), "the agent to hear of it")
    assert process(machine, AGENT) == before


def test_a_reload_of_the_collector_reads_the_topology_again_unless_it_is_wrong(machine: Machine) -> None:
    good = machine.path(TOPOLOGY).read_text(encoding="utf-8")
    before = process(machine, COLLECTOR)
    renamed = good.replace("Phường Đức Xuân", "Phường Mới")

    machine.write(TOPOLOGY, renamed)
    machine.run("systemctl", "reload", COLLECTOR)
    wait_until(lambda: bool(node(machine)["node"]["name"] == "Phường Mới"), "the new name of the node")

    machine.write(TOPOLOGY, "nothing: of this\n")
    machine.run("systemctl", "reload", COLLECTOR)
    wait_until(lambda: "the topology was not reloaded" in machine.journal(COLLECTOR), "the collector to refuse it")
    assert node(machine)["node"]["name"] == "Phường Mới"

    machine.write(TOPOLOGY, good)
    machine.run("systemctl", "reload", COLLECTOR)
    assert process(machine, COLLECTOR) == before


@pytest.mark.parametrize("unit", [AGENT, COLLECTOR])
def test_a_daemon_stops_in_order_within_ten_seconds(machine: Machine, unit: str) -> None:
    began = time.monotonic()
    machine.run("systemctl", "stop", unit)
    took = time.monotonic() - began

    assert took < 10
    assert machine.shown(unit, "Result") == "success"
    assert machine.shown(unit, "ExecMainStatus") == "0"
    machine.run("systemctl", "start", unit)


def test_the_install_survives_a_second_time(machine: Machine) -> None:
    """An upgrade is the same commands again: settings, users and state stay."""
    machine.write("/etc/thongsuot/agent.toml", edited := machine.run("cat", "/etc/thongsuot/agent.toml") + "# ours\n")

    shell(machine, commands("Upgrade"))
    folder = "/opt/thongsuot/share/thongsuot"
    machine.run("systemd-sysusers", f"{folder}/sysusers.d/{AGENT}.conf")
    machine.run("systemd-tmpfiles", "--create", f"{folder}/tmpfiles.d/{AGENT}.conf")

    assert machine.run("cat", "/etc/thongsuot/agent.toml") == edited
    assert machine.shown(COLLECTOR, "ActiveState") == "active"


def test_a_child_of_the_agent_may_open_a_packet_socket_and_little_else(machine: Machine) -> None:
    """The dhcp check's child asks on the LAN. Each attempt runs as the agent does, but for its command."""
    attempts = {
        "packet": ("socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))", True),
        "bluetooth": ("socket.socket(socket.AF_BLUETOOTH, socket.SOCK_RAW)", False),
        "executable": ("mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC)", False),
        "owner": ("os.chown('/var/lib/thongsuot-agent', os.getuid(), os.getgid())", False),
    }
    unit = machine.run("cat", f"/etc/systemd/system/{AGENT}.service")
    for key in ("Type", "Restart", "WatchdogSec"):
        unit = re.sub(rf"(?m)^{key}=.*\n", "", unit)
    for name, (attempt, allowed) in attempts.items():
        command = f'ExecStart=/opt/thongsuot/bin/python -c "import mmap, os, socket; {attempt}"'
        as_it = re.sub(r"(?m)^ExecStart=.*$", f"Type=oneshot\n{command}", unit)
        machine.write(f"/run/systemd/system/attempt-{name}.service", as_it)
        assert machine.succeeds("systemctl", "start", f"attempt-{name}") is allowed, name
