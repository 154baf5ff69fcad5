"""The check beside real tunnels, each fault made for real."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.model import Outcome, State
from checks.vpn.wireguard import QUESTIONS
from tests.checks.vpn.conftest import TOP, Office, metrics
from tests.lab import tunnels
from tests.lab.tunnels import Tunnel
from tests.peers import SBIN, need, running

pytestmark = [pytest.mark.root, pytest.mark.peer, pytest.mark.slow]

KINDS = ("wireguard", "strongswan", "openvpn")
NOBODY = 65534
BRIEF = 0.3
"""Seconds to wait for what will not come."""
HELPER = TOP / "deploy" / "systemd" / "thongsuot-wireguard@.service"
EACH = pytest.mark.parametrize("kind", KINDS)
MAKE: dict[str, Callable[..., contextlib.AbstractContextManager[Tunnel]]] = {
    kind: getattr(tunnels, kind) for kind in KINDS
}


def check(office: Office, kind: str, tunnel: Tunnel, **params: Any) -> Outcome:
    """A run of the check, which never tells a secret."""
    if kind == "strongswan":
        params = {"socket": str(tunnel.control)} | params
    target = str(tunnel.control) if kind == "openvpn" else tunnel.name
    outcome = office.check(kind, target, **params)
    assert not [secret for secret in tunnel.secrets if secret in repr(outcome)]
    return outcome


@pytest.fixture
def tunnel(kind: str, office: Office, tmp_path: Path) -> Iterator[Tunnel]:
    with MAKE[kind](office.wire, tmp_path) as up:
        yield up


@EACH
@pytest.mark.parametrize("probe", ["stamp", "ping"])
def test_a_tunnel_that_traffic_passes_is_proven(office: Office, kind: str, tunnel: Tunnel, probe: str) -> None:
    found = check(office, kind, tunnel, probe=probe)

    whom = "10.0.7.1:862" if probe == "stamp" else "10.0.7.1"
    assert (found.state, found.reason, found.answered) == (State.OK, "", True)
    assert found.summary.partition(": ")[2].startswith(f"proven: {whom} answers through the tunnel to ")
    assert found.facts["verdict"] == "proven"
    assert found.facts["peer"]
    values = metrics(found)
    assert (values["vpn.up"], values["vpn.loss"], values["vpn.rekeys"]) == (1, 0, 0)
    assert 0 <= values["vpn.age"] < 60
    least = 10 * (112 if probe == "stamp" else 56)
    assert min(values["vpn.received"], values["vpn.sent"]) >= least


@EACH
def test_a_cut_line_is_seen_at_once_though_the_keys_are_still_good(office: Office, kind: str, tunnel: Tunnel) -> None:
    check(office, kind, tunnel)
    office.wire.cut()
    cut = check(office, kind, tunnel, wait=BRIEF)
    office.wire.mend()
    mended = check(office, kind, tunnel)

    assert (cut.state, cut.reason, cut.answered) == (State.CRIT, "no-traffic", False)
    assert cut.facts["verdict"] == "negotiated only"
    assert cut.summary.endswith("but none of 10 packets to 10.0.7.1:862 came back")
    assert (metrics(cut)["vpn.up"], metrics(cut)["vpn.loss"]) == (1, 100)
    assert (mended.state, mended.facts["verdict"]) == (State.OK, "proven")


@EACH
@pytest.mark.parametrize("probe", ["stamp", "ping"])
def test_traffic_that_goes_round_the_tunnel_is_a_leak(office: Office, kind: str, tunnel: Tunnel, probe: str) -> None:
    check(office, kind, tunnel, probe=probe)
    office.wire.leak()
    found = check(office, kind, tunnel, probe=probe)

    assert (found.state, found.reason, found.answered) == (State.CRIT, "leaking", True)
    assert found.facts["verdict"] == "leaking"
    assert found.summary.endswith("the route goes round it")


@pytest.mark.parametrize("kind", ["wireguard"])
def test_a_path_by_way_of_a_router_outside_the_tunnel_is_a_leak(office: Office, kind: str, tunnel: Tunnel) -> None:
    inside = check(office, kind, tunnel, outside=["10.9.7.2"])
    seen = check(office, kind, tunnel, outside=["10.0.7.1"])

    assert inside.state is State.OK
    assert (seen.state, seen.reason) == (State.CRIT, "leaking")
    assert seen.summary.endswith("came back by way of 10.0.7.1, which is outside the tunnel")


@EACH
def test_a_wrong_key_leaves_the_tunnel_down_and_says_what_is_seen(office: Office, kind: str, tmp_path: Path) -> None:
    with MAKE[kind](office.wire, tmp_path, wrong_key=True) as tunnel:
        found = check(office, kind, tunnel, wait=BRIEF)

    said = {
        "wireguard": "no handshake with 10.9.7.2:51820 yet: it is unreachable, or one end does not have",
        "strongswan": "charon has no SA of office: the negotiation failed, or never began; its log says why",
        "openvpn": "OpenVPN is ",
    }
    assert (found.state, found.reason, found.answered) == (State.CRIT, "tunnel-down", False)
    assert found.facts["verdict"] == "down"
    assert found.summary.partition(": down: ")[2].startswith(said[kind])
    assert metrics(found)["vpn.up"] == 0


@EACH
def test_a_daemon_that_died_is_an_outage_when_nothing_passes(office: Office, kind: str, tunnel: Tunnel) -> None:
    tunnel.daemon.terminate()
    tunnel.daemon.wait(10)
    dead = check(office, kind, tunnel, wait=BRIEF)
    office.wire.leak()
    open_way = check(office, kind, tunnel)

    assert (dead.state, dead.reason, dead.facts["verdict"]) == (State.CRIT, "tunnel-down", "down")
    assert ("has no interface" if kind == "wireguard" else "does not run") in dead.summary
    assert (open_way.state, open_way.reason) == (State.UNKNOWN, "no-daemon")
    assert "verdict" not in open_way.facts


@EACH
def test_without_permission_nothing_is_said_of_the_tunnel(office: Office, kind: str, tunnel: Tunnel) -> None:
    """Root without a capability is nobody to the kernel, and finds its Python wherever that is installed."""
    need("setpriv")
    if kind != "wireguard":
        os.chown(tunnel.control, NOBODY, NOBODY)
        tunnel.control.chmod(0o770)
    found = check(office, kind, tunnel, prefix=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))

    may_not = f"socket {tunnel.control} may not be opened by this agent: add its user to the socket's group, nogroup"
    said = {
        "wireguard": (
            "this agent may not ask WireGuard: it lacks CAP_NET_ADMIN; enable thongsuot-wireguard.socket on its host, "
            "and set socket to /run/thongsuot-wireguard.sock"
        ),
        "strongswan": f"charon's {may_not}",
        "openvpn": f"OpenVPN's {may_not}",
    }
    assert (found.state, found.reason, found.answered) == (State.UNKNOWN, "no-permission", False)
    assert found.summary == said[kind]


@pytest.mark.parametrize("kind", ["wireguard"])
def test_wireguard_is_asked_for_nothing_secret(office: Office, kind: str, tunnel: Tunnel, tmp_path: Path) -> None:
    asked = tmp_path / "asked"
    program = tmp_path / "programs" / "wg"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$*" >> {asked}\nexec /usr/bin/wg "$@"\n')
    program.chmod(0o755)
    found = check(office, kind, tunnel, prefix=("env", f"PATH={program.parent}:{SBIN}"))

    assert found.facts["verdict"] == "proven"
    assert asked.read_text().splitlines() == [f"show all {question}" for question in QUESTIONS] * 2


@pytest.mark.parametrize("kind", ["wireguard"])
def test_with_the_helper_no_permission_is_needed(office: Office, kind: str, tunnel: Tunnel, tmp_path: Path) -> None:
    need("socat", "setpriv")
    helper, script = tmp_path / "helper.sock", tmp_path / "helper"
    script.write_text("\n".join(re.findall(r"(?m)^ExecStart=(.*)$", HELPER.read_text())))
    listen = ("socat", f"UNIX-LISTEN:{helper},fork", f"EXEC:sh {script}")
    with running(office.wire.office.where.argv(*listen), ready=helper.is_socket):
        powerless = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
        found = check(office, kind, tunnel, prefix=powerless, socket=str(helper))

    assert (found.state, found.facts["verdict"]) == (State.OK, "proven")


@pytest.mark.parametrize("kind", ["strongswan"])
def test_a_connection_that_charon_does_not_know_is_our_mistake(office: Office, kind: str, tunnel: Tunnel) -> None:
    found = office.check(kind, "ofice", socket=str(tunnel.control))

    assert (found.state, found.reason) == (State.UNKNOWN, "no-such-tunnel")
    assert found.summary == "charon has no connection 'ofice': did you mean 'office'?"


@pytest.mark.parametrize("kind", ["strongswan"])
def test_a_rekey_is_counted_and_no_leak(office: Office, kind: str, tunnel: Tunnel) -> None:
    settings = f"STRONGSWAN_CONF={tunnel.control.parent.with_suffix('.strongswan')}"
    again = ("env", settings, "swanctl", "--rekey", "--child", "lan", "--uri", f"unix://{tunnel.control}")
    found = check(office, kind, tunnel, between=again)

    assert found.facts["verdict"] == "proven"
    assert metrics(found)["vpn.rekeys"] == 1


@pytest.mark.parametrize("kind", ["strongswan"])
def test_the_child_of_a_connection_is_found_by_its_own_name(office: Office, kind: str, tunnel: Tunnel) -> None:
    assert office.check(kind, "lan", socket=str(tunnel.control)).facts["verdict"] == "proven"


@pytest.mark.parametrize("kind", ["wireguard"])
def test_a_source_that_is_not_this_host_s_is_our_mistake(office: Office, kind: str, tunnel: Tunnel) -> None:
    found = check(office, kind, tunnel, source="192.0.2.9")

    assert (found.state, found.reason) == (State.UNKNOWN, "no-address")
    assert found.summary == "source 192.0.2.9 is not an address of this agent's host: correct the job's source"


@pytest.mark.parametrize("kind", ["openvpn"])
def test_a_management_interface_that_serves_another_client_is_not_waited_for_long(
    office: Office, kind: str, tunnel: Tunnel
) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.connect(str(tunnel.control))
        assert other.recv(1) == b">"
        found = check(office, kind, tunnel)

    assert (found.state, found.reason) == (State.UNKNOWN, "control")
    assert found.summary.endswith("does not answer within 3 s: it hangs, or serves another client")
