"""``thongsuot-collector config``: look at the configurations of devices, and approve what changed."""

from __future__ import annotations

import datetime
import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeVar

import msgspec
import typer
from rich.markup import escape

from checks.located import near
from checks.model import parse_job_id
from collector.configs.difference import unified
from collector.configs.history import History, HistoryError
from collector.configs.model import Approval, Record
from collector.configs.office import APPROVAL, RECORD, decode_record, view_of
from collector.console import fail, out
from collector.settings import Settings, load_settings
from collector.state import Changes, StateFile
from service.settings import SettingsError

app = typer.Typer(no_args_is_help=True, help="The configurations of devices: their history, and which are approved.")

Config = Annotated[Path | None, typer.Option("--config", help="settings (TOML); default /etc/thongsuot/collector.toml")]
JobName = Annotated[str, typer.Argument(metavar="NODE/config/LABEL", help="whose configuration")]
AsJson = Annotated[bool, typer.Option("--json", help="print JSON, for scripts")]
VersionName = Annotated[str, typer.Option("--version", help="the beginning of a version; default the newest")]
_MOST_LINES = 100_000
T = TypeVar("T")


@app.command(name="list")
def list_configs(config: Config = None, as_json: AsJson = False) -> None:
    """Every configuration: its newest version, and whether that is approved."""
    with _records(config) as (_, _, records):
        views = [view_of(name, record) for name, record in sorted(records.items())]
    if as_json:
        sys.stdout.write(msgspec.json.encode(views).decode() + "\n")
        return
    for view in views:
        state = "[green]approved[/green]" if view.version == view.approved else "[red]not approved[/red]"
        out.print(f"{view.job}\t{view.version}\t{_when(view.at)}\t{state}\t{escape(view.by)}")


@app.command()
def log(job: JobName, config: Config = None) -> None:
    """The versions of a configuration, newest first."""
    with _records(config) as (history, _, records):
        _record(records, job)
        for line in _or_fail(lambda: history.lines(parse_job_id(job))):
            out.print(f"{line.hash}\t{_when(line.at)}\t{line.by}", markup=False)


@app.command()
def show(job: JobName, version: VersionName = "", config: Config = None) -> None:
    """Print a configuration, secrets masked."""
    with _records(config) as (history, _, records):
        sys.stdout.write(_text(history, records, job, version or _record(records, job).newest.hash))


@app.command()
def diff(job: JobName, version: VersionName = "", config: Config = None) -> None:
    """What differs between the approved version of a configuration and another."""
    with _records(config) as (history, _, records):
        record = _record(records, job)
        texts = [_text(history, records, job, one) for one in (record.approved.hash, version or record.newest.hash)]
    for line in unified(texts[0], texts[1], _MOST_LINES):
        sys.stdout.write(line + "\n")


@app.command()
def approve(
    jobs: Annotated[list[str], typer.Argument(metavar="NODE/config/LABEL…", help="whose configurations")],
    why: Annotated[str, typer.Option("--why", help="the reason, such as the number of the document that orders it")],
    config: Config = None,
) -> None:
    """Approve the newest version of configurations. A running collector notices at once."""
    if not why.strip():
        fail("--why: say why: it is kept with the approval")
    with _records(config) as (_, state, records):
        changes = Changes()
        for job in jobs:
            newest = _record(records, job).newest
            approval = Approval(newest.hash, os.environ.get("SUDO_USER") or getpass.getuser(), why.strip(), _now())
            changes.things[APPROVAL, job] = msgspec.msgpack.encode(approval)
        state.save(changes)
        for job in jobs:
            out.print(f"{job}: {records[job].newest.hash} is approved", markup=False)


@contextmanager
def _records(config: Path | None) -> Iterator[tuple[History, StateFile, dict[str, Record]]]:
    """The history, the state and the records of some settings."""
    settings = _settings(config)
    path = settings.directory / "state.db"
    if not path.is_file():
        fail(f"{path}: there is no such file: run this as the collector's user, where its state is")
    state = StateFile(path)
    try:
        records = {name: decode_record(body) for name, body in state.things(RECORD).items()}
        yield History(settings.directory / "configs.git"), state, records
    finally:
        state.close()


def _settings(config: Path | None) -> Settings:
    try:
        return load_settings(config, os.environ)
    except SettingsError as error:
        fail(str(error))


def _record(records: dict[str, Record], job: str) -> Record:
    if job not in records:
        fail(f"no configuration of {job!r} is known: {near(job, records)}")
    return records[job]


def _text(history: History, records: dict[str, Record], job: str, version: str) -> str:
    """The text of a version, from the records where it is one of theirs: the history may be some seconds behind."""
    record = _record(records, job)
    for one in (record.newest, record.approved):
        if one.hash.startswith(version) and one.text is not None:
            return one.text
    found = _or_fail(lambda: history.text(parse_job_id(job), version))
    if found is None:
        fail(f"{job}: no version begins with {version!r}: see 'thongsuot-collector config log {job}'")
    return found


def _or_fail(read: Callable[[], T]) -> T:
    try:
        return read()
    except (HistoryError, OSError) as error:
        fail(str(error))


def _when(at: int) -> str:
    return f"{datetime.datetime.fromtimestamp(at / 1000, datetime.UTC):%Y-%m-%d %H:%M} UTC"


def _now() -> int:
    return round(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
