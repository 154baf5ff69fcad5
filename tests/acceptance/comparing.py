"""What LibreNMS reads from a recorded device beside what we read, row by row. Pure.

The expected values are those of ``expected/NAME.json``: see ``ports``, ``processors``, ``mempools``, ``sensors``,
``bgpPeers``, ``ospf_nbrs`` and ``ipsec_tunnels`` there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from checks.snmp.mib import IF_DESCR, IF_NAME, IF_OPER_STATUS, OPER_STATUS, UNKNOWN_SPEED
from checks.snmp.points import Condition, Gauge, Pool, Reading, Relation, address
from checks.snmp.tables import Interface

BARS: Final = {
    "ifName": 100.0,
    "ifDescr": 99.7,
    "admin status": 99.9,
    "oper status": 99.9,
    "speed": 99.0,
    "octets": 100.0,
    "CPU": 99.0,
    "memory": 95.0,
    "sensors": 95.0,
    "BGP": 100.0,
    "OSPF": 100.0,
    "IPsec": 100.0,
}
"""How many rows in a hundred must agree."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One value that LibreNMS has, and ours."""

    quantity: str
    which: str
    expected: object
    ours: object
    same: bool


def compared(
    expected: Mapping[str, Any],
    recorded: Callable[[str], bool],
    interfaces: Sequence[Interface],
    readings: Sequence[Reading],
) -> Iterator[Row]:
    """Every value that LibreNMS has of a device. ``recorded`` says whether the device has an OID. Ports that it has not
    in IF-MIB at all, LibreNMS makes up from the maker's tables: those are left out."""
    by_index = {interface.index: interface for interface in interfaces}
    for port in expected["ports"]:
        index = port["ifIndex"]
        if any(recorded(f"{column}.{index}") for column in (IF_NAME, IF_DESCR, IF_OPER_STATUS)):
            yield from _port(port, by_index.get(index))
    by_oid = {reading.oid: reading for reading in readings}
    for processor in expected["processors"]:
        yield _number("CPU", processor["processor_oid"], processor["processor_usage"], by_oid, kind="cpu", within=1.0)
    pools = [reading for reading in readings if isinstance(reading, Pool)]
    for pool in expected["mempools"]:
        yield _pool(pool, pools)
    for sensor in expected["sensors"]:
        yield _sensor(sensor, by_oid)
    relations = [reading for reading in readings if isinstance(reading, Relation)]
    for peer in expected["bgpPeers"]:
        wanted = ("bgp", address(peer["bgpPeerIdentifier"]), peer["bgpPeerState"], peer["bgpPeerRemoteAs"])
        yield _among("BGP", wanted, [(r.kind, r.peer, r.word, r.asn) for r in relations])
    for peer in expected["ospf_nbrs"]:
        wanted_ospf = ("ospf", address(peer["ospfNbrIpAddr"]), peer["ospfNbrState"])
        yield _among("OSPF", wanted_ospf, [(r.kind, r.peer, r.word) for r in relations])
    for tunnel in expected["ipsec_tunnels"]:
        wanted_tunnel = ("ipsec", tunnel["tunnel_name"], address(tunnel["peer_addr"]), tunnel["tunnel_status"])
        yield _among("IPsec", wanted_tunnel, [(r.kind, r.name, r.peer, r.word) for r in relations])


def _port(port: Mapping[str, Any], ours: Interface | None) -> Iterator[Row]:
    which = f"ifIndex {port['ifIndex']}"
    if ours is None:
        yield from (Row(quantity, which, "", None, same=False) for quantity in list(BARS)[:6])
        return
    name, descr = _plain(port["ifName"] or port["ifDescr"]), _plain(port["ifDescr"] or port["ifName"])
    names = {_plain(ours.name), _plain(ours.name.rpartition("#")[0])}  # several of one name get #ifIndex
    yield Row("ifName", which, name, ours.name, name in names)
    yield Row("ifDescr", which, descr, ours.descr, descr == _plain(ours.descr) or (not ours.descr and descr in names))
    for quantity, told, state in (
        ("admin status", port["ifAdminStatus"], ours.admin),
        ("oper status", port["ifOperStatus"], ours.oper),
    ):
        yield Row(
            quantity, which, told, state, told in (OPER_STATUS.get(state), str(state)) or (not told and not state)
        )
    speed = port["ifSpeed"] or 0
    # ifSpeed's "too fast to tell" is no speed where ifHighSpeed does not tell it either (RFC 2863, 3.1.7).
    speed = 0 if speed == UNKNOWN_SPEED else speed
    yield Row("speed", which, speed, ours.speed, abs(ours.speed - speed) <= 0.01 * speed)
    for key, counter in (("ifInOctets", "ifInBits"), ("ifOutOctets", "ifOutBits")):
        count = ours.counters.get(counter)
        value = count.value if count else 0  # what a device does not count is 0 in LibreNMS's database
        yield Row("octets", f"{which} {key}", port[key], value, (port[key] or 0) == value)


def _plain(name: str | None) -> str:
    """A name without what LibreNMS and we trim in different ways: quotes and backslashes around it, white space."""
    return " ".join((name or "").strip('\\" ').split())


def _number(
    quantity: str, oid: str, told: float | None, by_oid: Mapping[str, Reading], *, kind: str, within: float
) -> Row:
    ours = by_oid.get(oid.lstrip("."))
    value = ours.value if isinstance(ours, Gauge) and ours.kind == kind else None
    return Row(quantity, oid, told, value, told is not None and value is not None and abs(value - told) <= within)


def _pool(pool: Mapping[str, Any], pools: Sequence[Pool]) -> Row:
    """A pool is known by its size and fill, since LibreNMS gives it another name and no OID. In % alone it has 100."""
    total, percent = float(pool["mempool_total"]), float(pool["mempool_perc"])
    same = [
        one
        for one in pools
        if abs(one.percent - percent) <= 1
        and (total == 100 or (one.total is not None and abs(one.total - total) <= 0.001 * total))
    ]
    return Row("memory", pool["mempool_descr"], (percent, total), same[:1] or pools, bool(same))


def _sensor(sensor: Mapping[str, Any], by_oid: Mapping[str, Reading]) -> Row:
    oid, kind, told = sensor["sensor_oid"], sensor["sensor_class"], sensor["sensor_current"]
    which = f"{kind} {sensor['sensor_descr']}"
    ours = by_oid.get(oid.lstrip("."))
    if isinstance(ours, Condition | Relation):
        # A state that the device writes as a word has a number in LibreNMS alone.
        same = kind == "state" and (not ours.code.lstrip("-").isdigit() or float(ours.code) == told)
        return Row("sensors", which, told, ours.code, same)
    if told is None:
        return Row("sensors", which, told, ours, ours is None)
    row = _number("sensors", oid, told, by_oid, kind=kind, within=0.001 * abs(told) + 0.005)
    return dataclasses.replace(row, which=which)


def _among(quantity: str, wanted: tuple[object, ...], ours: Sequence[tuple[object, ...]]) -> Row:
    near = [one for one in ours if one[:2] == wanted[:2]]
    return Row(quantity, str(wanted[1]), wanted, near, wanted in ours)
