from __future__ import annotations

import pytest

from collector.discovery.addresses import lldp_address


@pytest.mark.parametrize(
    ("index", "address"),
    [
        ("0.3.1.1.4.10.1.2.241", "10.1.2.241"),
        ("904213.3.12.1.10.1.2.241", "10.1.2.241"),
        ("0.3.1.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.1", "2001:db8::1"),
        ("0.3.1.6.6.0.27.33.1.2.3", ""),
        ("0.3.1.1", ""),
        ("0.3", ""),
    ],
    ids=["with its length", "without", "IPv6", "a MAC address", "none", "cut short"],
)
def test_the_address_of_a_neighbour_is_in_the_index_of_lldp(index: str, address: str) -> None:
    assert lldp_address(index) == address
