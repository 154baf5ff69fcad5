"""``thongsuot-collector``: run it, try it, check a topology, give agents their tokens."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.markup import escape
from rich.tree import Tree

from checks.located import near
from checks.plan import PlanError
from checks.registry import CHECKS
from checks.topology import Register, Topology, TopologyError, load
from collector.beats import disagreement
from collector.configs.cli import app as config_app
from collector.console import err, fail, out
from collector.demo.run import DemoOptions
from collector.demo.run import run as run_demo
from collector.discovery.command import discover
from collector.server import serve
from collector.settings import Settings, load_settings
from collector.state import StateFile
from service import log
from service.settings import SettingsError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The centre of Thông Suốt."
)
topology_app = typer.Typer(no_args_is_help=True, help="Look at a topology file.")
agent_app = typer.Typer(no_args_is_help=True, help="The agents that may report.")
app.add_typer(topology_app, name="topology")
app.add_typer(agent_app, name="agent")
app.command()(discover)
app.add_typer(config_app, name="config")

Config = Annotated[Path | None, typer.Option("--config", help="settings (TOML); default /etc/thongsuot/collector.toml")]
File = Annotated[Path, typer.Argument(help="a topology file; default: the shipped province")]
Day = Annotated[
    datetime.datetime | None,
    typer.Option("--day", formats=["%Y-%m-%d"], help="the register of this day; default today"),
]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for scripts")]


def shipped_topology() -> Path:
    """The topology.yaml that came with the program: beside this package, or at the top of a checkout."""
    here = Path(__file__).resolve().parent
    return next((p for p in (here / "topology.yaml", here.parent / "topology.yaml") if p.is_file()), here)


@app.command()
def run(config: Config = None) -> None:
    """Run the collector until SIGTERM or Ctrl-C. SIGHUP reads the topology again."""
    settings = _settings(config)
    log.set_up("collector", settings.log_level, settings.log_format, os.environ)
    if not Path(settings.topology).is_file():
        fail(f"{settings.topology}: no topology is there: put one, or name it by 'topology' in the settings")
    os.umask(0o077)  # what it keeps is for nobody else
    try:
        serve(settings, Path(settings.topology))
    except (SettingsError, TopologyError, PlanError, OSError) as error:
        fail(str(error))


@app.command()
def demo(  # noqa: PLR0917 - typer reads the options from the parameters
    page: Annotated[str, typer.Option(help="where the page is served, host:port")] = "127.0.0.1:8080",
    interval: Annotated[float, typer.Option(min=1.0, help="seconds between two polls of a router")] = 10.0,
    proof_window: Annotated[float, typer.Option(min=2.0, help="seconds that a proof of traffic holds")] = 60.0,
    confirm_after: Annotated[float, typer.Option(min=0.0, help="seconds until a failure is confirmed")] = 10.0,
    day: Annotated[
        datetime.datetime, typer.Option(formats=["%Y-%m-%d"], help="the day whose register is shown")
    ] = datetime.datetime(2025, 6, 30),  # noqa: DTZ001 - a day, not a time
    notify: Annotated[list[str] | None, typer.Option(help="an Apprise URL to send incidents to")] = None,
    topology: Annotated[Path | None, typer.Option(help="a topology file; default: the shipped province")] = None,
) -> None:
    """A province at work on this host, with simulated routers. Needs no root."""
    log.set_up("collector", "info", "auto", os.environ)
    options = DemoOptions(
        topology or shipped_topology(), day.date(), page, interval, proof_window, confirm_after, tuple(notify or ())
    )
    try:
        run_demo(options, lambda text: out.print(text, markup=False))
    except (SettingsError, TopologyError, PlanError, OSError) as error:
        fail(str(error))


@topology_app.command()
def check(file: File = Path(), config: Config = None, as_json: AsJson = False) -> None:
    """Check a topology: every mistake with its line, or what the file holds. Exit code 1 when it cannot be used. With
    --config, its topology unless another is named, and whether both agree."""
    settings = _settings(config) if config is not None else None
    path = file
    if file == Path():
        path = Path(settings.topology) if settings is not None else shipped_topology()
    try:
        topology = load(path, CHECKS)
        registers = [topology.on(day) for day in _days(topology)]
    except TopologyError as error:
        if as_json:
            problems = [msgspec.to_builtins(problem) for problem in error.problems]
            sys.stdout.write(msgspec.json.encode({"ok": False, "problems": problems}).decode() + "\n")
            raise typer.Exit(1) from error
        fail(str(error))
    except ValueError as error:
        fail(f"{path}: {error}")
    listening = settings.listen.reflector if settings is not None else None
    warnings = [] if listening is None else [disagreement(register.root, listening) for register in registers]
    warnings = [warning for warning in dict.fromkeys(warnings) if warning]
    if as_json:
        found = [_counts(register) for register in registers]
        sys.stdout.write(msgspec.json.encode({"ok": True, "registers": found, "warnings": warnings}).decode() + "\n")
        return
    out.print(f"[green]{path}: good[/green]")
    for register in registers:
        counts = _counts(register)
        tiers = ", ".join(f"{count} {tier}" for tier, count in counts["nodes_by_tier"].items())
        out.print(f"  {register.day}: {counts['nodes']} nodes ({tiers}), {counts['offices']} offices")
    for warning in warnings:
        out.print(f"[yellow]warning:[/yellow] {escape(warning)}")


@topology_app.command()
def show(file: File = Path(), day: Day = None, as_json: AsJson = False) -> None:
    """Show the register of a day as a tree."""
    path = shipped_topology() if file == Path() else file
    try:
        register = load(path, CHECKS).on(day.date() if day else _today())
    except (TopologyError, ValueError) as error:
        fail(str(error))
    if as_json:
        nodes = [msgspec.to_builtins(node) for node in register.nodes.values()]
        sys.stdout.write(msgspec.json.encode({"day": register.day, "nodes": nodes}).decode() + "\n")
        return
    out.print(_tree(register))


@agent_app.command()
def add(
    node: Annotated[str, typer.Argument(help="the node's id in the topology")],
    config: Config = None,
) -> None:
    """Make a token for the agent of a node, in place of any it had. It is shown once; only its hash is kept."""
    settings = _settings(config)
    try:
        register = load(Path(settings.topology), CHECKS).on(settings.register_day or _today())
    except (TopologyError, ValueError) as error:
        fail(str(error))
    if node not in register.agents:
        fail(f"{settings.topology}: no agent is at {node!r} on {register.day}: {near(node, register.agents)}")
    with _state(settings) as state:
        had_one = node in state.agents()
        token = state.new_token(node, _now())
    sys.stdout.write(token + "\n")
    void = " The one it had before is void." if had_one else ""
    err.print(f"Put it into token_file on {node}, and restart its agent. It cannot be shown again.{void}", style="dim")


@agent_app.command()
def revoke(node: Annotated[str, typer.Argument(help="the node's id")], config: Config = None) -> None:
    """Forget the token of a node's agent. It holds at once, also in a running collector."""
    with _state(_settings(config)) as state:
        if not state.revoke(node):
            fail(f"no agent of {node!r} has a token: see 'thongsuot-collector agent list'")


@agent_app.command(name="list")
def list_agents(config: Config = None, as_json: AsJson = False) -> None:
    """The nodes whose agents have a token, and since when."""
    with _state(_settings(config)) as state:
        agents = state.agents()
    if as_json:
        sys.stdout.write(msgspec.json.encode(agents).decode() + "\n")
        return
    for node, at in sorted(agents.items()):
        out.print(f"{node}\t{datetime.datetime.fromtimestamp(at / 1000, datetime.UTC):%Y-%m-%d %H:%M} UTC")


@app.command()
def version() -> None:
    """Print the version."""
    out.print(importlib.metadata.version("thongsuot"))


def _days(topology: Topology) -> list[datetime.date]:
    """A day of each register that the file holds, and today."""
    changes = topology.changes()
    before = [day - datetime.timedelta(days=1) for day in changes[:1]]
    return sorted({*before, *changes, _today()})


def _tree(register: Register) -> Tree:
    def label(node: str) -> str:
        found = register.nodes[node]
        offices = sum(office.node == node for office in register.offices)
        by = "" if found.has_agent else f", measured by {register.agent_of(node)}"
        return f"[bold]{found.id}[/bold] {found.name} [dim]{offices} offices{by}[/dim]"

    def grow(branch: Tree, node: str) -> None:
        for child in register.children(node):
            grow(branch.add(label(child.id)), child.id)

    tree = Tree(label(register.root.id))
    grow(tree, register.root.id)
    return tree


def _counts(register: Register) -> dict[str, Any]:
    tiers: dict[str, int] = {}
    for node in register.nodes.values():
        tiers[node.tier] = tiers.get(node.tier, 0) + 1
    return {
        "day": register.day.isoformat(),
        "nodes": len(register.nodes),
        "offices": len(register.offices),
        "nodes_by_tier": tiers,
        "offices_by_tier": dict(register.offices_by_tier()),
        "offices_by_category": dict(register.offices_by_category()),
    }


class _state:  # noqa: N801 - reads as a phrase
    """The state file of some settings, for the length of a ``with``."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.directory / "state.db"

    def __enter__(self) -> StateFile:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = StateFile(self._path)
        except OSError as error:
            fail(f"{self._path}: {error.strerror}: run this as the collector's user, or set state_dir")
        return self._file

    def __exit__(self, *_: object) -> None:
        self._file.close()


def _settings(config: Path | None, environ: Mapping[str, str] = os.environ) -> Settings:
    try:
        return load_settings(config, environ)
    except SettingsError as error:
        fail(str(error))


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.timezone(datetime.timedelta(hours=7))).date()


def _now() -> int:
    return round(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
