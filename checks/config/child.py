"""Runs the session in a child process, and ends it: netmiko takes 44 MB that this process must not keep."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from checks import child
from checks.config.backup import Answer
from checks.config.mask import without
from checks.config.params import ConfigParams
from checks.config.platform import Platform
from checks.config.session import MOST_BYTES, Request
from checks.errors import CheckError, ObserverError, TargetError, from_os_error

_FILE: Final = Path(__file__).with_name("session.py")
_MOST_SAID: Final = 4 * MOST_BYTES


class Said(msgspec.Struct):
    """What the child brought back: see ``session.Reply``."""

    hostkey: str = ""
    prompt: str = ""
    answers: list[Answer] = []
    failed: str = ""
    about: str = ""
    missing: str = ""
    errno: int | None = None
    bug: str = ""


async def ask(host: str, port: int, params: ConfigParams, platform: Platform, limit: float) -> Said:
    """Asks a device all that makes a backup, within ``limit`` s. Raises TargetError or ObserverError; no secret is in
    either. Cancelled or late, the child is killed."""
    request = Request(
        host=host,
        port=port,
        username=params.username,
        password=params.password,
        key=params.key,
        secret=params.secret,
        known=list(params.known_host),
        dialogue=platform.dialogue,
        commands=[list(ways) for ways in platform.commands],
        timeout=limit,
    )
    said = _read(await child.ask(child.script(_FILE), msgspec.json.encode(request), most=_MOST_SAID))
    error = _error(said, f"{host}:{port}", params)
    if error is not None:
        raise error
    return said


def _read(said: bytes) -> Said:
    try:
        return msgspec.json.decode(said, type=Said)
    except msgspec.MsgspecError as error:
        raise ObserverError("bug", f"the SSH session ended without an answer: {error}") from error


def _error(said: Said, where: str, params: ConfigParams) -> CheckError | None:
    """Why there is no backup. What the device or a library says goes through the mask."""
    if said.missing:
        return ObserverError("not-installed", f"the check config needs {said.missing}: install thongsuot[probes]")
    if said.bug:
        last = without(said.bug.strip().splitlines()[-1], params.credentials)
        return ObserverError("bug", f"bug in the SSH session: {last}")
    if said.errno is not None:
        return from_os_error(OSError(said.errno or errno.ECONNRESET, os.strerror(said.errno)), where)
    if said.failed:
        return _failure(said.failed, without(said.about, params.credentials), where)
    return None


def _failure(word: str, about: str, where: str) -> CheckError:
    match word:
        case "timeout":
            return TargetError("timeout", f"{where}: no answer in time")
        case "host-key":
            text = f"{where}: the SSH host key is {about}, which is not among known_host: no password was sent. "
            return TargetError(
                "host-key-changed", f"{text}Another device answers there, or it was renewed", answered=True
            )
        case "login":
            return TargetError(
                "login", f"{where}: the device takes neither password nor key of this user", answered=True
            )
        case "enable":
            return TargetError("enable", f"{where}: the device does not take the secret for enable", answered=True)
        case "key":
            return ObserverError("bad-params", f"{where}: key is no private key in PEM that can be read")
        case "ssh":
            return TargetError("ssh", f"{where}: no SSH connection: {about or 'the peer does not speak it'}")
        case "no-prompt":
            return TargetError("no-prompt", f"{where}: no prompt came: is it of another platform?", answered=True)
    text = {
        "no-answer": "did not end its answer in time: give the job a longer deadline",
        "too-long": f"says more than {MOST_BYTES} bytes",
        "hung-up": "closed the connection",
    }.get(word, word)
    return TargetError("cut-off", f"{where}: to “{about}” the device {text}", answered=True)
