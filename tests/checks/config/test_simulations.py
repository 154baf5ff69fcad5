"""Oxidized's simulated devices, over real SSH. ``--simulations DIR`` plays those of another folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
import zstandard

from checks.config.check import CHECK, DOCUMENT
from checks.config.mask import masked
from checks.config.platform import MASK
from checks.config.platforms import PLATFORMS
from checks.config.screen import last_line
from checks.contract import Context, SystemClock, Target, params_of
from checks.model import Outcome, State
from tests.checks.config.simulator import MODELS, PASSWORD, USER, Served, serving, simulation

COMMENT_OF_OXIDIZED = re.compile(r"<!-- PFsense .* -->")


def theirs(text: str) -> str:
    """What Oxidized writes, with our mask."""
    return re.sub(r"<secret (?:removed|hidden)>", MASK, text)


async def backed_up(served: Served, platform: str) -> Outcome:
    params = params_of(CHECK, {"platform": platform, "username": USER, "password": PASSWORD})
    return await CHECK.run(Target("d1", served.address), params, Context(SystemClock(), 60.0, {}))


def text_of(outcome: Outcome) -> str:
    return zstandard.ZstdDecompressor().decompress(outcome.documents[DOCUMENT]).decode()


def beside(file: Path, ending: str) -> dict[str, list[str]]:
    """What Oxidized's tests say of a simulation's backup: strings that must ``pass``, and that must ``fail``."""
    other = file.with_name(file.name.replace("#simulation.yaml", ending))
    said: dict[str, list[str]] = yaml.safe_load(other.read_text(encoding="utf-8")) if other.is_file() else {}
    return {kind: said.get(kind) or [] for kind in ("pass", "fail")}


def in_order(lines: list[str], text: str) -> list[str]:
    """The lines that are not in a text behind the one before them."""
    left = iter([line.rstrip() for line in text.split("\n")])
    return [line for line in lines if line.rstrip() not in left]


@pytest.mark.slow
async def test_a_backup_holds_the_configuration_and_no_secret(played: Path) -> None:
    device = simulation(played)
    platform = PLATFORMS[device.platform]
    with serving(device) as served:
        first = await backed_up(served, device.platform)
        again = await backed_up(served, device.platform)
    text = text_of(first)

    assert first.state is State.OK
    assert (text_of(again), again.facts) == (text, first.facts)
    output = played.with_name(played.name.replace("#simulation.yaml", "#output.txt"))
    if output.is_file():
        expected = masked(COMMENT_OF_OXIDIZED.sub("", theirs(output.read_text(encoding="utf-8"))), platform)
        lines = [line for line in expected.split("\n") if line.strip() and not line.startswith(platform.comment)]
        assert in_order(lines, text) == []
    secret = beside(played, "#secret.yaml")
    assert [string for string in secret["fail"] if string in text] == []
    assert [string for string in secret["pass"] if not found(theirs(string), text)] == []
    assert [string for string in beside(played, "#significant_changes.yaml")["pass"] if not found(string, text)] == []
    assert PASSWORD not in text


def found(string: str, text: str) -> bool:
    """Oxidized takes them for strings or for regular expressions."""
    return string in text or re.search(string, text) is not None


def test_prompts_are_recognised(prompts: Path) -> None:
    said = {kind: [] for kind in ("pass", "pass_with_expect", "fail")} | yaml.safe_load(prompts.read_text("utf-8"))
    prompt = re.compile(PLATFORMS[MODELS[prompts.name.partition("#")[0]]].prompt)

    assert [one for one in said["pass"] + said["pass_with_expect"] if not prompt.fullmatch(last_line(one))] == []
    assert [one for one in said["fail"] if prompt.fullmatch(one)] == []
