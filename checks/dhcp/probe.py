"""The child process that puts the questions on the wire and brings back the frames that came: the only place with
scapy.

It is run as a file, apart from our packages: JSON on standard input (:class:`Request`), JSON on standard output
(:class:`Reply`). It judges nothing, and ends by itself even when nobody waits for it any more.

The socket is not promiscuous. It hears broadcasts, what is sent to the interface, and what is sent to the MAC address
that we ask with, since a server may answer to that although asked to broadcast. A filter in the kernel keeps out all
that is neither DHCP for a client nor a router advertisement, so that a busy LAN costs nothing.
"""

from __future__ import annotations

import ctypes
import errno
import json
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, TypedDict

if TYPE_CHECKING:
    from scapy.arch.linux import L2Socket
    from scapy.packet import Packet

MOST_FRAMES: Final = 256
MOST_BYTES: Final = 2048
"""Of a frame; an Ethernet frame has 1,518."""

_GRACE: Final = 15
"""Seconds that a run may take beyond its window."""

_SO_ATTACH_FILTER: Final = 26  # asm-generic/socket.h
_SOL_PACKET, _ADD_MEMBERSHIP, _UNICAST = 263, 1, 3  # linux/socket.h, linux/if_packet.h

_BYTE, _HALF, _HALF_AFTER_HEADER, _HEADER = 0x30, 0x28, 0x48, 0xB1  # loads: linux/bpf_common.h
_EQUAL, _ANY_BIT, _RETURN = 0x15, 0x45, 0x06
FILTER: Final = (
    (_HALF, 0, 0, 12),  # kind of frame
    (_EQUAL, 0, 7, 0x0800),
    (_BYTE, 0, 0, 23),  # IPv4: protocol
    (_EQUAL, 0, 16, 17),
    (_HALF, 0, 0, 20),  # only a first fragment has ports
    (_ANY_BIT, 14, 0, 0x1FFF),
    (_HEADER, 0, 0, 14),
    (_HALF_AFTER_HEADER, 0, 0, 16),  # UDP: destination port
    (_EQUAL, 12, 11, 68),
    (_EQUAL, 0, 10, 0x86DD),
    (_BYTE, 0, 0, 20),  # IPv6: next header
    (_EQUAL, 6, 0, 58),
    (_EQUAL, 8, 0, 0),  # behind extension headers anything may hide: that is looked at later
    (_EQUAL, 7, 0, 43),
    (_EQUAL, 6, 0, 60),
    (_EQUAL, 0, 4, 17),
    (_HALF, 0, 0, 56),  # UDP: destination port
    (_EQUAL, 3, 2, 546),
    (_BYTE, 0, 0, 54),  # ICMPv6: type
    (_EQUAL, 1, 0, 134),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0xFFFF),
)
"""Classic BPF over an Ethernet frame: code, instructions to skip if true, if false, operand. The last two instructions
refuse and accept."""


class Request(TypedDict):
    """What to do on an interface: ask with ``discover`` from ``mac``; where there is a ``link_local`` address, ask from
    it and the interface's own ``interface_mac`` with ``solicit``, and for router advertisements; ask once more at half
    of the ``window`` s. A payload is hex, empty to not ask."""

    interface: str
    interface_mac: str
    link_local: str
    mac: str
    discover: str
    solicit: str
    window: float


class Reply(TypedDict, total=False):
    """What came of it: ``frames`` as seconds since the first question and hex, ``dropped`` those beyond
    ``MOST_FRAMES``. Or the ``errno`` of what the system refused, or the module that is ``missing``, or a ``bug``."""

    frames: list[tuple[float, str]]
    dropped: int
    errno: int
    missing: str
    bug: str


def attach(sock: socket.socket, program: Sequence[tuple[int, int, int, int]] = FILTER) -> None:
    """Has the kernel pass on to a socket only what a program accepts."""
    code = b"".join(struct.pack("@HBBI", *instruction) for instruction in program)
    held = ctypes.create_string_buffer(code)
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(held)))


def exchange(request: Request) -> Reply:
    """Asks, and listens for the window. Raises OSError when the system does not let us, ImportError without scapy."""
    from scapy.arch.linux import L2Socket  # noqa: PLC0415 - takes half a second, and may be missing

    window = request["window"]
    index = socket.if_nametoindex(request["interface"])
    questions = _questions(request)
    sock = L2Socket(iface=request["interface"], promisc=False)
    try:
        attach(sock.ins)
        mac = bytes.fromhex(request["mac"])
        sock.ins.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, struct.pack("@iHH8s", index, _UNICAST, len(mac), mac))
        begin = time.monotonic()
        reply: Reply = {"frames": [], "dropped": 0}
        for half in (1, 2):
            for question in questions:
                sock.send(question)
            _listen(sock, begin, begin + window * half / 2, reply)
        return reply
    finally:
        sock.close()


def _questions(request: Request) -> list[Packet]:
    """The frames to send."""
    from scapy.layers.inet import IP, UDP  # noqa: PLC0415 - as above
    from scapy.layers.inet6 import ICMPv6ND_RS, ICMPv6NDOptSrcLLAddr, IPv6  # noqa: PLC0415
    from scapy.layers.l2 import Ether  # noqa: PLC0415
    from scapy.packet import Raw  # noqa: PLC0415

    frames: list[Packet] = []
    own, source = bytes.fromhex(request["interface_mac"]).hex(":"), request["link_local"]
    if request["discover"]:
        ethernet = Ether(src=bytes.fromhex(request["mac"]).hex(":"), dst="ff:ff:ff:ff:ff:ff")
        ip = IP(src="0.0.0.0", dst="255.255.255.255")  # noqa: S104 - who has no address yet (RFC 2131)
        frames.append(ethernet / ip / UDP(sport=68, dport=67) / Raw(bytes.fromhex(request["discover"])))
    if source and request["solicit"]:
        servers = Ether(src=own, dst="33:33:00:01:00:02") / IPv6(src=source, dst="ff02::1:2", hlim=1)
        frames.append(servers / UDP(sport=546, dport=547) / Raw(bytes.fromhex(request["solicit"])))
        routers = Ether(src=own, dst="33:33:00:00:00:02") / IPv6(src=source, dst="ff02::2", hlim=255)
        frames.append(routers / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=own))
    return [Raw(bytes(frame)) for frame in frames]  # built before the stopwatch starts


def _listen(sock: L2Socket, begin: float, end: float, reply: Reply) -> None:
    """Keeps what comes until a moment of the monotonic clock."""
    while (left := end - time.monotonic()) > 0:
        if not select.select([sock.fileno()], [], [], left)[0]:
            return
        _, frame, _ = sock.recv_raw(MOST_BYTES)
        if not frame:
            continue
        if len(reply["frames"]) < MOST_FRAMES:
            reply["frames"].append((time.monotonic() - begin, frame.hex()))
        else:
            reply["dropped"] += 1


def main() -> None:
    """One request from standard input, one reply to standard output."""
    request: Request = json.load(sys.stdin)
    signal.alarm(int(request["window"]) + _GRACE)
    reply: Reply
    try:
        reply = exchange(request)
    except ImportError as error:
        reply = {"missing": str(error.name)}
    except OSError as error:
        reply = {"errno": error.errno or errno.ENODEV}  # Python leaves it out for an unknown interface
    except Exception:  # whatever it is, whoever asked must hear of it
        reply = {"bug": traceback.format_exc()[-2000:]}
    json.dump(reply, sys.stdout)


if __name__ == "__main__":
    main()
