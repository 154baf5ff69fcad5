"""The handbook is held to the code: what a person may meet is in it, in both languages, and its samples work."""

from __future__ import annotations

import ast
import datetime
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.settings import Settings as AgentSettings
from checks.registry import CHECKS
from checks.topology import load
from collector.scope import scope_of
from collector.settings import Settings as CollectorSettings

TOP = Path(__file__).parents[2]
PAGES = [("operating", "van-hanh"), ("installing", "cai-dat"), ("settings", "cau-hinh"), ("topology", "topology")]
BOTH = pytest.mark.parametrize("language", [0, 1], ids=["en", "vi"])
REASON_AT = {"TargetError": 0, "ObserverError": 0, "HttpError": 0, "Finding": 1, "Gauge": 1, "Outcome": 2}
"""Where the reason stands among the arguments."""


def page(number: int, language: int) -> str:
    folder = ("en", "vi")[language]
    return (TOP / "docs" / folder / f"{PAGES[number][language]}.md").read_text(encoding="utf-8")


def samples(text: str) -> list[str]:
    found = re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", text)
    return ["\n".join(line[4:] for line in sample.strip("\n").split("\n")) for sample in found if sample.strip()]


def reasons() -> Iterator[str]:
    for file in (TOP / "checks").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REASON_AT:
                at = REASON_AT[node.func.id]
                word = node.args[at] if at < len(node.args) else None
                if isinstance(word, ast.Constant) and isinstance(word.value, str) and word.value:
                    yield word.value


def keys(kind: type[msgspec.Struct]) -> Iterator[str]:
    described = msgspec.inspect.type_info(kind)
    assert isinstance(described, msgspec.inspect.StructType)
    for field in described.fields:
        if isinstance(field.type, msgspec.inspect.StructType):
            yield from keys(field.type.cls)
        else:
            yield field.name


@BOTH
def test_the_handbook_says_of_every_reason_what_to_do_first(language: int) -> None:
    text = page(0, language)
    said = set(re.findall(r"`([a-z-]+)`", text))

    known_only_to_the_client = {"bad-request"}  # becomes bad-params
    assert sorted(set(reasons()) - said - known_only_to_the_client) == []


@BOTH
def test_the_reference_has_every_setting(language: int) -> None:
    said = set(re.findall(r"`(\w+)`", page(2, language)))

    assert {*keys(AgentSettings), *keys(CollectorSettings)} - {"secrets"} <= said


@BOTH
def test_the_handbook_names_every_check(language: int) -> None:
    assert set(CHECKS) <= set(re.findall(r"`(\w+)`", page(3, language)))


@pytest.mark.parametrize("number", range(len(PAGES)), ids=[name for name, _ in PAGES])
def test_both_languages_give_the_same_commands_and_samples(number: int) -> None:
    english, vietnamese = (samples(page(number, language)) for language in (0, 1))

    assert [s.replace("secret:NAME", "secret:TÊN") for s in english] == vietnamese


@BOTH
def test_the_sample_topology_can_be_used_as_it_stands(language: int, tmp_path: Path) -> None:
    sample = next(text for text in samples(page(3, language)) if text.startswith("province:"))
    file = tmp_path / "topology.yaml"
    file.write_text(sample + "\n", encoding="utf-8")

    scope = scope_of(load(file, CHECKS).on(datetime.date(2026, 1, 1)), {"snmp-community": "x"}, 10.0)

    assert [job.id for job in scope.plans["bk"].jobs] == [
        "bk/host/agent",
        "c01834/ping/from-parent",
        "c01837/snmp/r1",
        "c01837/ping/from-parent",
    ]


@pytest.mark.parametrize("file", [*TOP.glob("*.md"), *(TOP / "docs").rglob("*.md")], ids=lambda file: file.name)
def test_no_link_within_the_documents_is_dead(file: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", file.read_text(encoding="utf-8"))

    assert [link for link in links if not (file.parent / link).exists()] == []
