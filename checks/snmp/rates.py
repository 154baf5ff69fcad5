"""From counters to rates: never negative, never faster than a port can be. Pure.

A rate is left out, rather than guessed, when the device or the counter started anew in between.
"""

from __future__ import annotations

from typing import Final

import msgspec

from checks.snmp.mib import MAX_SPEED
from checks.snmp.tables import Count, Interface

TICKS: Final = 2**32
"""sysUpTime counts hundredths of a second modulo this: 497 days."""

FRAME_BITS: Final = 672
"""The shortest Ethernet frame with its preamble and gap: what bounds packets by bits."""

_MIN_ELAPSED: Final = 0.1


class Snapshot(msgspec.Struct, frozen=True):
    """What one run saw. ``at`` is the observer's monotonic clock in seconds, ``up_time`` sysUpTime in hundredths
    (None when not told), ``boot`` when the device started, in minutes of Unix time."""

    at: float
    up_time: int | None
    boot: int | None
    interfaces: tuple[Interface, ...]


def rebooted(before: Snapshot, at: float, up_time: int | None) -> bool:
    """Whether the device started anew since a snapshot: its sysUpTime is behind of what it should be by now. A wrap at
    2^32 hundredths (497 days) is none, as long as it comes when it must."""
    if before.up_time is None or up_time is None:
        return False
    elapsed = at - before.at
    expected = before.up_time + elapsed * 100
    tolerance = 1000 + elapsed  # 10 s, and 1 % for the drift of two clocks
    if up_time >= before.up_time:
        return up_time < expected - tolerance and not _near(up_time, expected, tolerance)
    return not _near(up_time, expected, tolerance)


def _near(up_time: int, expected: float, tolerance: float) -> bool:
    distance = abs(up_time - expected) % TICKS
    return min(distance, TICKS - distance) <= tolerance


def elapsed_between(before: Snapshot, at: float, up_time: int | None) -> float:
    """Seconds between two snapshots of one boot: by the device's clock, which stamps the counters more closely; by
    ours when the device's differs too much to be a clock."""
    ours = at - before.at
    if before.up_time is None or up_time is None:
        return ours
    device = ((up_time - before.up_time) % TICKS) / 100
    return device if abs(device - ours) <= max(2.0, 0.1 * ours) else ours


def running_for(up_time: int | None, host_up_time: int | None, engine_time: int | None) -> int | None:
    """Hundredths of a second since the device started, as far as its witnesses tell (see System); None when none does.

    hrSystemUptime is the host's, where sysUpTime is that of an SNMP agent that may be restarted alone. What wraps after
    497 days is made whole by snmpEngineTime where that runs in step with it.
    """
    shown = host_up_time if host_up_time is not None else up_time
    if shown is None or engine_time is None:
        return shown
    laps = round((engine_time * 100 - shown) / TICKS)
    whole = shown + laps * TICKS
    return whole if laps > 0 and abs(engine_time * 100 - whole) <= 0.001 * whole + 6000 else shown


def boot_minute(
    before: Snapshot | None, at: float, up_time: int | None, now: int, running: int | None = None
) -> int | None:
    """When the device started, in minutes of Unix time; ``now`` is Unix ms. It stays the same from run to run until the
    device reboots, although clocks drift and sysUpTime wraps. ``running`` is what :func:`running_for` tells."""
    if up_time is None:
        return None if before is None else before.boot
    if before is not None and before.boot is not None and not rebooted(before, at, up_time):
        return before.boot
    return round((now - (up_time if running is None else running) * 10) / 60_000)


def rates(before: Snapshot | None, now: Snapshot) -> dict[str, dict[str, float]]:
    """Interface name → name of the rate → bit/s for octets, 1/s for packets. Interfaces are matched by name: an
    ifIndex may be given to another one (RFC 2863, 3.1.5)."""
    if before is None or rebooted(before, now.at, now.up_time):
        return {}
    elapsed = elapsed_between(before, now.at, now.up_time)
    if elapsed < _MIN_ELAPSED:
        return {}
    known = {interface.name: interface for interface in before.interfaces}
    return {
        interface.name: _rates_of(known[interface.name], interface, elapsed)
        for interface in now.interfaces
        if interface.name in known and known[interface.name].discontinuity == interface.discontinuity
    }


def _rates_of(before: Interface, now: Interface, elapsed: float) -> dict[str, float]:
    speed = now.speed if now.speed == before.speed else 0.0
    found: dict[str, float] = {}
    for name, count in now.counters.items():
        previous = before.counters.get(name)
        if previous is None:
            continue
        octets = name.endswith("Bits")
        per_second = increase(
            previous,
            count,
            elapsed,
            speed=speed / (8 if octets else FRAME_BITS),
            ceiling=MAX_SPEED / (8 if octets else FRAME_BITS),
        )
        if per_second is not None:
            found[name] = per_second * 8 if octets else per_second
    return found


def increase(before: Count, now: Count, elapsed: float, *, speed: float, ceiling: float) -> float | None:
    """Counts per second, or None when the counter was reset in between or cannot be trusted.

    ``speed`` is the most that the link can count per second, 0 when unknown; ``ceiling`` the most that any can. A
    32-bit counter that went back has wrapped if the link could have counted that far, but not round twice; a 64-bit
    counter does not wrap in a device's life. An increase is believed beyond ``speed``, since routers let the operator
    write any number there and tunnels make one up; beyond ``ceiling`` the counter was set, and it is no traffic.
    """
    if before.bits != now.bits:
        return None
    delta = now.value - before.value
    if delta < 0:
        if now.bits != 32 or before.value >= 2**32:
            return None
        delta += 2**32
        if not delta <= speed * elapsed < 2**32:
            return None
    per_second = delta / elapsed
    return per_second if per_second <= ceiling else None
