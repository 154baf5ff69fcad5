"""An SSH server that plays the devices of Oxidized's simulations: what is asked, and what they said."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import yaml
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from checks.config.platforms import PLATFORMS
from checks.config.screen import last_line

MODELS = {
    "asa": "cisco_asa",
    "comware": "hp_comware",
    "fortigate": "fortinet",
    "fortios": "fortinet",
    "frr": "frr",
    "h3c": "hp_comware",
    "ios": "cisco_ios",
    "junos": "juniper_junos",
    "nxos": "cisco_nxos",
    "opnsense": "pfsense",
    "pfsense": "pfsense",
    "routeros": "mikrotik_routeros",
    "vrp": "huawei_vrp",
    "vyatta": "vyos",
    "vyos": "vyos",
}
"""Our platform of a model of Oxidized's. Simulations of other models are not ours to play."""
REFUSALS = {
    "juniper_junos": "unknown command.",
    "mikrotik_routeros": "bad command name",
    "fortinet": "Unknown action 0",
    "vyos": "Invalid command",
    "huawei_vrp": "Error: Unrecognized command found at '^' position.",
    "hp_comware": " % Unrecognized command found at '^' position.",
    "pfsense": "sh: not found",
    "cisco_asa": "ERROR: % Invalid input detected at '^' marker.",
}
USER, PASSWORD = "backup", "S1mulated-Passw0rd"
_ESCAPES = {"e": "\x1b", "r": "\r", "n": "\n", "t": "\t", "b": "\b", "a": "\a", "0": "\0"}


@dataclasses.dataclass(frozen=True)
class Simulation:
    """A device: how it greets, and what it says to each line or key, in the order in which it was asked."""

    name: str
    platform: str
    greeting: str
    answers: tuple[tuple[str, str], ...]

    @property
    def prompt(self) -> str:
        return self.greeting.rpartition("\n")[2]


def unescaped(text: str) -> str:
    """Ruby's escapes as the letters that they stand for."""

    def one(found: re.Match[str]) -> str:
        return chr(int(found[1], 16)) if found[1] else _ESCAPES.get(found[2], found[2])

    return re.sub(r"\\(?:x([0-9a-fA-F]{2})|(.))", one, text)


def simulation(file: Path) -> Simulation:
    """Reads a simulation.yaml."""
    written: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    commands = written["commands"]
    pairs = commands.items() if isinstance(commands, dict) else [pair for one in commands for pair in one.items()]
    platform = MODELS[file.name.partition("#")[0]]
    greeting = unescaped(written.get("init_prompt") or "")
    if not re.fullmatch(PLATFORMS[platform].prompt, last_line(greeting)):  # some were recorded without
        greeting += "\n<device>" if platform in ("huawei_vrp", "hp_comware") else "\ndevice> "
    answers = tuple((unescaped(ask), unescaped(answer or "")) for ask, answer in pairs)
    return Simulation(file.name.rpartition("#")[0], platform, greeting, answers)


class Player:
    """Says what the device said. A line that comes twice is answered in order."""

    def __init__(self, device: Simulation) -> None:
        self._device, self._next = device, 0

    def line(self, command: str) -> str:
        """The answer to a line, up to the next prompt."""
        wanted = [i for i, (ask, _) in enumerate(self._device.answers) if ask.rstrip("\n") == command]
        if not wanted:
            refusal = REFUSALS.get(self._device.platform, "% Invalid input detected at '^' marker.")
            return self._prompted(f"{command}\n{refusal}" if command else "")
        return self._play(next((i for i in wanted if i >= self._next), wanted[0]))

    def key(self, key: str) -> str | None:
        """The answer to a single key, where the device waits for it."""
        if self._next < len(self._device.answers) and self._device.answers[self._next][0] == key:
            return self._play(self._next)
        return None

    def _play(self, number: int) -> str:
        self._next = number + 1
        said = self._device.answers[number][1]
        waits = self._next < len(self._device.answers) and not self._device.answers[self._next][0].endswith("\n")
        return said if waits else self._prompted(said)

    def _prompted(self, said: str) -> str:
        prompt, line = self._device.prompt, said.rpartition("\n")[2]
        return said if line.strip() == prompt.strip() or line.endswith(("assword: ", "#")) else f"{said}\n{prompt}"

    def alone(self, command: str) -> str:
        """The answer to a command that runs without a terminal."""
        said = dict(self._device.answers).get(f"{command}\n")
        return REFUSALS.get(self._device.platform, "unknown") + "\n" if said is None else f"{said}\n"


class _Server(paramiko.ServerInterface):
    def __init__(self, device: Simulation, passwords: list[str]) -> None:
        self._device, self._passwords = device, passwords

    def get_allowed_auths(self, _username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self._passwords.append(password)
        right = (username, password) == (USER, PASSWORD)
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_channel_request(self, _kind: str, _chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_: object) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        threading.Thread(target=_shell, args=(channel, self._device), daemon=True).start()
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, self._device, command.decode()), daemon=True).start()
        return True


def _shell(channel: paramiko.Channel, device: Simulation) -> None:
    player = Player(device)
    with contextlib.suppress(OSError, EOFError):
        _send(channel, device.greeting)
        typed = ""
        while piece := channel.recv(4096):
            typed += piece.decode()
            while typed:
                said = player.key(typed[0])
                if said is not None:
                    typed = typed[1:]
                elif "\n" in typed:
                    line, _, typed = typed.partition("\n")
                    said = player.line(line.rstrip("\r"))
                else:
                    break
                _send(channel, said)


def _send(channel: paramiko.Channel, text: str) -> None:
    channel.sendall(re.sub(r"(?<!\r)\n", "\r\n", text).encode())


def _run(channel: paramiko.Channel, device: Simulation, command: str) -> None:
    with contextlib.suppress(OSError, EOFError):
        channel.get_transport().global_request("wait", wait=True)  # until the client knows that its command runs
        channel.sendall(Player(device).alone(command).encode())
        channel.send_exit_status(0)
        channel.close()


@dataclasses.dataclass(frozen=True)
class Served:
    """Where a device listens, its host key's fingerprint, and the passwords that were tried."""

    address: str
    fingerprint: str
    passwords: list[str]


@contextlib.contextmanager
def serving(device: Simulation) -> Iterator[Served]:
    """The device on a port of loopback, for the length of a ``with``."""
    key = paramiko.ECDSAKey.generate()
    passwords: list[str] = []
    open_transports: list[paramiko.Transport] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept() -> None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                while True:
                    transport = paramiko.Transport(listening.accept()[0])
                    open_transports.append(transport)
                    transport.add_server_key(key)
                    transport.start_server(event=threading.Event(), server=_Server(device, passwords))

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield Served(f"127.0.0.1:{listening.getsockname()[1]}", key.fingerprint, passwords)
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            for transport in open_transports:
                transport.close()
            thread.join(5)
