from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target, params_of, shown
from checks.errors import ObserverError
from checks.levels import Levels
from checks.model import Outcome, State
from checks.stamp import CHECK, StampParams
from checks.stamp.check import judge
from checks.stamp.reflector import Reflector, open_reflector
from checks.stamp.sender import Run
from tests.checks.stamp.rfc_reflector import rfc_reflector
from tests.checks.stamp.test_session import reply

KEY = "a key"
QUICK: dict[str, Any] = {"count": 3, "spacing": 0.005, "wait": 0.3}


async def stamp(target: str, deadline: float = 5.0, **values: Any) -> Outcome:
    return await CHECK.run(Target("n", target), params_of(CHECK, QUICK | values), Context(SystemClock(), deadline, {}))


def values_of(outcome: Outcome) -> dict[str, float]:
    return {metric.name: metric.value for metric in outcome.metrics}


@pytest.fixture
async def reflector() -> AsyncIterator[Reflector]:
    one = open_reflector("127.0.0.1", 0, lambda *_: KEY.encode())
    yield one
    one.close()


async def test_our_reflector_answers_our_sender(reflector: Reflector) -> None:
    outcome = await stamp(f"127.0.0.1:{reflector.address[1]}", key=KEY, count=20)

    values = values_of(outcome)
    assert (outcome.state, outcome.answered) == (State.OK, True)
    assert outcome.summary == f"127.0.0.1:{reflector.address[1]}: reflects test packets"
    for name in ("loss", "loss.forward", "loss.backward", "duplicates", "reordered"):
        assert values[f"stamp.{name}"] == 0
    assert 0 < values["stamp.rtt.min"] <= values["stamp.rtt.median"] <= values["stamp.rtt.p95"]
    assert values["stamp.rtt.p95"] <= values["stamp.rtt.max"]
    assert abs(values["stamp.offset"]) <= values["stamp.offset.uncertainty"] == values["stamp.rtt.min"] / 2
    assert {"stamp.jitter.forward", "stamp.jitter.backward"} <= values.keys()


@pytest.mark.parametrize("ptp", [False, True], ids=["NTP", "PTP"])
@pytest.mark.parametrize("key", ["", KEY], ids=["open", "authenticated"])
async def test_a_reflector_written_from_the_rfc_alone_answers_our_sender(key: str, ptp: bool) -> None:
    with rfc_reflector(key.encode(), ptp=ptp, lose=frozenset({1, 2})) as port:
        values = values_of(await stamp(f"127.0.0.1:{port}", key=key, count=10))

    assert (values["stamp.loss.forward"], values["stamp.loss.backward"]) == (0, 20)
    assert values["stamp.rtt.max"] < 1
    assert abs(values["stamp.offset"]) <= values["stamp.offset.uncertainty"] + 1e-6


async def test_a_stateless_reflector_s_loss_has_no_direction() -> None:
    with rfc_reflector(stateful=False, lose=frozenset({1})) as port:
        outcome = await stamp(f"127.0.0.1:{port}", mode="stateless", count=4)

    values = values_of(outcome)
    assert values["stamp.loss"] == 25
    assert not {"stamp.loss.forward", "stamp.loss.backward"} & values.keys()
    assert outcome.summary.endswith(": 1 of 4 packets lost")


async def test_another_key_is_no_reply_and_says_what_it_may_be(reflector: Reflector) -> None:
    port = reflector.address[1]
    outcome = await stamp(f"127.0.0.1:{port}", key="another")

    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "timeout", False)
    assert outcome.summary == (
        f"127.0.0.1:{port}: no reply to 3 packets: the line is cut, no reflector is there, or it has another key"
    )
    assert reflector.counters.forged == 3


async def test_a_reflector_without_a_key_is_not_believed() -> None:
    with rfc_reflector() as port:
        outcome = await stamp(f"127.0.0.1:{port}", key=KEY)

    # It answers in its own form, which is too short to be authentic.
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "forged", False)
    assert outcome.summary == (
        f"127.0.0.1:{port}: 3 replies to 3 packets, none authentic: "
        "the key differs from the reflector's, it has none, or somebody forges its replies"
    )


async def test_an_echo_server_is_no_reflector() -> None:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as echo:
        echo.bind(("127.0.0.1", 0))
        port = echo.getsockname()[1]

        def answer() -> None:
            packet, source = echo.recvfrom(2048)
            echo.sendto(packet, source)

        loop.add_reader(echo, answer)
        outcome = await stamp(f"127.0.0.1:{port}")
        loop.remove_reader(echo)

    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "malformed", False)
    assert outcome.summary == (
        f"127.0.0.1:{port}: 3 replies to 3 packets, none of them an answer to what was sent: "
        "what answers is no STAMP reflector, or wants a key"
    )


async def test_where_no_reflector_listens_it_is_refused_and_proves_nothing() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

    outcome = await stamp(f"127.0.0.1:{port}")

    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, "refused", False)
    assert outcome.summary == f"127.0.0.1:{port}: connection refused: nothing listens there"


async def test_packets_leave_from_the_source_that_was_asked_for() -> None:
    seen: list[str] = []

    def key_of(host: str, _: int) -> bytes:
        seen.append(host)
        return b""

    one = open_reflector("127.0.0.1", 0, key_of)
    outcome = await stamp(f"127.0.0.1:{one.address[1]}", source="127.0.0.7")
    one.close()

    assert outcome.answered
    assert set(seen) == {"127.0.0.7"}


async def test_a_source_of_another_host_is_the_observer_s_fault() -> None:
    with pytest.raises(ObserverError) as caught:
        await stamp("127.0.0.1", source="192.0.2.9")

    assert caught.value.reason == "no-address"
    assert caught.value.summary == ("source 192.0.2.9 is not an address of this agent's host: correct the job's source")


async def test_a_source_of_another_family_is_told() -> None:
    with pytest.raises(ObserverError, match=r"check stamp: source ::1 is IPv6, and 127\.0\.0\.1 has no such address"):
        await stamp("127.0.0.1", source="::1")


def test_a_source_that_is_no_address_is_refused() -> None:
    with pytest.raises(ObserverError, match="source 'lan0': expected an IP address of the agent's host"):
        params_of(CHECK, {"source": "lan0"})


async def test_a_run_that_does_not_fit_into_its_deadline_is_told() -> None:
    with pytest.raises(ObserverError) as caught:
        await stamp("127.0.0.1", deadline=1.0, count=20, spacing=0.1)

    assert caught.value.summary == (
        "check stamp: 20 packets 0.1 s apart do not fit into a deadline of 1 s: send fewer, or give the job more time"
    )


def test_the_key_is_never_shown() -> None:
    assert shown(StampParams(key=KEY))["key"] == "***"


def judged(params: StampParams, run: Run, memory: dict[str, Any] | None = None) -> Outcome:
    return judge("r:862", run, params, Context(SystemClock(), 5.0, {} if memory is None else memory))


def run_of(*kept: tuple[int, int], sent: int, **times: float) -> Run:
    return Run(sent, [reply(number, reflector, **times) for number, reflector in kept])


@pytest.fixture(scope="module")
def lossy() -> Run:
    """Of 10, one is lost on the way there, two on the way back, one at the end."""
    return run_of((0, 0), (2, 1), (3, 2), (6, 5), (7, 6), (8, 7), sent=10)


def test_a_loss_names_its_direction(lossy: Run) -> None:
    outcome = judged(StampParams(), lossy)

    assert (outcome.state, outcome.reason) == (State.CRIT, "loss")
    assert outcome.summary == ("r:862: 4 of 10 packets lost: 1 on the way there, 2 on the way back, 1 at the end")


def test_levels_of_one_way_are_its_own(lossy: Run) -> None:
    params = StampParams(loss=Levels(), loss_backward=Levels(warn=20), loss_forward=Levels(warn=20))

    outcome = judged(params, lossy)

    assert (outcome.state, outcome.summary) == (State.WARN, "r:862: 25 % lost on the way back")


def test_a_slow_and_unsteady_line_is_told() -> None:
    run = run_of((0, 0), (1, 1), sent=2, there=300)
    run.replies.append(reply(2, 2, there=250))
    run.sent = 3

    outcome = judged(StampParams(rtt=Levels(warn=0.1), jitter=Levels(crit=0.003)), run)

    assert (outcome.state, outcome.reason) == (State.CRIT, "jitter")
    assert outcome.summary == "r:862: jitter of 0.00313 s on the way there; slow: the median round trip takes 0.32 s"


async def test_a_name_is_resolved_within_what_the_agent_may_talk_to() -> None:
    ctx = Context(SystemClock(), 5.0, {}, (ipaddress.ip_network("10.0.0.0/8"),))

    with pytest.raises(ObserverError) as caught:
        await CHECK.run(Target("n", "127.0.0.1"), StampParams(), ctx)

    assert caught.value.reason == "not-allowed"
