"""What a person tells a lab that runs in another process, and what it answers: a line of JSON each way, over a socket
in the lab's folder."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import socketserver
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from tests.lab.layout import Role
from tests.lab.line import WAYS, Way
from tests.lab.link import PLAIN, Shape
from tests.lab.province import Province

Verb = Literal["status", "cut", "blackhole", "limit", "shape", "mend"]


class Command(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A fault for a line, or the question how everything is. The fields mean what they mean to
    :class:`tests.lab.line.Line`; ``shape`` is for each of the ``ways``."""

    verb: Verb
    node: str = ""
    role: Role = "primary"
    ways: tuple[Way, ...] = ()
    above: int | None = None
    rate: int = 0
    shape: Shape = PLAIN


class Answer(msgspec.Struct, frozen=True):
    """``good`` is false when nothing was done."""

    text: str
    good: bool = True


def perform(province: Province, command: Command) -> Answer:
    """Does what is asked."""
    if command.verb == "status":
        return Answer(status(province))
    if (command.node, command.role) not in province.lines:
        there = ", ".join(" ".join(line) for line in province.lines)
        return Answer(f"{command.node} has no {command.role} line: there are {there}", good=False)
    line = province.line(command.node, command.role)
    match command.verb:
        case "cut":
            line.cut()
        case "blackhole":
            line.blackhole(*command.ways, above=command.above)
        case "limit":
            line.limit(command.rate, *command.ways)
        case "shape":
            line.shape(*(command.shape if way in (command.ways or WAYS) else PLAIN for way in WAYS))
        case "mend":
            line.mend()
    return Answer(f"{command.verb}: the {command.role} line of {command.node}")


def status(province: Province) -> str:
    """A line for each node: its namespaces, its addresses, and by which device it reaches the centre."""
    centre = next(node for node in province.nodes.values() if node.tier == "province")
    rows = [("node", "router", "office", "address", "reaches the centre by")]
    for name, router in province.routers.items():
        office = province.offices.get(name)
        way = "" if name == centre.name else router.way_to(centre.loopback) or "nothing"
        rows.append((name, router.name, office.name if office else "", router.node.host, way))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


class Server(socketserver.UnixStreamServer):
    """Takes commands. From its start on, another process sees that there is a lab."""

    def __init__(self, folder: Path) -> None:
        self.perform: Callable[[Command], Answer] | None = None
        super().__init__(str(_socket(folder)), _Handler)


class _Handler(socketserver.StreamRequestHandler):
    server: Server

    def handle(self) -> None:
        assert self.server.perform
        try:
            answer = self.server.perform(msgspec.json.decode(self.rfile.readline(), type=Command))
        except (msgspec.DecodeError, OSError, subprocess.CalledProcessError) as error:
            answer = Answer(str(error), good=False)
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(msgspec.json.encode(answer) + b"\n")


def ask(folder: Path, command: Command) -> Answer:
    """The running lab's answer. Raises OSError when there is none."""
    with _connected(folder) as peer, peer.makefile("rwb") as stream:
        stream.write(msgspec.json.encode(command) + b"\n")
        stream.flush()
        return msgspec.json.decode(stream.readline(), type=Answer)


def stop(folder: Path, seconds: float) -> bool:
    """Ends the lab by the id of its process, and waits for it. Whether it has ended. Raises OSError when there is
    none."""
    with _connected(folder) as peer:
        # The id of who listens (unix(7)): no file that could name a process which is another's by now.
        pid, _, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    process = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        return bool(select.select([process], [], [], seconds)[0])
    finally:
        os.close(process)


def _connected(folder: Path) -> socket.socket:
    peer = socket.socket(socket.AF_UNIX)
    try:
        peer.connect(str(_socket(folder)))
    except OSError:
        peer.close()
        raise
    return peer


def _socket(folder: Path) -> Path:
    return folder / "control"
