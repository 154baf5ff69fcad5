"""The check at a router, which Debian's snmpd plays, with a reflector beyond it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from checks.snmp import SnmpParams
from checks.stamp.reflector import open_reflector
from checks.vpn.check import CHECK
from checks.vpn.params import VpnParams
from tests.checks.snmp.devices import Device, answers
from tests.checks.vpn.conftest import KEY, metrics
from tests.peers import free_port, need, running, which

TABLE = "1.3.6.1.4.1.12356.101.12.2.2.1"
ROWS = {
    "1": {2: "octet_str centre", 3: "octet_str lan", 4: "octet_str 192.0.2.9", 18: "counter 10", 20: "integer 2"},
    "2": {2: "octet_str backup", 3: "octet_str lan-2", 4: "octet_str 192.0.2.8", 18: "counter 20", 20: "integer 1"},
}
SNMP = SnmpParams(timeout=0.5)


@pytest.fixture
def router(tmp_path: Path) -> Iterator[Device]:
    """With one tunnel that is up, and one that is down."""
    need("snmpd")
    device = Device("127.0.0.1", free_port(socket.SOCK_DGRAM))
    rows = [
        f"override {TABLE}.{column}.{index} {value}" for index, row in ROWS.items() for column, value in row.items()
    ]
    config = tmp_path / "snmpd.conf"
    config.write_text("\n".join([f"agentaddress udp:{device.target}", "rocommunity public", *rows, ""]))
    argv = [which("snmpd") or "snmpd", "-f", "-C", "-c", str(config), "-Lf", str(tmp_path / "log")]
    environment = {"SNMP_PERSISTENT_DIR": str(tmp_path)}
    with running(argv, ready=lambda: answers(device), env=environment, log=tmp_path / "output"):
        yield device


async def checked(router: Device, ctx: Context, *, reflected: bool = True, **params: Any) -> Outcome:
    reflector = open_reflector("127.0.0.1", 0, lambda *_: KEY.encode())
    port = reflector.address[1] if reflected else free_port(socket.SOCK_DGRAM)
    values: dict[str, Any] = {
        "kind": "fortigate",
        "through": f"127.0.0.1:{port}",
        "key": KEY,
        "snmp": SNMP,
        "wait": 0.2,
    }
    try:
        return await CHECK.run(Target("n", router.target), VpnParams(**values | params), ctx)
    finally:
        reflector.close()


def context() -> Context:
    return Context(SystemClock(), 10.0, {})


@pytest.mark.peer
async def test_a_router_s_tunnel_is_proven_and_its_session_kept(router: Device) -> None:
    ctx = context()
    first = await checked(router, ctx, peer="centre")
    session = ctx.memory["session"]
    second = await checked(router, ctx, peer="centre")

    assert [found.facts["verdict"] for found in (first, second)] == ["proven"] * 2
    assert first.facts["peer"] == "192.0.2.9"
    assert ctx.memory["session"][1] is session[1]
    assert (metrics(first)["vpn.up"], metrics(first)["vpn.received"]) == (1, 10)


@pytest.mark.peer
async def test_what_comes_back_although_the_router_s_tunnel_is_down_leaks(router: Device) -> None:
    found = await checked(router, context(), peer="192.0.2.8")

    assert (found.state, found.reason) == (State.CRIT, "leaking")
    assert found.summary.endswith("outside the tunnel: 0 of 1 selectors of backup (192.0.2.8) are up")


@pytest.mark.peer
@pytest.mark.parametrize(("peer", "reason"), [("lan", "no-traffic"), ("lan-2", "tunnel-down")])
async def test_nothing_comes_back_through_a_router_s_tunnel(router: Device, peer: str, reason: str) -> None:
    found = await checked(router, context(), reflected=False, peer=peer)

    assert (found.state, found.reason, found.answered) == (State.CRIT, reason, False)
    assert found.summary.endswith("came back (connection refused: nothing listens there)")


@pytest.mark.peer
async def test_another_key_than_the_reflector_s_is_told(router: Device) -> None:
    found = await checked(router, context(), peer="centre", key="")

    assert (found.state, found.reason) == (State.CRIT, "no-traffic")


@pytest.mark.peer
async def test_a_session_that_failed_is_not_kept(router: Device) -> None:
    ctx = context()
    await checked(router, ctx, peer="centre")
    with pytest.raises(ObserverError, match="the FortiGate has no tunnel 'center': did you mean 'centre'"):
        await checked(router, ctx, peer="center")
    assert "session" not in ctx.memory


async def test_a_router_that_is_silent_is_no_verdict() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        device = Device("127.0.0.1", silent.getsockname()[1])
        with pytest.raises(TargetError, match="no answer to SNMPv2c"):
            await checked(device, context(), peer="centre", snmp=SnmpParams(timeout=0.05, retries=0))


@pytest.mark.parametrize(
    ("params", "target", "words"),
    [
        (VpnParams(), "wg0", "check vpn: kind is needed: one of wireguard, strongswan, openvpn, cisco, fortigate"),
        (VpnParams(kind="strongswan", through="127.0.0.1"), "", "target '': expected an interface"),
        (
            VpnParams(kind="fortigate", through="127.0.0.1", peer="x", count=100, spacing=1),
            "127.0.0.1",
            "check vpn: 100 packets 1 s apart do not fit into half of a deadline of 10 s",
        ),
        (
            VpnParams(kind="fortigate", through="127.0.0.1", peer="x", source="::1"),
            "127.0.0.1",
            "check vpn: source ::1 and 127.0.0.1 are not of one IP version",
        ),
    ],
)
async def test_what_cannot_be_run_says_why(params: VpnParams, target: str, words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        await CHECK.run(Target("n", target), params, context())
    assert words in caught.value.summary
