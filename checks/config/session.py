"""The child process that logs in to a device over SSH and brings back what it shows: the only place with netmiko.

It is run as a file, with JSON on standard input (:class:`Request`) and on standard output (:class:`Reply`). It knows no
vendor: how to talk to one stands in the request. Of netmiko it takes the connection, not the drivers: those of several
vendors write to the device (to turn off paging, or to save), and a backup must leave no trace there.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, TypedDict

from checks.config.screen import last_line

if TYPE_CHECKING:
    import paramiko
    from netmiko import BaseConnection

MOST_BYTES: Final = 8 << 20
"""Of what a device may say to one command."""
_BYTES: Final = "latin-1"
"""netmiko decodes piece by piece, which would tear letters of several bytes: bytes pass through it as they are."""
_SETTLE, _SETTLE_LOGIN, _POLL = 0.05, 0.3, 0.01
"""Seconds without news after which what looks like a prompt is one: at login, banners come before it."""


class Dialogue(TypedDict):
    """How to talk to a kind of device: what a prompt looks like; ``keys`` to press where it waits at a line that
    matches; what ends in more rights; what a refusal looks like. ``setup`` are commands whose answer does not
    matter. With ``exec``, each command runs by itself, without a terminal."""

    prompt: str
    keys: list[tuple[str, str]]
    enable: str
    refused: str
    setup: list[str]
    exec: bool


class Request(TypedDict):
    """Where to log in, and with what: an empty ``password`` or ``key`` (a private key, PEM) is none. ``known`` are the
    fingerprints that the host key may have; any when empty. Each of ``commands`` is a list of ways to ask the same:
    the first that is not refused counts. ``timeout`` is seconds for all of it."""

    host: str
    port: int
    username: str
    password: str
    key: str
    secret: str
    known: list[str]
    dialogue: Dialogue
    commands: list[list[str]]
    timeout: float


class Reply(TypedDict, total=False):
    """``answers`` to each of the commands, as raw text; None where every way to ask was refused. Or what ``failed``, a
    word with details in ``about``; or the module that is ``missing``; or the ``errno`` of the connection; or a
    ``bug``."""

    hostkey: str
    prompt: str
    answers: list[tuple[str, str] | None]
    failed: str
    about: str
    missing: str
    errno: int
    bug: str


class FailedError(Exception):
    """Why there is no backup: a word of ours, and what about it."""

    def __init__(self, word: str, about: str = "") -> None:
        super().__init__(word)
        self.word, self.about = word, about


def fingerprint(key: paramiko.PKey) -> str:
    """As ssh-keygen -l writes it: ``ssh-ed25519 SHA256:…``."""
    digest = hashlib.sha256(key.asbytes()).digest()
    return f"{key.get_name()} SHA256:{base64.b64encode(digest).decode().rstrip('=')}"


class HostKey:
    """paramiko asks it what it thinks of a host key, before it sends anything secret."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = {text.rpartition(" ")[2] for text in known}
        self.shown = ""

    def missing_host_key(self, _client: paramiko.SSHClient, _host: str, key: paramiko.PKey) -> None:
        self.shown = fingerprint(key)
        if self._known and self.shown.rpartition(" ")[2] not in self._known:
            raise FailedError("host-key", self.shown)


def fetch(request: Request, reply: Reply) -> None:
    """Logs in, asks, and fills in the reply. Raises FailedError, OSError, ImportError without netmiko."""
    end = time.monotonic() + request["timeout"]
    connection = _connect(request, reply)
    try:
        dialogue = request["dialogue"]
        if dialogue["exec"]:
            ask = _exec(connection, end)
        else:
            shell = Shell(connection, dialogue, end)
            reply["prompt"] = shell.log_in(request["secret"])
            ask = shell.ask
        for command in dialogue["setup"]:
            ask(command)
        refused = re.compile(dialogue["refused"], re.MULTILINE)
        reply["answers"] = [_first(ask, ways, refused) for ways in request["commands"]]
    finally:
        connection.disconnect()


def _first(ask: Callable[[str], str], ways: Sequence[str], refused: re.Pattern[str]) -> tuple[str, str] | None:
    """The answer to the first way of asking that is not refused: a refusal is short."""
    for command in ways:
        said = ask(command)
        if len(said) > 2000 or refused.search(said.replace("\r", "")) is None:
            return command, said
    return None


def _connect(request: Request, reply: Reply) -> BaseConnection:
    import paramiko  # noqa: PLC0415 - may be missing
    from netmiko import BaseConnection, NetmikoAuthenticationException, NetmikoTimeoutException  # noqa: PLC0415

    host_key = HostKey(request["known"])
    try:
        connection = BaseConnection(
            device_type="generic",
            host=request["host"],
            port=request["port"],
            username=request["username"],
            password=request["password"] or None,
            pkey=_private_key(request["key"]) if request["key"] else None,
            conn_timeout=request["timeout"],
            banner_timeout=request["timeout"],
            auth_timeout=request["timeout"],
            encoding=_BYTES,
            disable_lf_normalization=True,
            auto_connect=False,
        )
        connection.key_policy = host_key  # type: ignore[assignment]  # asked for one method only, which it has
        connection.establish_connection()
    except NetmikoAuthenticationException as error:
        raise FailedError("login") from error
    except NetmikoTimeoutException as error:
        cause = error.__context__
        if isinstance(cause, OSError):
            raise next(iter(getattr(cause, "errors", {}).values()), cause) from error  # of each address that it tried
        raise FailedError("ssh", str(cause)[:200] if isinstance(cause, paramiko.SSHException) else "") from error
    finally:
        reply["hostkey"] = host_key.shown
    return connection


def _private_key(pem: str) -> paramiko.PKey:
    import io  # noqa: PLC0415 - as above

    import paramiko  # noqa: PLC0415

    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(pem))
        except (paramiko.SSHException, ValueError):
            continue
    raise FailedError("key")


def _exec(connection: BaseConnection, end: float) -> Callable[[str], str]:
    """Each command in a channel of its own."""

    def ask(command: str) -> str:
        assert connection.remote_conn_pre is not None
        left = max(0.1, end - time.monotonic())
        _, out, errors = connection.remote_conn_pre.exec_command(command, timeout=left)
        said = out.read(MOST_BYTES + 1)
        if len(said) > MOST_BYTES:
            raise FailedError("too-long", command)
        return (said + errors.read(4096)).decode(errors="replace")

    return ask


class Shell:
    """A terminal session: sends a line, and reads until the device waits for the next."""

    def __init__(self, connection: Any, dialogue: Dialogue, end: float) -> None:
        """``connection`` reads and writes a channel; ``end`` is a time of the monotonic clock."""
        self._connection, self._end = connection, end
        self._prompt = re.compile(dialogue["prompt"])
        self._keys = [(re.compile(pattern), key) for pattern, key in dialogue["keys"]]
        self._enable = dialogue["enable"]
        self.prompt = ""

    def log_in(self, secret: str) -> str:
        """Waits for the prompt, with more rights where a secret for them is given; returns it."""
        self._read(lambda line: self._prompt.fullmatch(line) is not None, _SETTLE_LOGIN, "no-prompt")
        if secret and self._enable and self.prompt.endswith(">"):
            self._send(self._enable)
            self._read(lambda line: "assword" in line or line.endswith("#"), _SETTLE, "enable")
            if not self.prompt.endswith("#"):
                self._send(secret)
                self._read(lambda line: line.strip().endswith(("#", ">")) or "assword" in line, _SETTLE, "enable")
            if not self.prompt.endswith("#"):
                raise FailedError("enable")
        return self.prompt

    def ask(self, command: str) -> str:
        """What the device says to a command, with the echo before and the prompt after it."""
        prompt = self.prompt
        self._send(command)
        return self._read(lambda line: line.strip() == prompt, _SETTLE, "no-answer", command)

    def _send(self, line: str) -> None:
        self._connection.write_channel(f"{line}\n")

    def _read(self, done: Callable[[str], bool], settle: float, word: str, command: str = "") -> str:
        """Reads until the line where the cursor stands is as wanted, and stays so."""
        said, pressed, heard_at = "", -1, time.monotonic()
        while True:
            new = self._connection.read_channel()
            now = time.monotonic()
            if now > self._end:
                raise FailedError(word, command)
            if new:
                said += new
                heard_at = now
                if len(said) > MOST_BYTES:
                    raise FailedError("too-long", command)
                continue
            line = last_line(said)
            key = self._key(line) if pressed != len(said) else None
            if key is not None:
                self._connection.write_channel(key)
                pressed = len(said)
            elif said and now - heard_at >= settle and done(line):
                self.prompt = line.strip()
                return said.encode(_BYTES).decode(errors="replace")
            elif self._connection.remote_conn.closed:
                raise FailedError("hung-up", command)
            time.sleep(_POLL)

    def _key(self, line: str) -> str | None:
        """What to press at a line that asks for it."""
        return next((key for pattern, key in self._keys if pattern.search(line)), None)


def main() -> None:
    """One request from standard input, one reply to standard output."""
    request: Request = json.load(sys.stdin)
    signal.alarm(int(request["timeout"]) + 15)
    reply: Reply = {}
    try:
        fetch(request, reply)
    except FailedError as error:
        reply |= {"failed": error.word, "about": error.about}
    except ImportError as error:
        reply["missing"] = str(error.name)
    except TimeoutError:
        reply["failed"] = "timeout"
    except OSError as error:
        reply["errno"] = error.errno or 0
    except Exception:  # whatever it is, whoever asked must hear of it
        reply["bug"] = traceback.format_exc()[-2000:]
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
