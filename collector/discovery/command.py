"""``thongsuot-collector discover``."""

from __future__ import annotations

import asyncio
import datetime
import os
import sys
import zoneinfo
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from checks.contract import SystemClock
from checks.errors import CheckError
from checks.registry import CHECKS
from checks.topology import TopologyError, load
from collector.console import err, fail
from collector.discovery.bars import bars
from collector.discovery.credentials import VARIABLE, Sources, credentials
from collector.discovery.discover import Discovery, Manners, Progress
from collector.discovery.entries import entries
from collector.discovery.found import Found
from collector.discovery.known import Province
from collector.discovery.scope import scope_of
from collector.settings import load_settings
from service.settings import SettingsError

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def discover(  # noqa: PLR0917 - typer reads the options from the parameters
    prefixes: Annotated[
        list[str], typer.Argument(metavar="PREFIX...", help="such as 10.58.1.0/24; at most a /16 in all")
    ],
    community: Annotated[
        list[str] | None,
        typer.Option(help=f"@FILE, a community a line, or secret:NAME of the settings; or ${VARIABLE}"),
    ] = None,
    user: Annotated[
        list[Path] | None, typer.Option(help="a TOML file with user, auth, auth_key, priv, priv_key of SNMPv3")
    ] = None,
    topology: Annotated[Path | None, typer.Option(help="a topology file, to mark what it already has")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="ask neighbours beyond the prefixes too")] = False,
    rate: Annotated[float, typer.Option(min=1, max=1000, help="echo requests a second")] = 50.0,
    config: Annotated[Path | None, typer.Option("--config", help="the settings that hold the secrets")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON lines, each as soon as it is found")] = False,
) -> None:
    """Find devices in the prefixes by echo and SNMP, and print topology entries to paste. Only what is named is asked.
    Ctrl-C ends it with what was found so far."""
    found: list[Found] = []

    def tell(one: Found) -> None:
        found.append(one)
        if as_json:
            sys.stdout.write(msgspec.json.encode(one).decode() + "\n")
            sys.stdout.flush()

    try:
        scope, province = scope_of(prefixes), _province(topology)
        sources = Sources(
            communities=community or (),
            users=user or (),
            environ=os.environ,
            secrets=lambda: load_settings(config, os.environ).secrets,
            prompt=_typed if sys.stdin.isatty() else None,
        )
        asked_with = credentials(sources)
    except (SettingsError, TopologyError, ValueError) as error:
        fail(str(error))
    with bars(err, scope.size) as show:
        discovery = Discovery(scope, asked_with, Manners(rate=rate, follow=follow), SystemClock(), tell=tell, show=show)
        whole = _run(discovery)
    if not as_json:
        sys.stdout.write(entries(found, province))
    _close(discovery.progress, whole)


def _run(discovery: Discovery) -> bool:
    """Whether it came to its end."""
    try:
        asyncio.run(discovery.run())
    except KeyboardInterrupt:
        return False
    except CheckError as error:
        fail(error.summary)
    return True


def _close(progress: Progress, whole: bool) -> None:
    if progress.unreached:
        err.print(f"{progress.unreached} addresses could not be asked: {progress.trouble}", style="red", markup=False)
    if not whole:
        err.print(f"Stopped after {progress.swept} addresses. This is what was found until then.", style="yellow")
        raise typer.Exit(INTERRUPTED)


def _province(topology: Path | None) -> Province:
    if topology is None:
        return Province()
    found = load(topology, CHECKS)
    return Province(found.on(datetime.datetime.now(zoneinfo.ZoneInfo(found.province.timezone)).date()))


def _typed() -> str:
    return str(typer.prompt("SNMP community", hide_input=True, err=True))
