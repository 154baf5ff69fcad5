"""What a topology already has, for a discovery to compare with. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import NamedTuple

from checks.topology import Node, Register


class Known(NamedTuple):
    """The device ``id`` of ``node``."""

    node: str
    id: str


class Province:
    """A register, by addresses. Of none, when there is no topology."""

    def __init__(self, register: Register | None = None) -> None:
        nodes: Mapping[str, Node] = register.nodes if register is not None else {}
        self._devices = {d.address: Known(n.id, d.id) for n in nodes.values() for d in n.devices}
        self._by_size = sorted(
            ((node.network, node) for node in nodes.values() if node.network is not None),
            key=lambda pair: -pair[0].prefixlen,
        )

    def device(self, *addresses: str) -> Known | None:
        """The first device that has one of the addresses."""
        return next((self._devices[address] for address in addresses if address in self._devices), None)

    def node(self, address: str) -> Node | None:
        """The node whose prefix an address is in; of several the smallest prefix's."""
        one = ipaddress.ip_address(address)
        return next((node for net, node in self._by_size if one.version == net.version and one in net), None)
