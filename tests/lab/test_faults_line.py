"""Faults of an office's line, and what each check says of them: those that are not named say that all is well."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.line import Way
from tests.lab.link import PLAIN, Shape
from tests.lab.office import CAPACITY, Office, Seen
from tests.peers import need, running, wait_until

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]

GATEWAY, CENTRE = "10.80.102.1", "10.80.1.2"
THROUGH_THE_LINE = ("line", "way", "stamp", "ping")


@pytest.fixture
def patient(office: Office) -> Iterator[Office]:
    """Routers that wait for 40 s, as is usual, before lost hellos make a line dead."""
    _wait_for_hellos(office, 40)
    yield office
    _wait_for_hellos(office, 4)


def _wait_for_hellos(office: Office, seconds: int) -> None:
    line = office.line.access
    for node, device in ((line.node, line.device), (line.to, line.far_device)):
        lines = ("configure terminal", f"interface {device}", f"ip ospf dead-interval {seconds}")
        office.province.router(node).vtysh("\n".join(lines))


def shaped(office: Office, way: Way, shape: Shape) -> None:
    """One direction of the line; the emulator is there before anybody looks."""
    office.line.shape()
    wait_until(lambda: office.see("ping").wrong == {}, "the emulator")
    office.line.shape(*((shape, PLAIN) if way == "to-node" else (PLAIN, shape)))


@pytest.mark.parametrize(
    ("way", "lossy", "whole", "words"),
    [("to-parent", "forward", "backward", "on the way there"), ("to-node", "backward", "forward", "on the way back")],
)
def test_a_fifth_is_lost_one_way(patient: Office, way: Way, lossy: str, whole: str, words: str) -> None:
    shaped(patient, way, Shape(loss=20))

    seen = patient.see(way={"count": 1000, "spacing": 0.002})

    assert seen.wrong == dict.fromkeys(THROUGH_THE_LINE, "WARN loss")
    assert seen.value("way", f"wan.loss.{lossy}") == pytest.approx(20, abs=5)
    assert seen.value("way", f"wan.loss.{whole}") == pytest.approx(0, abs=0.5)
    assert words in seen["way"].summary


def test_packets_take_300_ms_longer(patient: Office) -> None:
    bare = patient.see("line").value("line", "wan.rtt.p50")
    half = Shape(delay=0.15)
    patient.line.shape(half, half)
    wait_until(lambda: patient.see("ping").wrong == {"ping": "WARN slow"}, "the emulator")

    seen = patient.see()

    assert seen.wrong == dict.fromkeys(THROUGH_THE_LINE, "WARN slow")
    for label, metric in (("line", "wan.rtt.p50"), ("way", "wan.rtt.p50"), ("stamp", "stamp.rtt.median")):
        assert seen.value(label, metric) - bare == pytest.approx(0.3, abs=0.01)
    assert seen.value("way", "wan.loss") == 0


def test_the_line_is_congested(patient: Office) -> None:
    """Somebody in the office downloads more than the line takes: a queue of 0.1 s is before it, and is full. What finds
    no room there is lost, and whoever loses 5 % says so."""
    need("iperf3")
    seen, host, address = Seen(), patient.host, patient.node.host
    patient.line.limit(CAPACITY, "to-node", queue=0.1)
    download = ("iperf3", "-c", address, "-u", "-b", str(CAPACITY * 6 // 5), "-l", "1400", "-t", "60")
    with (
        running(host.argv("iperf3", "-s", "-B", address), ready=lambda: ":5201 " in host("ss", "-lnt")),
        running(patient.wire.centre.where.argv(*download), ready=lambda: True),
    ):
        # snmpd counts every few seconds: between two runs it may have counted nothing, or too much.
        wait_until(lambda: seen.update(patient.see()) or seen["line"].reason == "congested", "the counters", 30)

    losses = {"way": "wan.loss", "stamp": "stamp.loss", "ping": "loss"}
    lossy = {label: "WARN loss" for label, metric in losses.items() if seen.value(label, metric) >= 5}
    assert seen.wrong == {"line": "WARN congested"} | lossy
    assert seen.value("line", "ifInUtilization", "wan0") >= 90
    assert 0.08 < seen.value("line", "wan.rtt.p50") < 0.2


def test_large_packets_vanish_without_a_word(office: Office) -> None:
    office.line.blackhole(above=1400)

    seen = office.see(line={"mtu": {"expected": 1500, "every": 1}})

    assert seen.wrong == {"line": "WARN mtu-black-hole"}
    assert seen.value("line", "wan.path_mtu") == 1400
    assert "packets of more than 1400 bytes vanish without a word, 1500 are expected to pass" in seen["line"].summary


def test_loss_and_delay_are_measured_as_the_line_was_told_through_three_routers(patient: Office) -> None:
    run = {"count": 2000, "spacing": 0.002}
    shaped(patient, "to-parent", PLAIN)
    bare = patient.see("stamp").value("stamp", "stamp.rtt.median")
    before = patient.line.shape(to_parent=Shape(delay=0.02, loss=5))
    seen = patient.see("stamp", stamp=run)
    after = patient.line.shape()

    assert seen.value("stamp", "stamp.loss.forward") == pytest.approx(5, abs=1)
    assert seen.value("stamp", "stamp.loss.backward") == pytest.approx(0, abs=0.1)
    assert seen.value("stamp", "stamp.rtt.median") - bare == pytest.approx(0.020, abs=0.0005)
    # What the emulator lost is what was measured, but for a few frames of the routers' own.
    lost = after.backward.lost - before.backward.lost
    assert seen.value("stamp", "stamp.loss") == pytest.approx(100 * lost / 2000, abs=0.3)


@pytest.mark.parametrize("office", ["c1"], indirect=True)
def test_the_path_has_moved_to_the_backup(office: Office) -> None:
    before = office.see("way")
    office.line.cut()
    wait_until(lambda: office.router.way_to(CENTRE) == "wan1", "the backup line")
    wait_until(lambda: office.see("router").wrong != {}, "the router to say so")

    seen = office.see()

    assert seen["line"].state.value == "CRIT"
    assert seen.wrong == {
        "line": f"CRIT {seen['line'].reason}",  # whatever the backbone says, to which the default route leads
        "way": "WARN on-backup",
        "router": "CRIT interface-down",
    }
    assert seen["line"].summary.endswith("; the access interface wan0 is down")
    assert (before["way"].facts["line"], seen["way"].facts["line"]) == ("primary", "backup")
    assert before["way"].facts["path"] == f"10.80.101.1 10.70.101.1 10.70.11.1 {CENTRE}"
    assert seen["way"].facts["path"] == f"10.80.101.1 10.71.101.1 {CENTRE}"


def test_the_access_line_is_down(office: Office) -> None:
    office.line.cut()
    wait_until(lambda: not office.router.way_to(CENTRE), "the router to lose its way")
    wait_until(lambda: office.see("router").wrong != {}, "the router to say so")

    seen = office.see()

    # The router says so now and then: who of those that ask at once hears of it is left to chance.
    said = {seen[label].reason for label in ("line", "way", "ping")}
    assert "unreachable" in said <= {"unreachable", "timeout"}
    assert seen.wrong == {
        "line": f"CRIT {seen['line'].reason}",
        "way": f"CRIT {seen['way'].reason}",
        "stamp": "CRIT timeout",
        "ping": f"CRIT {seen['ping'].reason}",
        "router": "CRIT interface-down",
        "tunnel": "CRIT no-traffic",
    }
    assert seen["line"].summary.endswith("; the access interface wan0 is down")
    assert f"{CENTRE}: network unreachable, says {GATEWAY}" in {seen["way"].summary, seen["ping"].summary}
    assert seen["router"].summary == "c2: interface wan0 is down, must be up"
    assert seen["tunnel"].facts["verdict"] == "negotiated only"
    assert seen.value("line", "wan.loss") == seen.value("stamp", "stamp.loss") == seen.value("ping", "loss") == 100
    assert seen.value("line", "ifOperStatus", "wan0") == 2
