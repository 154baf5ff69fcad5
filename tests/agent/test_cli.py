from __future__ import annotations

import importlib.metadata
import json
import socket

import pytest

from agent import VERSION
from agent.cli import catalogue, described, main
from checks.contract import Check, Context, Params, Secret, Target
from checks.model import Measurement, Metric, Outcome, State
from tests.peers import free_port


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def test_the_version_is_that_of_the_package() -> None:
    assert importlib.metadata.version("thongsuot") == VERSION


def test_a_check_by_hand_says_what_it_saw(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        code, out, _ = run(capsys, "check", "tcp", f"127.0.0.1:{service.getsockname()[1]}")
    assert code == 0
    assert out.startswith("OK  ")
    assert "\033[" not in out


def test_a_target_that_refuses_is_critical(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "tcp", f"127.0.0.1:{free_port()}")
    assert code == 2
    assert out.startswith("CRIT [refused]  ")


def test_what_cannot_be_asked_is_unknown(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "tcq", "127.0.0.1:1")
    assert (code, out.split("  (")[0]) == (3, "UNKNOWN [unknown-check]  unknown check 'tcq': did you mean 'tcp'?")
    code, out, _ = run(capsys, "check", "tcp", "127.0.0.1:1", "--param", "expct=1")
    assert code == 3
    assert "unknown parameter 'expct': did you mean 'expect'?" in out
    code, _, err = run(capsys, "check", "tcp", "127.0.0.1:1", "--param", "expect")
    assert (code, err) == (3, "thongsuot-agent: --param 'expect': expected KEY=VALUE\n")


def test_parameters_are_json_where_they_parse(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as service:
        target = f"127.0.0.1:{service.getsockname()[1]}"
        code, out, _ = run(capsys, "check", "tcp", target, "--param", 'levels={"warn": 0}', "--json")
    told = json.loads(out)
    assert (code, told["outcome"]["state"]) == (1, "WARN")
    assert told["job"] == "here/tcp/by-hand"


def test_the_checks_are_listed_with_their_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "--list")
    assert code == 0
    assert "tcp  whether a TCP port accepts" in out
    assert '  expect = ""' in out


def test_a_measurement_is_laid_out_for_people() -> None:
    metrics = (Metric("ifHCInOctets", 1234567890123.0, "By", "eth0"), Metric("sysUpTime", 1.5, "s"))
    outcome = Outcome(State.WARN, "warm", "level", metrics=metrics, facts={"sysName": "r1"})
    assert described(Measurement("a/b/c", 0, 0.25, outcome), colour=False).splitlines() == [
        "WARN [level]  warm  (0.250 s)",
        "  ifHCInOctets[eth0]  1.23456789e+12 By",
        "  sysUpTime                      1.5 s",
        "  sysName: r1",
    ]
    assert described(Measurement("a/b/c", 0, 0.25, outcome), colour=True).startswith("\033[33mWARN\033[0m")


def test_the_catalogue_names_targets_and_defaults() -> None:
    class SomeParams(Params, frozen=True):
        count: int = 3
        community: Secret = ""

    async def nothing(target: Target, params: SomeParams, context: Context) -> Outcome:
        return Outcome(State.OK, "")

    some = Check(name="some", about="a test's", target="host", params=SomeParams, run=nothing)
    assert catalogue({"some": some}) == 'some  a test\'s\n  target: host\n  count = 3\n  community = ""'
