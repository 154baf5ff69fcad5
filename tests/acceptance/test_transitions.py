"""Devices recorded before and after something happened, on real UDP: exactly that comes out, as changes of facts.

The recordings are Zino's (Apache-2.0), beside the repository and no part of it. ``--transitions DIR`` takes another
folder of the same names, or one with a ``transitions.csv`` of its own: before, after, and the changes, as
``fact: old -> new``, separated by semicolons.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from checks.contract import Context, SystemClock, Target
from checks.model import Outcome, State
from checks.snmp import CHECK, SnmpParams
from tests.acceptance import ber
from tests.acceptance.recording import Recording
from tests.acceptance.responder import View, serving

PEER = "bgp 10.0.0.1"
HAPPENED = {
    ("linksup", "linksup"): set(),
    ("linksup", "linksdown"): {"interface 2: up -> down"},
    ("linksdown", "linksup"): {"interface 2: down -> up"},
    ("linksup", "linksadmindown"): {"interface 1: up -> disabled", "interface 2: up -> disabled"},
    ("linksadmindown", "linksup"): {"interface 1: disabled -> up", "interface 2: disabled -> up"},
    ("cisco-bfd-up", "cisco-bfd-down"): {"bfd 127.0.0.1: up -> down"},
    ("cisco-bfd-down", "cisco-bfd-up"): {"bfd 127.0.0.1: down -> up"},
} | {
    (f"{kind}-bgp{before}", f"{kind}-bgp{after}"): events
    for kind in ("general", "cisco")
    for (before, after), events in {
        ("", ""): set(),
        ("", "-oper-down"): {f"{PEER}: established since T -> idle"},
        ("-oper-down", ""): {f"{PEER}: idle -> established since T"},
        ("", "-oper-down-short"): {f"{PEER}: established since T -> idle", "boot: T -> T"},
        ("", "-admin-down"): {f"{PEER}: established since T -> idle, disabled"},
        ("-admin-down", "-admin-up"): {f"{PEER}: idle, disabled -> idle"},
        ("-admin-up", ""): {f"{PEER}: idle -> established since T"},
        ("", "-external-reset"): {f"{PEER}: established since T -> established since T"},
    }.items()
}
"""Before and after → what happened in between; T is a time."""


class WithSystem:
    """A recording of a part of a device, and what every device shows: Zino recorded only what it reads."""

    def __init__(self, recording: Recording, vendor: str) -> None:
        self._recording = recording
        shown = {1: ber.tlv(4, b"recorded"), 2: ber.value(6, f"1.3.6.1.4.1.{vendor}"), 3: ber.integer(1_000_000, 67)}
        self._system: dict[ber.Oid, bytes] = {
            name: ber.tlv(ber.SEQUENCE, ber.oid(name) + value)
            for part, value in shown.items()
            if not recording.has(".".join(map(str, name := (1, 3, 6, 1, 2, 1, 1, part, 0))))
        }

    def get(self, name: ber.Oid) -> bytes:
        return self._system.get(name) or self._recording.get(name)

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        recorded, variable = self._recording.after(name)
        ahead = [one for one in self._system if name < one and (one < recorded or recorded == name)]
        return (min(ahead), self._system[min(ahead)]) if ahead else (recorded, variable)


class Changing:
    """A device whose recording is exchanged."""

    def __init__(self, view: View) -> None:
        self.now = view

    def get(self, name: ber.Oid) -> bytes:
        return self.now.get(name)

    def after(self, name: ber.Oid) -> tuple[ber.Oid, bytes]:
        return self.now.after(name)


@pytest.fixture(scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    given = request.config.getoption("--transitions")
    if given is not None:
        assert isinstance(given, Path)
        return given
    shared = request.getfixturevalue("shared")
    assert isinstance(shared, Path)
    return shared / "zino"


def happened(folder: Path) -> dict[tuple[str, str], set[str]]:
    listed = folder / "transitions.csv"
    if not listed.exists():
        return HAPPENED
    with listed.open(encoding="utf-8", newline="") as file:
        return {
            (row["before"], row["after"]): set(filter(None, (event.strip() for event in row["events"].split(";"))))
            for row in csv.DictReader(file)
        }


def device(folder: Path, name: str) -> WithSystem:
    return WithSystem(Recording(folder / f"{name}.snmprec"), "9.1.1" if name.startswith("cisco") else "99999")


async def polled_twice(before: View, after: View) -> tuple[Outcome, Outcome]:
    changing = Changing(before)
    async with serving(changing) as (_, port):
        ctx = Context(clock=SystemClock(), timeout=10.0, memory={})
        target = Target("x", f"127.0.0.1:{port}")
        first = await CHECK.run(target, SnmpParams(), ctx)
        changing.now = after
        return first, await CHECK.run(target, SnmpParams(), ctx)


def changes(first: Outcome, second: Outcome) -> set[str]:
    return {
        re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\dZ", "T", f"{fact}: {first.facts.get(fact)} -> {second.facts.get(fact)}")
        for fact in first.facts.keys() | second.facts.keys()
        if first.facts.get(fact) != second.facts.get(fact)
    }


async def test_exactly_what_happened_to_a_device_comes_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = []
    listed = happened(folder)
    for (before, after), events in listed.items():
        found = changes(*await polled_twice(device(folder, before), device(folder, after)))
        if found != events:
            wrong.append(f"{before} then {after}: {sorted(found)}, but it was {sorted(events)}")
    with capsys.disabled():
        print(f"\n{len(listed) - len(wrong)} of {len(listed)} transitions as they happened")
    assert wrong == []


@pytest.mark.parametrize(
    ("before", "after", "state", "reason"),
    [
        ("general-bgp", "general-bgp-oper-down", State.CRIT, "session-down"),
        ("cisco-bgp", "cisco-bgp-oper-down-short", State.CRIT, "session-down"),
        ("cisco-bfd-up", "cisco-bfd-down", State.CRIT, "session-down"),
        ("cisco-bgp", "cisco-bgp-admin-down", State.OK, ""),
        ("linksup", "linksdown", State.OK, ""),
    ],
)
async def test_a_session_is_missed_that_was_up_and_that_its_operator_wants(
    shared: Path, before: str, after: str, state: State, reason: str
) -> None:
    first, second = await polled_twice(device(shared / "zino", before), device(shared / "zino", after))
    assert (first.state, second.state, second.reason) == (State.OK, state, reason)


async def test_a_session_that_the_device_tells_little_of_is_read_all_the_same(folder: Path) -> None:
    name = "missing-info-bgp"
    if not (folder / f"{name}.snmprec").exists():
        pytest.skip(f"no {name} there")
    view = WithSystem(Recording(folder / f"{name}.snmprec"), "2636.1.1.1.2.21")
    _, outcome = await polled_twice(view, view)
    assert outcome.answered
    assert outcome.state is State.OK
