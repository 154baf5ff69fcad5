from __future__ import annotations

from typing import Any

import msgspec
import pytest

from checks.contract import params_of, shown
from checks.errors import ObserverError
from checks.model import Outcome, State
from checks.snmp import SnmpParams
from checks.vpn.check import CHECK
from checks.vpn.judge import Seen, judge
from checks.vpn.params import VpnParams
from checks.vpn.proof import Proof
from checks.vpn.tunnel import Count, Tunnel
from tests.checks.vpn.conftest import metrics

UP = Tunnel(up=True, said="keys are good", peer="centre", age=5, keys="k1", counts={"a": Count(0, 0)})
DOWN = Tunnel(up=False, said="no keys", peer="centre")
BACK = Proof("r:862", 2, 100, (0.01, 0.02))
LOST = Proof("r:862", 2, 100)
ENOUGH, TOO_LITTLE = Count(200, 200), Count(200, 199)


def judged(seen: Seen, memory: dict[str, Any] | None = None) -> Outcome:
    return judge("t", seen, {} if memory is None else memory)


@pytest.mark.parametrize(
    ("seen", "state", "reason", "verdict", "summary"),
    [
        (Seen(UP, BACK, 1, ENOUGH), State.OK, "", "proven", "r:862 answers through the tunnel to centre"),
        (Seen(UP, BACK, 1), State.OK, "", "proven", "r:862 answers through the tunnel to centre"),
        (
            Seen(UP, BACK, 1, TOO_LITTLE),
            State.CRIT,
            "leaking",
            "leaking",
            (
                "2 of 2 packets to r:862 came back, 200 bytes each way, "
                "and the tunnel carried 199 there and 200 back: the route goes round it"
            ),
        ),
        (
            Seen(UP, BACK, 1, ENOUGH, "192.0.2.1"),
            State.CRIT,
            "leaking",
            "leaking",
            "2 of 2 packets to r:862 came back by way of 192.0.2.1, which is outside the tunnel",
        ),
        (Seen(DOWN, BACK, 1, ENOUGH), State.OK, "", "proven", "r:862 answers through the tunnel to centre"),
        (
            Seen(DOWN, BACK, 1),
            State.CRIT,
            "leaking",
            "leaking",
            "2 of 2 packets to r:862 came back outside the tunnel: no keys",
        ),
        (
            Seen(UP, LOST, 1, ENOUGH),
            State.CRIT,
            "no-traffic",
            "negotiated only",
            "keys are good, but none of 2 packets to r:862 came back",
        ),
        (Seen(DOWN, LOST, 1), State.CRIT, "tunnel-down", "down", "no keys; none of 2 packets to r:862 came back"),
        (
            Seen(Tunnel.unknown("charon does not run"), LOST, 1),
            State.CRIT,
            "tunnel-down",
            "down",
            "charon does not run; none of 2 packets to r:862 came back",
        ),
    ],
)
def test_the_verdict_is_by_traffic(seen: Seen, state: State, reason: str, verdict: str, summary: str) -> None:
    found = judged(seen)

    assert (found.state, found.reason, found.answered) == (state, reason, seen.proof.passed)
    assert found.facts["verdict"] == verdict
    assert found.summary == f"t: {verdict}: {summary}"


def test_traffic_that_passes_without_a_daemon_to_ask_is_told_as_our_mistake_without_a_verdict() -> None:
    found = judged(Seen(Tunnel.unknown("charon does not run"), BACK, 1))

    assert (found.state, found.reason, found.answered) == (State.UNKNOWN, "no-daemon", True)
    assert "verdict" not in found.facts


def test_why_nothing_came_back_is_told() -> None:
    said = Proof("r:862", 2, 100, refusal="this agent has no route to the target's network")
    assert judged(Seen(DOWN, said, 1)).summary.endswith(
        "none of 2 packets to r:862 came back (this agent has no route to the target's network)"
    )


def test_rekeys_and_rates_are_counted_from_run_to_run() -> None:
    memory: dict[str, Any] = {}
    first = metrics(judged(Seen(UP, BACK, 100.0), memory))
    later = Tunnel(up=True, said="", peer="centre", keys="k2", counts={"a": Count(1000, 2000)})
    again = metrics(judged(Seen(later, BACK, 110.0), memory))
    gone = metrics(judged(Seen(DOWN, LOST, 120.0), memory))
    back = metrics(judged(Seen(UP, BACK, 130.0), memory))

    assert [run["vpn.rekeys"] for run in (first, again, gone, back)] == [0, 1, 1, 2]
    assert "vpn.io.receive" not in first | gone
    assert (again["vpn.io.receive"], again["vpn.io.transmit"]) == (800, 1600)
    assert (again["vpn.received"], again["vpn.sent"]) == (1000, 2000)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "wireguard"}, "kind 'wireguard' needs through: whom to reach through the tunnel"),
        ({"kind": "cisco", "through": "10.0.7.1"}, "kind 'cisco' needs peer: which of the router's tunnels it is"),
        ({"source": "lan0"}, "source 'lan0': expected an IP address"),
        ({"outside": ["isp"]}, "outside 'isp': expected an IP address"),
        ({"trough": "10.0.7.1"}, "unknown parameter 'trough': did you mean 'through'?"),
    ],
)
def test_wrong_parameters_are_refused_with_what_was_expected(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert words in caught.value.summary


def test_no_secret_is_shown() -> None:
    params = VpnParams(key="k-secret", password="p-secret", snmp=SnmpParams(community="c-secret"))

    assert "secret" not in repr(shown(params))
    assert msgspec.structs.asdict(params)["key"] == "k-secret"
