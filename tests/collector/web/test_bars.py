from __future__ import annotations

from collector.web.bars import pools
from tests.collector.web.measured import job


def test_the_fullest_dhcp_pool_comes_first_with_its_addresses() -> None:
    measured = job(
        "dhcp",
        "lan",
        ("dhcp.pool.utilization", "10.0.1.0/24", 12.5, "%"),
        ("dhcp.pool.utilization", "10.0.2.0/24", 90.0, "%"),
        ("dhcp.pool.used", "10.0.2.0/24", 180.0, "1"),
        ("dhcp.pool.total", "10.0.2.0/24", 200.0, "1"),
    )
    found = [(bar.name, bar.percent, bar.written, bar.note) for bar in pools([measured], "vi")]
    assert found == [("10.0.2.0/24", 90.0, "90 %", "180 / 200"), ("10.0.1.0/24", 12.5, "12,5 %", "")]


def test_a_bar_never_leaves_its_frame() -> None:
    (bar,) = pools([job("dhcp", "lan", ("dhcp.pool.utilization", "a", 104.0, "%"))], "vi")
    assert (bar.percent, bar.written) == (100.0, "104 %")
