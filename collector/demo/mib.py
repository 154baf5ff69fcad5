"""What a simulated router of a commune or district says of itself: the system group and its interfaces."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pysnmp.proto import rfc1902  # type: ignore[import-untyped]  # pysnmp ships no types

from collector.demo.responder import Moment, Oid, Read, Value, View
from collector.demo.traffic import Flow

_SYSTEM: Final = (1, 3, 6, 1, 2, 1, 1)
_IF_NUMBER: Final = (1, 3, 6, 1, 2, 1, 2, 1, 0)
_IF_ENTRY: Final = (1, 3, 6, 1, 2, 1, 2, 2, 1)
_IF_X_ENTRY: Final = (1, 3, 6, 1, 2, 1, 31, 1, 1, 1)
_PYSNMP: Final = (1, 3, 6, 1, 4, 1, 20408)
"""sysObjectID: the enterprise of pysnmp, whose engine answers. There is no vendor."""

_ETHERNET, _LOOPBACK, _TUNNEL = 6, 24, 131
"""ifType (IANAifType-MIB)."""
_UP, _DOWN = 1, 2
_TRUE, _FALSE = 1, 2
_IN_PACKET, _OUT_PACKET = 780, 240
"""Mean bytes of a packet that offices fetch and send."""
_LOSSES: Final = 3e-7
"""The part of a WAN's packets that is damaged on the way."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterSpec:
    """A router to simulate. ``node`` is the node's id, ``name`` the place's name, ``parent`` that of its parent;
    ``distance`` is kilometres to the centre, from which the delay of its answers follows; ``wan_speed`` is bit/s."""

    node: str
    name: str
    address: str
    port: int = 16161
    community: str
    lat: float
    lon: float
    distance: float
    parent: str = ""
    wan_speed: int = 100_000_000
    tunnel: bool = False


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The great-circle distance of two (latitude, longitude) in degrees, by the haversine formula."""
    (lat1, lon1), (lat2, lon2) = (tuple(map(math.radians, point)) for point in (a, b))
    half = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * 6371.0 * math.asin(math.sqrt(half))


@dataclass(frozen=True, slots=True)
class Interface:
    """A row of ifTable and ifXTable. ``speed`` is bit/s; ``losses`` is the part of its packets that is in error."""

    index: int
    name: str
    alias: str
    kind: int
    speed: int
    came: Flow
    went: Flow
    mtu: int = 1500
    up: bool = True
    losses: float = 0.0


def interfaces(spec: RouterSpec, seed: int) -> tuple[Interface, ...]:
    """The router's interfaces: what its offices fetch comes in by the WAN and goes out by the LAN."""
    chance = random.Random(f"{seed}/{spec.node}/traffic")  # noqa: S311 - a simulation, no secret
    fetched = Flow.noisy(spec.wan_speed / 8 * chance.uniform(0.15, 0.65), chance)
    sent = Flow.noisy(fetched.busy_rate * chance.uniform(0.12, 0.4), chance)
    local = Flow.noisy(40.0, chance)
    still = Flow(0.0, 0.0, ())
    wan = f"Đường truyền tới {spec.parent}" if spec.parent else "Đường truyền lên cấp trên"
    rows = [
        Interface(1, "lo0", "", _LOOPBACK, 0, local, local, mtu=65_535),
        Interface(2, "ge0/0", wan, _ETHERNET, spec.wan_speed, fetched, sent, losses=_LOSSES),
        Interface(3, "ge0/1", f"Mạng LAN {spec.name}", _ETHERNET, 10**9, _part(sent, 1.03), _part(fetched, 1.01)),
        Interface(4, "ge0/2", "Dự phòng", _ETHERNET, 10**9, still, still, up=False),
    ]
    if spec.tunnel:
        carried = _part(fetched, 0.7), _part(sent, 0.8)
        rows.append(Interface(5, "tun0", "VPN tới trung tâm", _TUNNEL, spec.wan_speed, *carried, mtu=1400))
    return tuple(rows)


def _part(flow: Flow, of: float) -> Flow:
    return Flow(flow.busy_rate * of, flow.ahead, flow.waves)


def view(spec: RouterSpec, seed: int) -> View:
    """Everything that a router answers, in SNMPv2-MIB (RFC 3418) and IF-MIB (RFC 2863)."""
    rows = interfaces(spec, seed)
    variables: dict[Oid, Value | Read] = {
        (*_SYSTEM, 1, 0): _text("Thông Suốt demo router (simulated)"),
        (*_SYSTEM, 2, 0): rfc1902.ObjectIdentifier(_PYSNMP),
        (*_SYSTEM, 3, 0): _up_time,
        (*_SYSTEM, 4, 0): _text("Trung tâm điều hành mạng (simulated)"),
        (*_SYSTEM, 5, 0): _text(f"rt-{spec.node}"),
        (*_SYSTEM, 6, 0): _text(f"{spec.name} ({spec.lat:.4f}, {spec.lon:.4f})"),
        (*_SYSTEM, 7, 0): rfc1902.Integer32(6),  # sysServices: layers 2 and 3
        _IF_NUMBER: rfc1902.Integer32(len(rows)),
    }
    for row in rows:
        for column, value in _if_entry(row).items():
            variables[*_IF_ENTRY, column, row.index] = value
        for column, value in _if_x_entry(row).items():
            variables[*_IF_X_ENTRY, column, row.index] = value
    return View(variables)


def _if_entry(row: Interface) -> dict[int, Value | Read]:
    """ifEntry by column; without those that RFC 2863 deprecates."""
    nothing = rfc1902.Counter32(0)
    return {
        1: rfc1902.Integer32(row.index),
        2: _text(row.name),
        3: rfc1902.Integer32(row.kind),
        4: rfc1902.Integer32(row.mtu),
        5: rfc1902.Gauge32(min(row.speed, 2**32 - 1)),
        6: rfc1902.OctetString(_physical_address(row)),
        7: rfc1902.Integer32(_UP if row.up else _DOWN),
        8: rfc1902.Integer32(_UP if row.up else _DOWN),
        9: rfc1902.TimeTicks(0),
        10: _counter32(_bytes(row.came)),
        11: _counter32(_bytes(row.came, 1 / _IN_PACKET)),
        13: nothing,
        14: _counter32(_bytes(row.came, row.losses / _IN_PACKET)) if row.losses else nothing,
        15: nothing,
        16: _counter32(_bytes(row.went)),
        17: _counter32(_bytes(row.went, 1 / _OUT_PACKET)),
        19: nothing,
        20: nothing,
    }


def _if_x_entry(row: Interface) -> dict[int, Value | Read]:
    """ifXEntry by column; without multicast and broadcast, which are not simulated."""
    return {
        1: _text(row.name),
        6: _counter64(_bytes(row.came)),
        7: _counter64(_bytes(row.came, 1 / _IN_PACKET)),
        10: _counter64(_bytes(row.went)),
        11: _counter64(_bytes(row.went, 1 / _OUT_PACKET)),
        14: rfc1902.Integer32(_TRUE),
        15: rfc1902.Gauge32(row.speed // 1_000_000),
        16: rfc1902.Integer32(_FALSE),
        17: rfc1902.Integer32(_TRUE if row.kind == _ETHERNET else _FALSE),
        18: _text(row.alias, 64),
        19: rfc1902.TimeTicks(0),
    }


def _text(text: str, most: int = 255) -> Value:
    """An OCTET STRING of UTF-8, cut between letters at ``most`` bytes."""
    return rfc1902.OctetString(text.encode()[:most].decode(errors="ignore").encode())


def _physical_address(row: Interface) -> bytes:
    """A locally administered MAC address; empty where there is none."""
    return bytes((2, 0, 0, 0, 0, row.index)) if row.kind == _ETHERNET else b""


def _up_time(moment: Moment) -> Value:
    """sysUpTime: hundredths of a second since the device runs, which wrap after 497 days."""
    return rfc1902.TimeTicks((moment.at - moment.booted_at) // 10 % 2**32)


def _bytes(flow: Flow, scale: float = 1.0) -> Callable[[Moment], int]:
    def count(moment: Moment) -> int:
        return int((flow.volume(moment.at / 1000) - flow.volume(moment.booted_at / 1000)) * scale)

    return count


def _counter32(count: Callable[[Moment], int]) -> Read:
    def read(moment: Moment) -> Any:
        return rfc1902.Counter32(count(moment) % 2**32)

    return read


def _counter64(count: Callable[[Moment], int]) -> Read:
    def read(moment: Moment) -> Any:
        return rfc1902.Counter64(count(moment))

    return read
