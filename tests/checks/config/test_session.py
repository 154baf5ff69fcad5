"""Logging in to simulated devices over real SSH: who answers, who may, and what never gets out."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from typing import Any

import psutil
import pytest
import zstandard

from checks.config import child
from checks.config.check import CHECK, DOCUMENT
from checks.config.params import ConfigParams
from checks.config.platforms import PLATFORMS
from checks.contract import Context, SystemClock, Target, params_of, shown
from checks.errors import ObserverError, TargetError
from checks.model import Outcome
from tests.checks.config.simulator import PASSWORD, USER, Simulation, serving
from tests.peers import free_port

SECRET = "En4ble-S3cret-of-the-test"
CONFIGURATION = f"""Building configuration...
!
! Last configuration change at 11:54:34 UTC Thu Aug 29 2024 by alice
!
hostname r1
username {USER} password {PASSWORD}
enable secret 0 {SECRET}
banner motd ^C call {SECRET} for help ^C
description Uỷ ban nhân dân
end"""
R1 = Simulation(
    "r1",
    "cisco_ios",
    "\r\nWelcome\r\nr1#",
    (
        ("terminal length 0\n", "terminal length 0\nr1#"),
        ("terminal width 0\n", "terminal width 0\nr1#"),
        ("show version\n", "show version\n% Invalid input detected at '^' marker.\nr1#"),
        ("show running-config\n", f"show running-config\n{CONFIGURATION}\nr1#"),
    ),
)


async def run(address: str, memory: dict[str, Any] | None = None, seconds: float = 30.0, **params: Any) -> Outcome:
    values = {"platform": "cisco_ios", "username": USER, "password": PASSWORD, "secret": SECRET} | params
    context = Context(SystemClock(), seconds, {} if memory is None else memory)
    return await CHECK.run(Target("d1", address), params_of(CHECK, values), context)


async def failure(address: str, **params: Any) -> tuple[str, str]:
    with pytest.raises((TargetError, ObserverError)) as caught:
        await run(address, **params)
    assert PASSWORD not in caught.value.summary
    return caught.value.reason, caught.value.summary


async def test_who_changed_it_last_and_the_host_key_are_facts() -> None:
    with serving(R1) as served:
        outcome = await run(served.address)

    assert outcome.facts["config.by"] == "alice"
    assert outcome.facts["ssh.hostkey"] == f"ecdsa-sha2-nistp256 {served.fingerprint}"
    assert len(outcome.facts["config"]) == 16


async def test_the_text_goes_along_once_and_again_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    memory: dict[str, Any] = {}
    with serving(R1) as served:
        first, second = await run(served.address, memory), await run(served.address, memory)
        version, at = memory["sent"]
        memory["sent"] = (version, at - 86_401)
        next_day = await run(served.address, memory)

    assert [bool(outcome.documents) for outcome in (first, second, next_day)] == [True, False, True]
    assert first.facts == second.facts


async def test_another_host_key_is_told_before_any_password_is_sent() -> None:
    with serving(R1) as served:
        assert (await run(served.address, known_host=[served.fingerprint])).facts["config"]
        tried = len(served.passwords)
        reason, summary = await failure(served.address, known_host=[f"SHA256:{'A' * 43}"])

        assert len(served.passwords) == tried
    assert reason == "host-key-changed"
    assert served.fingerprint in summary


async def test_a_user_who_may_not_log_in_is_told_so() -> None:
    with serving(R1) as served:
        reason, summary = await failure(served.address, username="nobody")

    assert (reason, summary) == ("login", f"{served.address}: the device takes neither password nor key of this user")


async def test_a_command_that_is_refused_is_named() -> None:
    refusing = Simulation("r1", "cisco_ios", "r1>", ())
    with serving(refusing) as served:
        reason, summary = await failure(served.address, secret="")

    assert (reason, summary) == (
        "refused-command",
        "the device refuses “show running-config”: give the user the right to it",
    )


async def test_more_rights_are_asked_for_with_the_secret() -> None:
    answers = (("enable\n", "enable\nPassword: "), (f"{SECRET}\n", "\nr1#"), *R1.answers)
    with serving(Simulation("r1", "cisco_ios", "r1>", answers)) as served:
        assert (await run(served.address)).facts["config.by"] == "alice"


async def test_a_device_of_another_platform_shows_no_prompt() -> None:
    with serving(Simulation("r1", "cisco_ios", "Username: ", ())) as served:
        assert (await failure(served.address, seconds=4.0))[0] == "no-prompt"


async def test_nobody_there_is_the_target_s_fault() -> None:
    assert (await failure(f"127.0.0.1:{free_port()}"))[0] == "refused"


async def test_a_key_that_is_none_is_the_plan_s_fault() -> None:
    with serving(R1) as served:
        assert (await failure(served.address, key="not a key"))[0] == "bad-params"


async def test_a_user_is_needed() -> None:
    with pytest.raises(ObserverError, match="username is missing"):
        await run("127.0.0.1:22", username="")


def test_a_fingerprint_that_is_none_is_refused() -> None:
    with pytest.raises(ObserverError, match=r"known_host 'MD5:.*': expected a fingerprint such as SHA256"):
        params_of(CHECK, {"known_host": ["MD5:12:34"]})


async def test_a_run_that_is_cancelled_leaves_no_child() -> None:
    before = psutil.Process().children()
    with serving(Simulation("r1", "cisco_ios", "Username: ", ())) as served:
        task = asyncio.create_task(run(served.address))
        while psutil.Process().children() == before:  # noqa: ASYNC110 - nothing tells of a child's start
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert psutil.Process().children() == before


async def test_no_credential_is_seen_anywhere(capfd: pytest.CaptureFixture[str]) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    logging.getLogger().addHandler(handler)
    logging.getLogger().setLevel(logging.DEBUG)
    arguments: list[str] = []
    try:
        with serving(R1) as served:
            task = asyncio.create_task(run(served.address))
            while not task.done():
                for process in psutil.Process().children():
                    try:
                        arguments += [*process.cmdline(), *process.environ().values()]
                    except psutil.Error:
                        continue
                await asyncio.sleep(0.01)
            outcome = task.result()
            failed = await failure(served.address, username="nobody")
    finally:
        logging.getLogger().removeHandler(handler)
        logging.getLogger().setLevel(logging.WARNING)
    text = zstandard.ZstdDecompressor().decompress(outcome.documents[DOCUMENT]).decode()
    params = ConfigParams(username=USER, password=PASSWORD, secret=SECRET, key="a key")
    everything = [text, repr(outcome.facts), outcome.summary, *failed, log.getvalue(), *capfd.readouterr()]
    everything += [*arguments, json.dumps(shown(params))]

    assert any("session.py" in argument for argument in arguments)
    assert [one for one in everything if PASSWORD in one or SECRET in one] == []
    assert "description Uỷ ban nhân dân\n" in text


async def test_a_child_that_says_nonsense_is_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_FILE", "-")  # an empty program
    with pytest.raises(ObserverError, match="ended without an answer"):
        await child.ask("127.0.0.1", 1, ConfigParams(username="u"), PLATFORMS["frr"], 5.0)
