"""Jobs that measured what a test says they did."""

from __future__ import annotations

from collections.abc import Mapping

from collector.view import JobView, MetricView, StateWord
from tests.collector.web.province import NOW

Number = tuple[str, str, float, str]
"""A metric: name, instance, value, unit."""


def job(
    check: str,
    label: str,
    *numbers: Number,
    facts: Mapping[str, str] | None = None,
    state: StateWord = "OK",
    answered: bool = True,
    stale: bool = False,
) -> JobView:
    return JobView(
        id=f"c01834/{check}/{label}",
        check=check,
        label=label,
        target="10.66.1.1",
        measured_by="c01834",
        interval=10,
        state=state,
        reason="",
        summary="",
        answered=answered,
        at=NOW - 5_000,
        since=NOW - 60_000,
        stale=stale,
        facts=dict(facts or {}),
        metrics=[MetricView(*number) for number in numbers],
    )


def router() -> JobView:
    """A firewall as FortiGate and IOS-XE recordings read, made small."""
    return job(
        "snmp",
        "r1",
        ("system.uptime", "", 601_982.38, "s"),
        *(("system.cpu.utilization", f"core {n}", float(n), "%") for n in range(8)),
        ("system.memory.utilization", "memory", 43.0, "%"),
        ("system.memory.usage", "memory", 3.6e9, "By"),
        ("system.memory.limit", "memory", 8.4e9, "By"),
        ("count", "sessions", 1449.0, "1"),
        ("hw.temperature", "CPU Core 0", 62.0, "Cel"),
        ("hw.state", "CPU Core 0", 0.0, "1"),
        ("hw.power", "ether1 PoE", 9.1, "W"),
        ("hw.voltage", "ether1 PoE", 48.7, "V"),
        ("hw.fan.speed", "FAN1", 7200.0, "1/min"),
        ("hw.state", "RPS 12V", 3.0, "1"),
        ("bgp.up", "10.45.1.1", 1.0, "1"),
        ("bgp.uptime", "10.45.1.1", 3_892_134.0, "s"),
        ("bgp.up", "10.45.1.2", 0.0, "1"),
        ("bgp.up", "10.45.1.3", 0.0, "1"),
        ("ipsec.up", "site#3", 1.0, "1"),
        ("ifOperStatus", "wan0", 1.0, "1"),
        facts={
            "model": "FGT_500D",
            "serial": "FGT5HD3916803570",
            "version": "v5.6.6",
            "sysName": "fw-01834",
            "interface wan0": "up",
            "bgp 10.45.1.1": "established since 2026-10-09T19:17Z",
            "bgp 10.45.1.2": "active",
            "bgp 10.45.1.3": "idle, disabled",
            "lldp ether2": "sw1 ge-0/0/1, sw2 ge-0/0/2",
        },
    )
