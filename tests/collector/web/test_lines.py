from __future__ import annotations

from collector.view import LinkView
from collector.web.lines import Line, lines
from tests.collector.web.measured import job

PRIMARY = LinkView("wan1", "wan", "primary", "d058", "isp-a")
BACKUP = LinkView("wan2", "wan", "backup", "d058", "isp-b")
VPN = LinkView("tunnel", "vpn", "backup", "bk", "")
QUALITY = (
    ("wan.loss", "", 2.0, "%"),
    ("wan.rtt.p50", "", 0.018, "s"),
    ("wan.rtt.p50", "window", 0.5, "s"),
    ("ifInUtilization", "ge0/0", 41.0, "%"),
    ("ifOutUtilization", "ge0/0", 93.0, "%"),
)


def test_a_line_shows_its_state_loss_round_trip_and_load() -> None:
    (line,) = lines([PRIMARY], [job("wan", "wan1", *QUALITY, state="WARN")], "vi")
    assert line == Line(PRIMARY, "WARN", "", None, "18 ms", "2 %", "41 %", "93 %")


def test_the_line_that_packets_take_is_told_by_any_path_of_the_node() -> None:
    way = job("wan", "centre", facts={"line": "backup"}, state="WARN")
    assert [line.carries for line in lines([PRIMARY, BACKUP], [way], "vi")] == [False, True]


def test_a_tunnel_is_no_line_and_of_two_backups_nobody_knows_which_is_taken() -> None:
    way = job("wan", "centre", facts={"line": "backup"}, state="WARN")
    other = LinkView("wan3", "wan", "backup", "d058", "isp-c")
    assert [line.carries for line in lines([PRIMARY, BACKUP, VPN], [way], "vi")] == [False, True, None]
    assert [line.carries for line in lines([PRIMARY, BACKUP, other], [way], "vi")] == [False, None, None]


def test_nobody_says_which_line_is_in_use_from_an_old_path_or_none() -> None:
    old = job("wan", "centre", facts={"line": "backup"}, stale=True)
    cut = job("wan", "centre", facts={"line": "backup"}, answered=False, state="CRIT")
    for jobs in ([old], [cut], []):
        assert [line.carries for line in lines([PRIMARY, BACKUP], jobs, "vi")] == [None, None]


def test_a_tunnel_shows_its_verdict() -> None:
    tunnel = job("vpn", "tunnel", ("vpn.loss", "", 100.0, "%"), facts={"verdict": "negotiated only"}, state="CRIT")
    (line,) = lines([VPN], [tunnel], "vi")
    assert (line.state, line.verdict, line.loss, line.rtt) == ("CRIT", "negotiated only", "100 %", "")


def test_what_wan_measures_goes_before_a_ping_and_the_worst_state_before_both() -> None:
    ping = job("ping", "wan1", ("rtt", "", 0.3, "s"), ("loss", "", 9.0, "%"), state="CRIT")
    (line,) = lines([PRIMARY], [ping, job("wan", "wan1", *QUALITY)], "vi")
    assert (line.state, line.rtt, line.loss) == ("CRIT", "18 ms", "2 %")


def test_a_link_that_nothing_is_measured_of_has_its_name_alone() -> None:
    assert lines([PRIMARY], [job("ping", "wan10"), job("snmp", "wan1")], "vi") == [Line(PRIMARY)]
