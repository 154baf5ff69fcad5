"""The command among real routers: FRR and snmpd, each with many addresses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from checks.registry import CHECKS
from checks.topology import loads
from tests.collector.discovery.site import discover
from tests.lab.layout import LOOPBACKS, describe
from tests.lab.province import Province, province
from tests.lab.router import V3_AUTH, V3_PRIV, V3_USER
from tests.lab.topology import topology_of
from tests.peers import need

pytestmark = [pytest.mark.peer, pytest.mark.root, pytest.mark.slow]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    need("ip", "snmpd", "vtysh", root=True)
    with province(describe(districts=1, communes=1), tmp_path_factory.mktemp("province")) as built:
        built.settle()
        yield built


def test_routers_are_found_once_each_whichever_of_their_addresses_answer(small: Province, tmp_path: Path) -> None:
    user = tmp_path / "user.toml"
    user.write_text(
        f'user = "{V3_USER}"\nauth = "sha256"\nauth_key = "{V3_AUTH}"\npriv = "aes128"\npriv_key = "{V3_PRIV}"\n'
    )
    topology = tmp_path / "topology.yaml"
    topology.write_text(topology_of(list(small.nodes.values()), small.nodes["centre"].host))
    lan, lines = small.nodes["c1"].lan, "10.70.0.0/25"

    ended = discover(
        small.office("c1"), LOOPBACKS, lan, lines, "--rate", "500", "--user", str(user), "--topology", str(topology)
    )

    printed = ended.stdout.splitlines()
    assert ended.stderr == ""
    assert [line for line in printed if "is there already" in line] == [
        "# 10.79.0.1 centre: is there already, device r1 of node centre",
        "# 10.79.0.11 d1: is there already, device r1 of node d1",
        "# 10.79.0.101 c1: is there already, device r1 of node c1",
    ]
    (new,) = yaml.safe_load(ended.stdout)["devices"]
    assert (new["id"], new["kind"], new["address"]) == ("tslcd1", "router", "10.79.0.9")
    assert new["checks"][0]["params"]["auth_key"] == "secret:snmp-auth"
    assert V3_AUTH not in ended.stdout

    written = yaml.safe_load(topology.read_text())
    written["nodes"][0]["devices"] = [new]
    loaded = loads(yaml.safe_dump(written, allow_unicode=True), "pasted.yaml", CHECKS)
    assert [device.id for device in loaded.nodes[0].devices] == ["r1", "tslcd1"]
