"""An office and the centre with a wire between them, a STAMP reflector in the centre's LAN, the check at the office."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from checks.model import Outcome
from tests.lab.tunnels import Wire, wire
from tests.peers import need, running

TOP = Path(__file__).parents[3]
KEY = "the reflector's key"
_REFLECTOR = """
import asyncio, sys
from checks.stamp.reflector import open_reflector
async def main():
    open_reflector(sys.argv[1], 862, lambda *_: sys.argv[2].encode())
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""
_CHECK = """
import asyncio, json, subprocess, sys
import msgspec
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import CheckError
from checks.vpn.check import CHECK
target, values, between = json.loads(sys.stdin.readline())
context = Context(SystemClock(), 20.0, {})
def run():
    try:
        return asyncio.run(CHECK.run(Target("n", target), params_of(CHECK, values), context))
    except CheckError as error:
        return error.outcome()
outcome = run()
if between:
    subprocess.run(between, check=True, capture_output=True)
    outcome = run()
print(msgspec.json.encode(outcome).decode())
"""


@dataclasses.dataclass(frozen=True)
class Office:
    """Where the check runs."""

    wire: Wire

    def check(
        self, kind: str, target: str, *, prefix: Sequence[str] = (), between: Sequence[str] = (), **params: Any
    ) -> Outcome:
        """The outcome of a run, or of a second one with a command ``between`` the two; ``prefix`` is a command to run
        them by."""
        values = {
            "kind": kind,
            "through": self.wire.centre.host,
            "source": self.wire.office.host,
            "key": KEY,
            "wait": 4,  # for as long only as something does not come back
        }
        asked = self.wire.office.where.argv(*prefix, "env", f"PYTHONPATH={TOP}", sys.executable, "-c", _CHECK)
        return _run(asked, json.dumps([target, values | params, between]))


def _run(argv: list[str], said: str) -> Outcome:
    done = subprocess.run(argv, input=said, check=True, capture_output=True, text=True)
    assert done.stderr == ""  # nothing is logged of what a tunnel knows
    return msgspec.json.decode(done.stdout, type=Outcome)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    need("ip", "nft", root=True)
    with wire() as joint:
        log = tmp_path / "reflector.log"
        argv = joint.centre.where.argv(sys.executable, "-c", _REFLECTOR, joint.centre.host, KEY)
        with running(argv, ready=lambda: "ready" in log.read_text(), cwd=TOP, log=log):
            yield Office(joint)


def metrics(outcome: Outcome) -> dict[str, float]:
    """By name."""
    return {metric.name: metric.value for metric in outcome.metrics}
