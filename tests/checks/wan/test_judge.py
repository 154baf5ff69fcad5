from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from checks.levels import Levels
from checks.model import Outcome, State
from checks.net.icmp import Refusal, Reply
from checks.ping import Tally
from checks.snmp.tables import Interface
from checks.stamp.session import Loss
from checks.wan.access import Load
from checks.wan.history import Window
from checks.wan.judge import Seen, down, judge
from checks.wan.mtu import Search
from checks.wan.params import PathParams, WanParams
from checks.wan.path import Path
from checks.wan.quality import Quality, of_echo

GE = Interface(3, "ge0/0", "", 1, 1, 1e9, 0, {})
WELL = Quality(Loss(0, 20), (0.010,) * 20)
NO_WINDOW = Window((0.010,) * 20, 0.0)


def load(percent_out: float, *, oper: int = 1) -> Load:
    interface = Interface(3, "ge0/0", "", 1, oper, 1e9, 0, {})
    return Load(interface, {"ifInBits": 1e6, "ifOutBits": percent_out / 100 * 20e6}, 20e6)


def judged(quality: Quality = WELL, params: WanParams | None = None, **seen: Any) -> Outcome:
    one = dataclasses.replace(Seen(quality, NO_WINDOW, 0.010), **seen)
    return judge("10.9.9.9", one, params or WanParams(), {})


def test_a_line_that_is_well_says_so_without_a_number() -> None:
    outcome = judged(load=load(30), path=Path(("10.9.0.1", "10.9.9.9"), True), mtu=Search(128, 1500, 1500))

    assert (outcome.state, outcome.summary, outcome.answered) == (State.OK, "10.9.9.9: the line carries traffic", True)
    assert outcome.facts == {"path": "10.9.0.1 10.9.9.9", "mtu": "1500"}


def test_percentiles_are_told_of_the_run_and_of_the_window() -> None:
    run = tuple(number / 1000 for number in range(1, 101))
    outcome = judged(Quality(Loss(0, 100), run), window=Window((*run, *[1.0] * 100), 540.0))

    assert {(m.name, m.instance): m.value for m in outcome.metrics if m.name.startswith(("wan.rtt", "wan.w"))} == {
        ("wan.rtt.min", ""): 0.001,
        ("wan.rtt.p50", ""): 0.050,
        ("wan.rtt.p95", ""): 0.095,
        ("wan.rtt.p99", ""): 0.099,
        ("wan.rtt.p50", "window"): 0.100,
        ("wan.rtt.p95", "window"): 1.0,
        ("wan.rtt.p99", "window"): 1.0,
        ("wan.window", ""): 540.0,
    }


def test_loss_is_told_with_its_direction_where_that_is_known() -> None:
    outcome = judged(Quality(Loss(4, 20), (0.01,) * 16, Loss(4, 20), Loss(0, 16)))

    assert (outcome.state, outcome.reason) == (State.WARN, "loss")
    assert outcome.summary == "10.9.9.9: 4 of 20 packets lost: 4 on the way there, 0 on the way back"
    assert {m.name: m.value for m in outcome.metrics if "loss" in m.name} == {
        "wan.loss": 20,
        "wan.loss.forward": 20,
        "wan.loss.backward": 0,
    }


def test_delay_is_judged_by_its_95th_percentile() -> None:
    quality = Quality(Loss(0, 20), (*[0.01] * 18, 0.3, 0.3))
    outcome = judged(quality, WanParams(rtt=Levels(warn=0.2)))

    assert (outcome.state, outcome.reason) == (State.WARN, "slow")
    assert outcome.summary == "10.9.9.9: slow: the 95th percentile of round trips takes 0.3 s"


def test_a_busy_line_with_a_queue_is_congested_and_that_is_one_finding() -> None:
    quality = Quality(Loss(9, 20), (0.2,) * 11)
    outcome = judged(quality, WanParams(rtt=Levels(warn=0.1)), load=load(99))

    assert (outcome.state, outcome.reason) == (State.CRIT, "congested")
    assert outcome.summary == (
        "10.9.9.9: congested: 99 % of 20 Mbit/s out by ge0/0, the median round trip takes 0.2 s, the fastest 0.01 s, "
        "9 of 20 packets lost"
    )


def test_a_busy_line_without_a_queue_is_only_busy() -> None:
    outcome = judged(load=load(99))

    assert (outcome.state, outcome.reason) == (State.WARN, "utilization")
    assert outcome.summary == "10.9.9.9: 99 % of 20 Mbit/s out by ge0/0"


def test_a_slow_line_that_is_idle_is_not_congested() -> None:
    outcome = judged(Quality(Loss(0, 20), (0.3,) * 20), WanParams(rtt=Levels(warn=0.2)), load=load(10))

    assert outcome.reason == "slow"


def test_a_router_that_keeps_silent_does_not_hide_the_line() -> None:
    outcome = judged(trouble="10.58.1.1: no answer to SNMPv2c")

    assert (outcome.state, outcome.reason, outcome.answered) == (State.UNKNOWN, "access-unknown", True)
    assert outcome.summary == "10.9.9.9: the access interface is not known: 10.58.1.1: no answer to SNMPv2c"


def test_an_answer_although_the_access_interface_is_down_came_another_way() -> None:
    outcome = judged(load=load(0, oper=2))

    assert (outcome.state, outcome.reason) == (State.CRIT, "access-down")


def test_traffic_on_the_backup_is_a_warning_and_a_fact() -> None:
    params = WanParams(path=PathParams(primary=("10.9.1.2",), backup=("10.9.3.2",)))

    primary = judged(params=params, path=Path(("10.9.0.1", "10.9.1.2", "10.9.9.9"), True))
    backup = judged(params=params, path=Path(("10.9.0.1", "10.9.3.2", "10.9.9.9"), True))

    assert (primary.state, primary.facts["line"]) == (State.OK, "primary")
    assert (backup.state, backup.reason, backup.facts["line"]) == (State.WARN, "on-backup", "backup")
    assert backup.summary == "10.9.9.9: the backup line carries the traffic, by 10.9.3.2"


@pytest.mark.parametrize(
    ("search", "state", "reason", "words"),
    [
        (
            Search(128, 1500, 1400, 1401, "told", "10.9.1.2"),
            State.WARN,
            "mtu",
            "the path MTU is 1400, 1500 expected: packets of more are refused by 10.9.1.2",
        ),
        (
            Search(128, 1500, 1427, 1428, "silent"),
            State.WARN,
            "mtu-black-hole",
            (
                "packets of more than 1427 bytes vanish without a word, 1500 are expected to pass: "
                "connections with much to say hang"
            ),
        ),
        (
            Search(128, 9000, 1500, 1501, "local"),
            State.UNKNOWN,
            "mtu-untested",
            (
                "the path MTU is not known: this agent's own interface carries no more than 1500 bytes, "
                "and 9000 are expected"
            ),
        ),
        (
            Search(128, 1500, 0, 128, "silent"),
            State.UNKNOWN,
            "mtu-untested",
            "the path MTU is not known: no answer to echo requests of 128 bytes",
        ),
    ],
)
def test_a_smaller_mtu_is_told_with_why_it_is_known(search: Search, state: State, reason: str, words: str) -> None:
    outcome = judged(mtu=search)

    assert (outcome.state, outcome.reason, outcome.summary) == (state, reason, f"10.9.9.9: {words}")


def test_a_dead_line_says_how_far_one_gets() -> None:
    dead = Quality(Loss(20, 20), ())

    outcome = down("10.9.9.9", dead, Path(("10.9.0.1",), False), load(0, oper=2))

    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "timeout", False)
    assert outcome.summary == (
        "10.9.9.9: no answer to 20 packets; the last on the way that answers is 10.9.0.1; "
        "the access interface ge0/0 is down"
    )
    assert down("t", dead, Path(), None).summary == "t: no answer to 20 packets; nothing on the way answers"


def test_a_router_that_says_no_is_quoted() -> None:
    refused = of_echo(Tally((Refusal("network unreachable", "10.9.0.1"),) * 3))
    outcome = down("10.9.9.9", refused, Path(("10.9.0.1",), False), None)

    assert (outcome.state, outcome.reason) == (State.CRIT, "unreachable")
    assert outcome.summary == "10.9.9.9: network unreachable, says 10.9.0.1"


def test_a_far_end_that_answers_at_last_is_not_cut_off() -> None:
    outcome = down("10.9.9.9", Quality(Loss(20, 20), ()), Path(("10.9.9.9",), True), None)

    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "loss", True)
    assert outcome.summary == "10.9.9.9: no answer to 20 packets; the far end answered a later one"


def test_a_silent_reflector_is_told_beside_what_echo_says() -> None:
    quality = of_echo(Tally((Reply(0.01, "10.9.9.9"), Reply(0.03, "10.9.9.9"), None)))
    outcome = judged(Quality(quality.loss, quality.times, jitter=quality.jitter, trouble="the reflector r is silent"))

    assert "the reflector r is silent; measured by echo, loss has no direction" in outcome.summary
    assert "1 of 3 packets lost" in outcome.summary
    assert quality.jitter == pytest.approx({"": 0.02 / 16})
