"""A link whose delay, jitter and loss are set for each direction, and changed while it carries traffic.

The kernel need not have netem: a process of ours relays the frames between two devices of one namespace (packet(7)).
Run as a program it takes the new shapes as lines of JSON and answers each with what it has relayed so far; it ends when
its standard input does, so it never outlives who started it.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from tests.lab.netns import Namespace

_ETH_P_ALL = 3
_SOL_PACKET, _PACKET_VNET_HDR, _PACKET_IGNORE_OUTGOING = 263, 15, 23  # linux/if_packet.h
_SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 33, 35  # asm-generic/socket.h
_FRAME_BYTES = 70_000  # a segment that the kernel has not cut yet, with its header
_AT_ONCE = 64


class Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One direction: ``delay`` in s, give or take up to ``jitter`` s (so frames may change places), ``loss`` in %."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0


PLAIN = Shape()
"""As a cable: whatever goes in comes out."""


class Shapes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both directions: forward is from the first device to the second."""

    forward: Shape = PLAIN
    backward: Shape = PLAIN


class Count(msgspec.Struct, frozen=True):
    """Frames of one direction: how many came, and how many of them the link lost on purpose."""

    came: int = 0
    lost: int = 0


class Counts(msgspec.Struct, frozen=True):
    """Of both directions."""

    forward: Count
    backward: Count


class Pipe:
    """One direction: frames go in, and come out when they are due. ``chance`` gives numbers from 0 up to 1."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self.shape = PLAIN
        self.came = 0
        self.lost = 0
        self._chance = chance
        self._waiting: list[tuple[float, int, bytes]] = []

    @property
    def next(self) -> float | None:
        """When the next frame is due."""
        return self._waiting[0][0] if self._waiting else None

    def put(self, frame: bytes, now: float) -> None:
        """Takes a frame in, or loses it."""
        self.came += 1
        shape = self.shape
        if shape.loss and self._chance() * 100 < shape.loss:
            self.lost += 1
            return
        delay = shape.delay + shape.jitter * (2 * self._chance() - 1) if shape.jitter else shape.delay
        heapq.heappush(self._waiting, (now + max(delay, 0.0), self.came, frame))

    def due(self, now: float) -> Iterator[bytes]:
        """The frames that come out now, in order."""
        while self._waiting and self._waiting[0][0] <= now:
            yield heapq.heappop(self._waiting)[2]

    def count(self) -> Count:
        """What passed so far."""
        return Count(self.came, self.lost)


class Link:
    """A running link, as who started it sees it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def shape(self, forward: Shape = PLAIN, backward: Shape = PLAIN) -> Counts:
        """Sets both directions, for every frame from now on; what was relayed before. Raises OSError when the link has
        died."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(msgspec.json.encode(Shapes(forward, backward)) + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise OSError(f"the link has died with exit status {self._process.wait()}")
        return msgspec.json.decode(answer, type=Counts)


@contextlib.contextmanager
def link(where: Namespace, first: str, second: str, *, seed: int = 1) -> Iterator[Link]:
    """Joins two devices of a namespace, which must be up, and have no addresses. The same ``seed`` and frames give the
    same losses."""
    argv = where.argv(sys.executable, "-m", "tests.lab.link", first, second, str(seed))
    root = Path(__file__).parents[2]
    # In a session of its own: Ctrl-C is for who started it, and ends it in due order.
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root, start_new_session=True
    ) as process:
        try:
            running = Link(process)
            running.shape()  # answered when it relays
            yield running
        finally:
            assert process.stdin
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def _age(control: list[tuple[int, int, bytes]]) -> float:
    """For how many seconds a frame has waited for us, by the kernel's time stamp: no part of the delay asked for."""
    stamps = [value for level, kind, value in control if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS)]
    if not stamps:
        return 0.0
    seconds, nanoseconds = struct.unpack("@qq", stamps[0])
    age = (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) / 1e9
    return age if 0 <= age < 1 else 0.0


def _device(name: str) -> socket.socket:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    # The kernel's note on each frame (checksum still to be made, segment still to be cut) goes with it to the far side.
    sock.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
    sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 4 << 20)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.bind((name, _ETH_P_ALL))
    sock.setblocking(False)
    return sock


class _Relay:
    def __init__(self, first: str, second: str, seed: int) -> None:
        near, far = _device(first), _device(second)
        self.forward = Pipe(random.Random(seed).random)
        self.backward = Pipe(random.Random(seed + 1).random)
        self._ways = {near: (self.forward, far), far: (self.backward, near)}

    def run(self) -> None:
        """Until standard input ends."""
        while True:
            # select(2) and no poll: it waits for microseconds, not milliseconds.
            ready, _, _ = select.select([sys.stdin.buffer, *self._ways], [], [], self._wait(time.monotonic()))
            for sock in ready:
                if sock in self._ways:
                    self._read(sock)
                elif not self._told():
                    return
            self._write(time.monotonic())

    def _wait(self, now: float) -> float | None:
        due = [pipe.next for pipe in (self.forward, self.backward) if pipe.next is not None]
        return max(min(due) - now, 0.0) if due else None

    def _told(self) -> bool:
        line = sys.stdin.buffer.readline()
        if not line:
            return False
        shapes = msgspec.json.decode(line, type=Shapes)
        self.forward.shape, self.backward.shape = shapes.forward, shapes.backward
        print(msgspec.json.encode(Counts(self.forward.count(), self.backward.count())).decode(), flush=True)
        return True

    def _read(self, sock: socket.socket) -> None:
        pipe, _ = self._ways[sock]
        with contextlib.suppress(OSError):  # there is no more, or the device has just gone down
            for _ in range(_AT_ONCE):
                frame, control, _, _ = sock.recvmsg(_FRAME_BYTES, 64)
                age = _age(
                    control
                )  # before the clock: should we be held up between the two, the frame is late, not early
                pipe.put(frame, time.monotonic() - age)

    def _write(self, now: float) -> None:
        for pipe, to in self._ways.values():
            for frame in pipe.due(now):
                with contextlib.suppress(OSError):  # the device is down, or its queue is full: lost, as on a wire
                    to.send(frame)


if __name__ == "__main__":
    # On time however busy the machine is: ahead of ordinary processes, and without the slack of their timers.
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    _Relay(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
