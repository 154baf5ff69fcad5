"""A real FRR router over SSH: backed up by the check, changed by hand, and the change told at the collector."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.model import Outcome, State
from tests.collector.centres import Agent, TurnedClock, opened, pass_time, running
from tests.collector.configs.province import told, with_config
from tests.lab.province import Province
from tests.lab.ssh import Login, vtysh_over_ssh

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

PASSWORD = "a long password"
JOB = "d1/config/r1"
PROBE = """
import asyncio, json, sys
import msgspec
from checks.config.check import CHECK
from checks.contract import Context, SystemClock, Target, params_of
address, values = json.load(sys.stdin)
outcome = asyncio.run(CHECK.run(Target("d1", address), params_of(CHECK, values), Context(SystemClock(), 30.0, {})))
assert not {"netmiko", "paramiko"} & set(sys.modules)
print(msgspec.json.encode(outcome).decode())
"""


@pytest.fixture
def login(small: Province, tmp_path: Path) -> Iterator[Login]:
    with vtysh_over_ssh(small.router("c1"), tmp_path, password=PASSWORD) as login:
        yield login


def check(small: Province, login: Login, **params: Any) -> Outcome:
    """The outcome of the check, run at the centre's office."""
    values = {"platform": "frr", "username": login.user, **params}
    done = subprocess.run(
        small.office("centre").argv(sys.executable, "-W", "error", "-c", PROBE),
        input=json.dumps([login.address, values]),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


async def test_a_change_by_hand_is_told_at_the_collector_with_its_two_lines(
    small: Province, login: Login, tmp_path: Path
) -> None:
    router, clock = small.router("c1"), TurnedClock()
    router.vtysh("configure terminal\ninterface lan\ndescription before")
    outcomes = [check(small, login, password=PASSWORD), check(small, login, key=login.key.read_text())]
    router.vtysh("configure terminal\ninterface lan\ndescription after")
    outcomes.append(check(small, login, password=PASSWORD))
    router.vtysh("configure terminal\ninterface lan\nno description")

    assert [outcome.state for outcome in outcomes] == [State.OK] * 3
    assert outcomes[0].facts == outcomes[1].facts
    assert outcomes[0].documents == outcomes[1].documents
    async with running(await opened(tmp_path / "centre", clock, province=with_config("frr"))) as centre:
        agent = Agent(centre, clock)
        for outcome in outcomes:
            await agent.report([(JOB, outcome)])
            await pass_time(centre, clock, 15, agent.report)
        (summary,) = told(centre, JOB)
        assert summary.endswith(" without approval: +1 -1 lines: “- description before”, “+ description after”")
