from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from agent import settings as agent_settings
from agent.settings import Settings as AgentSettings
from checks.registry import CHECKS
from checks.topology import load
from collector.scope import scope_of
from collector.settings import Settings as CollectorSettings
from collector.settings import load_settings
from collector.store.server import Server
from service.settings import SettingsError

TOP = Path(__file__).parents[2]
DEPLOY = TOP / "deploy"


def everything_said(example: str) -> str:
    """The example with its commented settings in force, and the words after them left out."""
    lines = (DEPLOY / example).read_text(encoding="utf-8").splitlines()
    return "\n".join(re.sub(r"^# (?=\[|\w+ = )", "", line) for line in lines)


def agent_files(tmp_path: Path, text: str) -> Path:
    (tmp_path / "agent.token").write_text("a-token\n")
    (tmp_path / "ca.pem").write_text("")
    file = tmp_path / "agent.toml"
    file.write_text(text.replace("/etc/thongsuot/", f"{tmp_path}/"), encoding="utf-8")
    return file


@pytest.mark.parametrize("text", [(DEPLOY / "agent.toml.example").read_text(), everything_said("agent.toml.example")])
def test_the_example_of_an_agent_is_taken_as_it_stands_and_with_every_line_in_force(tmp_path: Path, text: str) -> None:
    found = agent_settings.load(agent_files(tmp_path, text), {})

    assert (found.node, found.token, found.state_dir) == ("n01840", "a-token", "/var/lib/thongsuot-agent")


def test_the_defaults_that_the_example_of_an_agent_shows_are_the_defaults(tmp_path: Path) -> None:
    as_it_stands = agent_settings.load(agent_files(tmp_path, (DEPLOY / "agent.toml.example").read_text()), {})

    assert agent_settings.load(agent_files(tmp_path, everything_said("agent.toml.example")), {}) == as_it_stands


def test_the_example_of_an_agent_shows_every_key_but_the_token_itself() -> None:
    said = tomllib.loads(everything_said("agent.toml.example"))

    assert said.keys() == set(AgentSettings.__struct_fields__) - {"token"}


def test_the_example_of_a_collector_is_taken_as_it_stands() -> None:
    found = load_settings(DEPLOY / "collector.toml.example", {})

    assert found.listen.agents == "0.0.0.0:8443"
    assert found.store.kind == "embedded"


def test_the_defaults_that_the_example_of_a_collector_shows_are_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(everything_said("collector.toml.example"), encoding="utf-8")

    said = load_settings(file, {})

    as_it_stands = load_settings(DEPLOY / "collector.toml.example", {})
    assert msgspec.structs.replace(said, register_day=None) == as_it_stands
    assert set(tomllib.loads(file.read_text(encoding="utf-8"))) == set(CollectorSettings.__struct_fields__)
    Server(said.store.influx).close()


def test_the_secrets_of_the_example_are_those_that_the_shipped_topology_asks_for() -> None:
    settings = load_settings(DEPLOY / "collector.toml.example", {})
    topology = load(TOP / "topology.yaml", CHECKS)

    for day in topology.changes():
        scope_of(topology.on(day), settings.secrets, settings.report_every)


def test_the_example_of_a_collector_may_not_offer_its_agents_a_clear_address(tmp_path: Path) -> None:
    file = tmp_path / "collector.toml"
    text = (DEPLOY / "collector.toml.example").read_text(encoding="utf-8")
    file.write_text(re.sub(r"(?m)^(certificate|key) = .*\n", "", text), encoding="utf-8")

    with pytest.raises(SettingsError, match=r"agents would send their tokens to 0\.0\.0\.0 in clear"):
        load_settings(file, {})
