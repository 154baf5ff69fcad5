from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from checks.registry import CHECKS
from checks.topology import load
from tests.lab.layout import LANS, LINES, LOOPBACKS, describe, ends_at
from tests.lab.router import frr_config
from tests.lab.topology import topology_of


def test_communes_are_shared_out_and_the_first_of_each_district_has_a_backup_line() -> None:
    nodes = describe(districts=2, communes=5)

    assert [(node.name, node.parent, node.backup) for node in nodes if node.tier == "commune"] == [
        ("c1", "d1", "centre"),
        ("c2", "d1", None),
        ("c3", "d1", None),
        ("c4", "d2", "centre"),
        ("c5", "d2", None),
    ]


@pytest.mark.parametrize(("districts", "communes"), [(0, 1), (2, 1), (90, 100), (8, 155)])
def test_what_has_no_addresses_is_refused(districts: int, communes: int) -> None:
    with pytest.raises(ValueError, match=f"not {districts} and {communes}"):
        describe(districts, communes)


def test_no_address_is_given_twice_and_each_is_where_the_plan_says() -> None:
    nodes = describe(districts=8, communes=108)
    lines = [line for node in nodes for line in node.lines]
    plan = {
        LINES: [end for line in lines for end in (line.address, line.far_address)],
        LOOPBACKS: [node.loopback for node in nodes],
        LANS: [address for node in nodes for address in (node.gateway, node.host)],
    }
    for network, addresses in plan.items():
        assert len(set(addresses)) == len(addresses)
        assert all(ipaddress.ip_address(address) in ipaddress.ip_network(network) for address in addresses)


def test_the_names_of_devices_are_unique_at_a_router_and_fit_the_kernel() -> None:
    nodes = describe(districts=1, communes=154)
    for node in nodes:
        names = [end.device for end in ends_at(node.name, nodes)]
        assert len(set(names)) == len(names)
        assert max(map(len, names)) <= 15


def test_ospf_stays_inside_the_province_and_bgp_outside() -> None:
    nodes = {node.name: node for node in describe(districts=1, communes=1)}
    config = {name: frr_config(node, list(nodes.values())) for name, node in nodes.items()}

    assert [name for name in config if "router bgp" in config[name]] == ["tslcd1", "centre"]
    assert [name for name in config if "router ospf" in config[name]] == ["centre", "d1", "c1"]
    assert "interface wan0" not in config["centre"], "its line to the backbone has no OSPF"
    assert "interface to-c1-b\n ip ospf area 0" in config["centre"]
    assert "interface to-d1-b" not in config["centre"]


def test_the_collector_takes_the_topology_of_a_lab(tmp_path: Path) -> None:
    nodes = describe(districts=2, communes=4)
    path = tmp_path / "topology.yaml"
    path.write_text(topology_of(nodes, "10.80.1.2"))

    topology = load(path, CHECKS)

    assert [node.id for node in topology.nodes] == [node.name for node in nodes if node.tier != "backbone"]
    assert all(node.has_agent for node in topology.nodes)
