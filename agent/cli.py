"""``thongsuot-agent``: run the agent, try one check by hand, ask the running agent how it is."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

import msgspec

from agent import VERSION, daemon, settings, status
from agent.runner import Runner
from agent.spoolfile import SpoolError
from agent.status import painted
from checks.contract import AnyCheck, SystemClock
from checks.errors import CheckError
from checks.model import Job, Measurement, Metric, State
from checks.registry import CHECKS, find
from service import log
from service.settings import SettingsError

EXIT = {State.OK: 0, State.WARN: 1, State.CRIT: 2, State.UNKNOWN: 3}
"""The convention of the monitoring plug-ins (Monitoring Plugins Development Guidelines, 2.3)."""


def main(argv: Sequence[str] | None = None) -> None:
    """The console script."""
    asked = _parser().parse_args(argv)
    try:
        code = asked.command(asked, os.environ, sys.stdout)
    except (SettingsError, SpoolError, status.StatusError, CheckError) as error:
        print(f"thongsuot-agent: {error}", file=sys.stderr)
        code = EXIT[State.UNKNOWN]
    except BrokenPipeError:
        # Whoever read us, such as head, has seen enough; Python's own flush at the end must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="thongsuot-agent", description="The agent of a node: measures and delivers.")
    parser.add_argument("--version", action="version", version=f"thongsuot-agent {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser("run", help="measure what the collector's plan says, until stopped")
    run.set_defaults(command=_run)

    check = commands.add_parser(
        "check",
        help="run one check by hand and print what it saw",
        description="Runs one check. The exit code is 0 OK, 1 WARN, 2 CRIT, 3 UNKNOWN.",
    )
    check.add_argument("name", nargs="?", help="the check, such as tls; see --list")
    check.add_argument("target", nargs="?", default="", help="what to measure, such as portal.example.vn:443")
    check.add_argument("--param", action="append", default=[], metavar="KEY=VALUE", help="a parameter; may be repeated")
    check.add_argument("--timeout", type=float, default=10.0, metavar="SECONDS", help="deadline (default 10)")
    check.add_argument("--list", action="store_true", help="list the checks and their parameters")
    check.set_defaults(command=_check)

    show = commands.add_parser("status", help="how the running agent is; the exit code is 0 OK, 1 WARN, 2 CRIT")
    show.set_defaults(command=_status)
    for one in (run, show):
        one.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default {settings.DEFAULT_FILE})")
    for one in (check, show):
        one.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _run(asked: argparse.Namespace, environ: Mapping[str, str], _: TextIO) -> int:
    told = settings.load(asked.config, environ)
    log.set_up(told.node, told.log_level, told.log_format, environ)
    try:
        asyncio.run(daemon.run(told, find, SystemClock(), environ))
    except SpoolError as error:
        logging.getLogger("agent").critical("%s", error)
        return 1
    except OSError as error:
        logging.getLogger("agent").critical("%s cannot be used: %s", told.state_dir, error)
        return 1
    return 0


def _status(asked: argparse.Namespace, environ: Mapping[str, str], out: TextIO) -> int:
    found = status.read(settings.state_directory(asked.config, environ) / status.FILE_NAME)
    now = SystemClock().now()
    state, why = status.health(found, now)
    if asked.json:
        told = {"state": state.value, "why": why, **msgspec.to_builtins(found)}
        print(msgspec.json.format(msgspec.json.encode(told)).decode(), file=out)
    else:
        print(status.table(found, now, colour=out.isatty()), file=out)
    return EXIT[state]


def _check(asked: argparse.Namespace, _: Mapping[str, str], out: TextIO) -> int:
    if asked.list or not asked.name:
        print(catalogue(CHECKS), file=out)
        return 0 if asked.list else EXIT[State.UNKNOWN]
    params = dict(_param(text) for text in asked.param)
    job = Job("here", asked.name, "by-hand", asked.target, asked.timeout, asked.timeout, asked.timeout, params)
    measurement = asyncio.run(_once(job))
    if asked.json:
        print(msgspec.json.format(msgspec.json.encode(measurement)).decode(), file=out)
    else:
        print(described(measurement, colour=out.isatty()), file=out)
    return EXIT[measurement.outcome.state]


async def _once(job: Job) -> Measurement:
    return await Runner(find, SystemClock()).run(job)


def _param(text: str) -> tuple[str, Any]:
    """``key=value``; the value is JSON where it parses as such, else a string."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise SettingsError(f"--param {text!r}: expected KEY=VALUE")
    try:
        return key, msgspec.json.decode(value)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        return key, value


def described(measurement: Measurement, *, colour: bool) -> str:
    """A measurement for people: state and summary, metrics in a table, facts."""
    outcome = measurement.outcome
    reason = f" [{outcome.reason}]" if outcome.reason else ""
    lines = [f"{painted(outcome.state, colour=colour)}{reason}  {outcome.summary}  ({measurement.duration:.3f} s)"]
    rows = [(_name(metric), f"{metric.value:.10g}", metric.unit) for metric in outcome.metrics]
    wide = [max((len(row[i]) for row in rows), default=0) for i in range(2)]
    lines += [f"  {name:<{wide[0]}}  {value:>{wide[1]}} {unit}".rstrip() for name, value, unit in rows]
    lines += [f"  {key}: {value}" for key, value in outcome.facts.items()]
    return "\n".join(lines)


def _name(metric: Metric) -> str:
    return f"{metric.name}[{metric.instance}]" if metric.instance else metric.name


def catalogue(checks: Mapping[str, AnyCheck]) -> str:
    """The checks, what their targets look like, and their parameters with the defaults."""
    lines: list[str] = []
    for name, check in sorted(checks.items()):
        lines += [f"{name}  {check.about}", f"  target: {check.target}"]
        values = msgspec.to_builtins(check.params())
        lines += [f"  {key} = {msgspec.json.encode(value).decode()}" for key, value in values.items()]
    return "\n".join(lines)
