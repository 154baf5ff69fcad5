from __future__ import annotations

import ipaddress
import os
import socket
import socketserver
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.contract import Context, SystemClock, Target
from checks.errors import ObserverError
from checks.vpn import wireguard
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import AbsentError, Count
from checks.vpn.wireguard import Peer, choose, parse, tunnel_of

A, B = "1kyQDLLz/fu0xPe9VgvyvtyN87/MBzG+hrAs3jeYE2g=", "HFK93M/ElbZRpZsh683/VXD6CZwh57aDS/H8tze9+BA="
ANSWERS = f"""\
wg0\t{A}\t10.9.7.2:51820
wg0\t{B}\t(none)
wg1\t{A}\t[2001:db8::1]:51820

wg0\t{A}\t10.0.7.0/24 2001:db8:7::/48
wg0\t{B}\t(none)
wg1\t{A}\t0.0.0.0/0

wg0\t{A}\t1795456906
wg0\t{B}\t0
wg1\t{A}\t1795456906

wg0\t{A}\t476\t532
wg0\t{B}\t0\t0
wg1\t{A}\t1\t2

"""
"""As wg 1.0.20210914 says it, of three peers at two interfaces."""


def test_the_answers_are_put_together_by_interface_and_peer() -> None:
    nets = (ipaddress.ip_network("10.0.7.0/24"), ipaddress.ip_network("2001:db8:7::/48"))
    found = parse(ANSWERS)

    assert found["wg0"] == [Peer(A, "10.9.7.2:51820", nets, 1795456906, Count(476, 532)), Peer(B)]
    assert [peer.endpoint for peer in found["wg1"]] == ["[2001:db8::1]:51820"]


def test_a_host_without_wireguard_has_no_interfaces() -> None:
    assert parse("\n\n\n\n") == {}


@given(st.one_of(st.text(max_size=200), st.integers(0, len(ANSWERS) - 1).map(lambda end: ANSWERS[:end])))
def test_other_answers_raise_nothing_but_our_error(answers: str) -> None:
    try:
        parse(answers)
    except ObserverError as error:
        assert error.reason == "control"  # noqa: PT017 - most of them raise it, not all


def peers() -> list[Peer]:
    return [
        Peer("wide=", "192.0.2.1:51820", (ipaddress.ip_network("0.0.0.0/0"),)),
        Peer("narrow=", "192.0.2.2:51820", (ipaddress.ip_network("10.0.7.0/24"),)),
    ]


def test_without_a_choice_the_peer_is_that_which_wireguard_sends_to() -> None:
    assert choose(peers(), "", ipaddress.ip_address("10.0.7.1")).key == "narrow="
    assert choose(peers(), "", ipaddress.ip_address("10.0.8.1")).key == "wide="


@pytest.mark.parametrize("wanted", ["wide=", "192.0.2.1:51820", "192.0.2.1"])
def test_a_peer_is_chosen_by_key_or_endpoint(wanted: str) -> None:
    assert choose(peers(), wanted, ipaddress.ip_address("10.0.7.1")).key == "wide="


def test_a_peer_that_is_not_there_is_told_with_the_near_match() -> None:
    with pytest.raises(ObserverError) as caught:
        choose(peers(), "192.0.2.2:51821", ipaddress.ip_address("10.0.7.1"))
    assert caught.value.summary == "WireGuard has no peer '192.0.2.2:51821': did you mean '192.0.2.2:51820'?"
    with pytest.raises(ObserverError) as caught:
        choose(peers()[1:], "", ipaddress.ip_address("10.9.9.9"))
    assert caught.value.summary == (
        "no peer of this WireGuard interface may take what is for 10.9.9.9; allowed: 10.0.7.0/24"
    )


@pytest.mark.parametrize(("age", "up"), [(0, True), (180, True), (181, False)])
def test_the_keys_of_a_handshake_are_good_for_three_minutes(age: int, up: bool) -> None:
    tunnel = tunnel_of(Peer("k=", "192.0.2.1:51820", handshake=1000), 1000 + age)

    assert (tunnel.up, tunnel.age) == (up, age)
    assert tunnel.said == (
        "handshake with 192.0.2.1:51820" if up else "the last handshake with 192.0.2.1:51820 was 181 s ago"
    )


class Helper(socketserver.BaseRequestHandler):
    """Answers as the helper does."""

    def handle(self) -> None:
        self.request.sendall(ANSWERS.encode())


async def test_the_helper_s_answer_is_taken_whole(tmp_path: Path) -> None:
    path = str(tmp_path / "helper")
    context = Context(SystemClock(), 10.0, {})
    with socketserver.UnixStreamServer(path, Helper) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            params = VpnParams(kind="wireguard", through="10.0.7.1", socket=path)
            found = await wireguard.read(Target("n", "wg0"), params, context)
            with pytest.raises(AbsentError, match="WireGuard has no interface wg2"):
                await wireguard.read(Target("n", "wg2"), params, context)
        finally:
            server.shutdown()
    assert (found.peer, found.facts["peer"], found.total) == ("10.9.7.2:51820", A, Count(476, 532))


async def test_a_helper_that_is_not_there_is_named(tmp_path: Path) -> None:
    params = VpnParams(kind="wireguard", through="10.0.7.1", socket=str(tmp_path / "none"))
    with pytest.raises(AbsentError) as caught:
        await wireguard.read(Target("n", "wg0"), params, Context(SystemClock(), 10.0, {}))
    assert str(caught.value) == f"the WireGuard helper does not run: nobody listens at {tmp_path}/none"


async def test_a_helper_that_stays_silent_is_given_up(tmp_path: Path) -> None:
    path = str(tmp_path / "helper")
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(path)
        silent.listen()
        params = VpnParams(kind="wireguard", through="10.0.7.1", socket=path)
        with pytest.raises(ObserverError) as caught:
            await wireguard.read(Target("n", "wg0"), params, Context(SystemClock(), 0.5, {}))
    assert (caught.value.reason, "does not answer within 0.075 s" in caught.value.summary) == ("control", True)


async def test_a_host_without_wg_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ObserverError) as caught:
        await wireguard.read(
            Target("n", "wg0"), VpnParams(kind="wireguard", through="10.0.7.1"), Context(SystemClock(), 10.0, {})
        )
    assert caught.value.summary == "wg is not on this agent's host: install wireguard-tools there"
