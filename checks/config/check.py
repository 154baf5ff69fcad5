"""The check ``config``: the running configuration of a device, and whether it is still the same."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import zstandard

from checks.config import child
from checks.config.backup import Backup, backup
from checks.config.params import ConfigParams
from checks.config.platforms import PLATFORMS
from checks.contract import Check, Context, Target, host_port
from checks.errors import ObserverError
from checks.findings import Finding, conclude
from checks.model import Metric, Outcome, State

DOCUMENT: Final = "running-config"
"""What the document is called: UTF-8 in zstd."""
MOST_DOCUMENT: Final = 200 << 10
"""Bytes that a document may take, so that its measurement fits into a report."""
_AGAIN_AFTER: Final = 86_400.0
_SHARE: Final = 0.95
"""The part of a run's time that it may take; the rest is for ending the child."""


async def run(target: Target, params: ConfigParams, ctx: Context) -> Outcome:
    """Asks, cleans, masks, and hands over what is new."""
    host, port = host_port(target.address, 22)
    if not params.username:
        raise ObserverError("bad-params", "check config: username is missing: whom to log in as?")
    platform = PLATFORMS[params.platform]
    address = (await ctx.resolve(host))[0]
    said = await child.ask(str(address), port, params, platform, ctx.timeout * _SHARE)
    taken = backup(platform, said.answers, said.prompt, params.credentials)
    return judge(target.address, taken, said.hostkey, ctx)


def judge(where: str, taken: Backup, hostkey: str, ctx: Context) -> Outcome:
    """The outcome of a backup. The text itself goes along when it is not the one that went along last, and once a
    day."""
    text = taken.text.encode()
    body = zstandard.ZstdCompressor(level=10).compress(text)
    findings = []
    if len(body) > MOST_DOCUMENT:
        why = f"the configuration takes {len(body)} bytes compressed, more than {MOST_DOCUMENT}: its text is not kept"
        findings.append(Finding(State.WARN, "too-large", why))
    outcome = conclude(
        where,
        "the configuration was read",
        findings,
        metrics=(Metric("config.size", float(len(text)), "By"), Metric("config.lines", float(text.count(b"\n")), "1")),
        facts=_facts(taken, hostkey),
    )
    if findings or not _due(ctx.memory, taken.version, ctx.clock.monotonic()):
        return outcome
    return msgspec.structs.replace(outcome, documents={DOCUMENT: body})


def _facts(taken: Backup, hostkey: str) -> dict[str, str]:
    facts = {"config": taken.version, "ssh.hostkey": hostkey}
    return facts | ({"config.by": taken.by} if taken.by else {})


def _due(memory: dict[str, Any], version: str, now: float) -> bool:
    """Whether the text must go along; remembers that it did."""
    sent, at = memory.get("sent", ("", 0.0))
    if sent == version and now - at < _AGAIN_AFTER:
        return False
    memory["sent"] = (version, now)
    return True


CHECK = Check(
    name="config",
    about="the running configuration of a device: whether it changed, and who changed it",
    target="address of the device, or address:port of its SSH server",
    params=ConfigParams,
    run=run,
)
