"""The shipped province, with the far ends replaced: every router is simulated, and this host's agent measures all."""

from __future__ import annotations

import msgspec

from checks.topology import CheckEntry, Device, Node, Probe, Topology
from collector.demo.mib import RouterSpec, kilometres
from collector.demo.routers import address_of

COMMUNITY = "simulated"
SAID = (
    "bộ định tuyến mô phỏng: SNMP thật qua UDP trên máy này, nhưng không có thiết bị và đường truyền thật "
    "(simulated router: real SNMP over UDP on this host, but no device and no line behind it)"
)


def demo_topology(
    topology: Topology, *, interval: float, page: str, agents: str, ca_file: str, routers: int
) -> Topology:
    """Another topology, with the same register, whose jobs can all run on this host.

    The centre's agent polls every router each ``interval`` s, at UDP port ``routers``. Of the centre itself it measures
    this host, the page (``page``, host:port) and the certificate at the agents' address (``agents``, signed by
    ``ca_file``).
    """
    places = {node: place for place, node in enumerate(dict.fromkeys(node.id for node in topology.nodes))}
    root = next(node for node in topology.nodes if node.parent is None)
    own = (
        CheckEntry("host", interval=interval),
        CheckEntry("http", label="page", target=f"http://{page}/healthz", interval=interval),
        CheckEntry("tls", label="agents", target=agents, interval=interval * 3, params={"ca_file": ca_file}),
    )

    def staged(node: Node) -> Node:
        check = CheckEntry(
            "snmp",
            interval=interval,
            deadline=interval * 0.9,
            retry=max(1.0, interval / 3),
            params={"community": COMMUNITY, "timeout": min(2.0, interval / 2.5), "retries": 1},
        )
        router = Device("router", "router", address=f"{address_of(places[node.id])}:{routers}", checks=(check,))
        # Loopback itself answers a ping of these addresses, so a ping would prove a dark router alive.
        return msgspec.structs.replace(
            node,
            measured_by="self" if node.parent is None else root.id,
            devices=(router,),
            services=(),
            links=tuple(msgspec.structs.replace(link, checks=()) for link in node.links),
            checks=own if node.parent is None else (),
            probe=Probe(off=True),
        )

    return msgspec.structs.replace(topology, nodes=tuple(staged(node) for node in topology.nodes))


def router_specs(topology: Topology, nodes: list[str]) -> list[RouterSpec]:
    """The routers to simulate for these nodes of a demo topology."""
    by_id = {node.id: node for node in topology.nodes if node.id in set(nodes)}
    root = next(node for node in by_id.values() if node.parent is None)
    centre = root.at or (0.0, 0.0)
    specs = []
    for node in by_id.values():
        at = node.at or centre
        host, _, port = (node.router.address if node.router else "").rpartition(":")
        parent = by_id.get(node.parent or "")
        specs.append(
            RouterSpec(
                node=node.id,
                name=node.name,
                address=host,
                port=int(port),
                community=COMMUNITY,
                lat=at[0],
                lon=at[1],
                distance=kilometres(centre, at),
                parent=parent.name if parent else "",
                tunnel=node.parent is not None,
            )
        )
    return specs
