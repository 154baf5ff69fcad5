"""Runs the probe in a child process, and ends it: scapy takes 55 MB that this process must not keep."""

from __future__ import annotations

import asyncio
import dataclasses
import errno
import os
from pathlib import Path
from typing import Final

import msgspec

from checks.child import ask, script
from checks.dhcp.interface import Interface
from checks.errors import ObserverError, from_os_error

_FILE: Final = Path(__file__).with_name("probe.py")  # not imported: that would bring scapy's needs into this process
LACKING: Final = (
    "this agent may not open a packet socket on {}: it lacks CAP_NET_RAW; "
    "give it to its service (AmbientCapabilities=CAP_NET_RAW)"
)


@dataclasses.dataclass(frozen=True)
class Asking:
    """What to ask from a MAC address, an empty question not being asked, and for how many seconds to listen."""

    mac: bytes
    discover: bytes
    solicit: bytes
    window: float


class _Reply(msgspec.Struct):
    frames: list[tuple[float, str]] = []
    dropped: int = 0
    errno: int | None = None
    missing: str = ""
    bug: str = ""


@dataclasses.dataclass(frozen=True)
class Heard:
    """What came in a window: Ethernet frames, each with the seconds from the first question to its arrival, and how
    many more came than are kept."""

    frames: tuple[tuple[float, bytes], ...]
    dropped: int


async def probe(interface: Interface, asking: Asking, limit: float) -> Heard:
    """Asks on an interface. Raises ObserverError when this agent may not, cannot, or takes longer than ``limit`` s.
    Cancelled or late, the child is killed."""
    request = {
        "interface": interface.name,
        "interface_mac": interface.mac.hex(),
        "link_local": interface.link_local,
        "mac": asking.mac.hex(),
        "discover": asking.discover.hex(),
        "solicit": asking.solicit.hex(),
        "window": asking.window,
    }
    try:
        async with asyncio.timeout(limit):
            said = await ask(script(_FILE), msgspec.json.encode(request))
    except TimeoutError as error:
        raise ObserverError(
            "probe-slow",
            f"{interface.name}: the probe of {asking.window:g} s did not end within {limit:.3g} s: "
            "this host is overloaded, or give the job more time",
        ) from error
    return _heard(said, interface)


def _heard(said: bytes, interface: Interface) -> Heard:
    try:
        reply = msgspec.json.decode(said, type=_Reply)
        frames = tuple((after, bytes.fromhex(text)) for after, text in reply.frames)
    except (msgspec.MsgspecError, ValueError) as error:
        raise ObserverError("bug", f"the DHCP probe ended without an answer: {error}") from error
    if reply.missing:
        raise ObserverError(
            "not-installed", f"the DHCP probe needs {reply.missing}: install thongsuot[probes] on the agent's host"
        )
    if reply.errno in (errno.EPERM, errno.EACCES):
        raise ObserverError("no-permission", LACKING.format(interface.name))
    if reply.errno is not None:
        raise from_os_error(OSError(reply.errno, os.strerror(reply.errno)), interface.name)
    if reply.bug:
        raise ObserverError("bug", f"bug in the DHCP probe: {reply.bug.strip().splitlines()[-1]}")
    return Heard(frames, reply.dropped)
