"""The check against Debian's snmpd."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.contract import Context, params_of, shown
from checks.errors import CheckError, ObserverError, TargetError
from checks.model import Outcome, State
from checks.snmp import CHECK, usm
from tests.checks.snmp.devices import V3, Device, context, names, poll, snmpd, udp_burst, value
from tests.peers import free_port, need

pytestmark = pytest.mark.peer


async def polled_until(device: Device, ctx: Context, holds: Callable[[Outcome], bool], **params: Any) -> Outcome:
    """The first outcome of which something holds, of polls for at most 30 s: snmpd looks at its links now and then."""
    end = time.monotonic() + 30
    while True:
        outcome = await poll(device.target, ctx, **params)
        if holds(outcome):
            return outcome
        assert time.monotonic() < end, outcome
        await asyncio.sleep(0.2)


async def refused_with(device: Device, **params: Any) -> CheckError:
    with pytest.raises(CheckError) as caught:
        await poll(device.target, timeout=0.2, **params)
    return caught.value


@pytest.mark.parametrize(
    "params",
    [
        {"version": "2c"},
        {"version": "1"},
        V3,
        {"version": "3", "user": "reader", "auth": "sha1", "auth_key": "authpass123"},
        {**V3, "user": "modern", "auth": "sha512", "priv": "aes256"},
    ],
    ids=["v2c", "v1", "v3 SHA-256/AES-128", "v3 SHA-1 without privacy", "v3 SHA-512/AES-256"],
)
async def test_a_device_is_read(host: Device, params: dict[str, Any]) -> None:
    outcome = await poll(host.target, **params)
    assert (outcome.state, outcome.summary, outcome.answered) == (State.OK, "r1: SNMP answers", True)
    assert outcome.facts["sysName"] == "r1"
    assert outcome.facts["sysObjectID"] == "1.3.6.1.4.1.8072.3.2.10"
    assert outcome.facts["sysLocation"] == "Bac Kan"
    assert outcome.facts.keys() >= {"sysDescr", "boot"}
    assert 0 < (value(outcome, "snmp.response_time") or 0) < 5
    assert value(outcome, "sysUpTime") is not None


@pytest.mark.parametrize("params", [{"version": "2c"}, V3], ids=["v2c", "v3"])
async def test_the_second_run_has_rates_over_the_same_session(host: Device, params: dict[str, Any]) -> None:
    ctx = context()
    first = await poll(host.target, ctx, exclude="^$", **params)
    session = ctx.memory["session"]
    outcome = await polled_until(host, ctx, lambda o: "ifInBits" in names(o), exclude="^$", **params)
    assert "ifInBits" not in names(first)
    assert ctx.memory["session"][1] is session[1]
    assert (value(outcome, "ifInBits", "lo") or 0) >= 0
    assert names(outcome) >= {"ifOutBits", "ifInErrors", "ifOutErrors", "ifInDiscards", "ifOutDiscards"}


async def test_interfaces_are_filtered_by_name(host: Device) -> None:
    only_lo = await poll(host.target, interfaces="^lo$", exclude="^$", profile="none")
    without = await poll(host.target)
    assert {m.instance for m in only_lo.metrics} == {"", "lo"}
    assert "lo" not in {m.instance for m in without.metrics}


async def test_a_wrong_community_and_a_dead_device_look_the_same(host: Device) -> None:
    error = await refused_with(host, community="wrong")
    assert isinstance(error, TargetError)
    assert (error.reason, error.answered) == ("timeout", False)
    assert error.summary == (
        f"{host.target}: no answer to SNMPv2c in 3 tries of 0.2 s: the device is off or unreachable, "
        "or the community is wrong, or its access list leaves this agent out"
    )


async def test_silence_to_version_3_blames_no_community() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        with pytest.raises(TargetError) as caught:
            await poll(f"127.0.0.1:{port}", timeout=0.05, retries=0, **V3)
    assert caught.value.summary == (
        f"127.0.0.1:{port}: no answer to SNMPv3 in 1 tries of 0.05 s: the device is off or unreachable, "
        "or its access list leaves this agent out"
    )


async def test_a_closed_port_is_told_at_once() -> None:
    port = free_port(socket.SOCK_DGRAM)
    with pytest.raises(TargetError) as caught:
        await poll(f"127.0.0.1:{port}")
    assert caught.value.reason == "refused"
    assert caught.value.summary == f"127.0.0.1:{port}: port {port}/udp is closed: no SNMP agent runs there"


async def test_a_view_without_the_system_group_is_told(host: Device) -> None:
    error = await refused_with(host, community="blind")
    assert (error.reason, error.answered) == ("no-system-group", True)
    assert error.summary == (
        f"{host.target}: answers, but shows nothing of the system group (1.3.6.1.2.1.1): "
        "widen the view of this community or user on the device"
    )


@pytest.mark.parametrize(
    ("change", "reason", "text"),
    [
        (
            {"user": "nobody"},
            "unknown-user",
            "unknown user name 'nobody' (usmStatsUnknownUserNames): create it on the device, or correct user",
        ),
        (
            {"auth_key": "wrongpass1"},
            "wrong-auth-key",
            (
                "authentication failure, wrong digest (usmStatsWrongDigests): "
                "auth or auth_key is not what the device has for user 'monitor'"
            ),
        ),
        (
            {"auth": "sha1"},
            "wrong-auth-key",
            (
                "authentication failure, wrong digest (usmStatsWrongDigests): "
                "auth or auth_key is not what the device has for user 'monitor'"
            ),
        ),
        (
            {"priv_key": "wrongpass1"},
            "wrong-priv-key",
            "the device accepts user 'monitor' but cannot decrypt: priv or priv_key is not what the device has",
        ),
        (
            {"user": "reader", "auth": "sha1"},
            "unsupported-level",
            (
                "the device has user 'reader', but not with authPriv (usmStatsUnsupportedSecLevels): "
                "set auth and priv as the device has them"
            ),
        ),
        (
            {"auth": "", "auth_key": "", "priv": "", "priv_key": ""},
            "access-denied",
            (
                "user 'monitor' may not read this with noAuthNoPriv (authorizationError): "
                "correct the user's view on the device, or set auth and priv as it demands"
            ),
        ),
        (
            {"priv": "", "priv_key": ""},
            "access-denied",
            (
                "user 'monitor' may not read this with authNoPriv (authorizationError): "
                "correct the user's view on the device, or set auth and priv as it demands"
            ),
        ),
    ],
)
async def test_wrong_credentials_are_our_fault_and_named(
    host: Device, change: dict[str, str], reason: str, text: str
) -> None:
    error = await refused_with(host, **{**V3, **change})
    assert isinstance(error, ObserverError)
    assert (error.reason, error.summary, error.answered) == (reason, f"{host.target}: {text}", True)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{"version": "2c"}, V3], ids=["v2c", "v3"])
async def test_a_session_outlives_a_restart_of_the_device(tmp_path: Path, params: dict[str, Any]) -> None:
    need("snmpd")
    device = Device("127.0.0.1", free_port(socket.SOCK_DGRAM))
    ctx = context()
    with snmpd(tmp_path, device):
        assert (await poll(device.target, ctx, **params)).state is State.OK
    with snmpd(tmp_path, device):
        assert (await poll(device.target, ctx, **params)).state is State.OK


@pytest.mark.slow
async def test_a_session_outlives_another_device_at_the_same_address(tmp_path: Path) -> None:
    need("snmpd")
    device = Device("127.0.0.1", free_port(socket.SOCK_DGRAM))
    ctx = context()
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
        with snmpd(tmp_path / name, device):
            assert (await poll(device.target, ctx, **V3)).state is State.OK


@pytest.mark.parametrize("params", [{"version": "2c"}, V3], ids=["v2c", "v3"])
async def test_a_device_that_died_since_the_last_run_answered_nothing(tmp_path: Path, params: dict[str, Any]) -> None:
    need("snmpd")
    device = Device("127.0.0.1", free_port(socket.SOCK_DGRAM))
    ctx = context()
    with snmpd(tmp_path, device):
        await poll(device.target, ctx, timeout=0.1, **params)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((device.address, device.port))
        with pytest.raises(TargetError) as caught:
            await poll(device.target, ctx, timeout=0.1, **params)
    assert (caught.value.reason, caught.value.answered) == ("timeout", False)
    assert "no answer to SNMPv" in caught.value.summary


async def test_the_key_of_a_password_is_made_once(host: Device) -> None:
    usm.master_key.cache_clear()
    for _ in range(3):
        await poll(host.target, **V3)
    assert usm.master_key.cache_info().misses == 2


async def test_a_walk_ends_where_a_column_does(host: Device) -> None:
    few = await poll(host.target, exclude="^$", max_repetitions=1, max_varbinds=1)
    many = await poll(host.target, exclude="^$", max_repetitions=100, max_varbinds=100)
    assert {(m.name, m.instance) for m in few.metrics} == {(m.name, m.instance) for m in many.metrics}


@pytest.mark.root
@pytest.mark.slow
async def test_traffic_is_seen_as_bits_per_second(router: Device) -> None:
    ctx = context()
    await poll(router.target, ctx)
    udp_burst(router.address, count=500, size=1000)
    flows = await polled_until(router, ctx, lambda o: (value(o, "ifInBits", "wan0") or 0) > 100_000)
    assert (value(flows, "ifInUtilization", "wan0") or 0) > 0
    assert (value(flows, "ifInBits", "lan0") or 0) < 100_000


@pytest.mark.root
@pytest.mark.slow
async def test_a_link_that_goes_down_and_up_again_is_seen(router: Device) -> None:
    ctx = context()
    wanted = {"require_up": ("lan0", "wan0")}
    outcome = await poll(router.target, ctx, **wanted)
    assert outcome.state is State.OK
    router.ip("link", "set", "dev", "lan1", "down")
    try:
        outcome = await polled_until(router, ctx, lambda o: o.state is State.CRIT, **wanted)
        assert outcome.summary.startswith("r1: interface lan0 is ")
        assert (outcome.reason, outcome.answered) == ("interface-down", True)
    finally:
        router.ip("link", "set", "dev", "lan1", "up")
    await polled_until(router, ctx, lambda o: o.state is State.OK, **wanted)


def why(**params: Any) -> str:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, params)
    return caught.value.summary


def test_wrong_parameters_are_told_in_words() -> None:
    assert why(comunity="x") == "check snmp: unknown parameter 'comunity': did you mean 'community'?"
    assert why(version="3") == "check snmp: version '3' needs a user"
    assert why(user="monitor") == ("check snmp: user, auth and priv are of SNMPv3, version is '2c': set version '3'")
    assert why(version="3", user="m", auth="sha256") == "check snmp: auth and auth_key go together: set both or neither"
    assert why(version="3", user="m", auth="sha256", auth_key="short") == (
        "check snmp: auth_key is too short: SNMPv3 passwords have 8 characters or more (RFC 3414, 11.2)"
    )
    assert why(version="3", user="m", priv="aes128", priv_key="privpass123") == (
        "check snmp: priv needs auth: SNMPv3 does not encrypt what it cannot authenticate"
    )
    assert why(exclude="(") == (
        "check snmp: exclude: '(' is not a regular expression: missing ), unterminated subpattern at position 0"
    )


def test_no_secret_is_shown() -> None:
    params = params_of(CHECK, {**V3})
    assert {shown(params)[key] for key in ("auth_key", "priv_key", "community")} == {"***"}
