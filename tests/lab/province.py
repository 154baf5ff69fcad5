"""A province that runs on this machine: its description in, real routers with real lines between them out."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.layout import LAN, Node, Role, ends_at
from tests.lab.line import Line, join, lay
from tests.lab.netns import Namespace, batch, end, inhabitants, namespaces, remove
from tests.lab.router import Router, folders, forget, start
from tests.peers import wait_until

_WORKERS = 4
"""Most of the time of a start is spent waiting for daemons that put themselves into the background."""
_NAMESPACES = "namespaces"
"""The file that names them, for :func:`sweep`."""
_PORT = "lan0"
"""The router's device for the office's host."""


@dataclasses.dataclass(frozen=True)
class Province:
    """A running province. The names are those of its nodes."""

    nodes: Mapping[str, Node]
    routers: Mapping[str, Router]
    offices: Mapping[str, Namespace]
    lines: Mapping[tuple[str, Role], Line]
    provider: Namespace

    def router(self, node: str) -> Router:
        """The router of a node."""
        return self.routers[node]

    def office(self, node: str) -> Namespace:
        """The office's host at a node: its device ``lan`` has the address ``nodes[node].host``."""
        return self.offices[node]

    def line(self, node: str, role: Role = "primary") -> Line:
        """A line of a node."""
        return self.lines[node, role]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """The names of all its namespaces."""
        all_of_them = (*self.routers.values(), *self.offices.values(), self.provider)
        return tuple(one.name for one in all_of_them)

    @property
    def processes(self) -> list[int]:
        """The ids of all its processes."""
        return inhabitants(self.namespaces)

    def plug(self, node: str, host: Namespace, address: str, port: str = "lan1") -> None:
        """Joins one more host to the LAN of a node, by its device ``lan``, with an address such as 10.80.101.66/24.
        ``port`` is the router's device for it."""
        router = self.router(node)
        batch([_plug(router, host, port)])
        router.batch([_bridge(port)])
        host.address(LAN, address)

    def settle(self, seconds: float = 30.0) -> None:
        """Waits until every router knows the way to every other, and none leads over a backup line."""
        for router in self.routers.values():
            # What is beyond the province, its own routers know by the default route alone.
            wanted = {
                "default" if other.tier == "backbone" else other.loopback
                for other in self.nodes.values()
                if other is not router.node
            }
            knows = functools.partial(_knows, router, wanted)
            wait_until(knows, f"{router.name} to know the way to {', '.join(sorted(wanted))}", seconds)
            for primary, backup in itertools.pairwise(router.node.lines):
                leads = functools.partial(_leads, router, self.nodes[backup.to].loopback, primary.device)
                wait_until(leads, f"{router.name} to use its primary line", seconds)


def _knows(router: Router, wanted: set[str]) -> bool:
    return wanted <= {str(route["dst"]) for route in json.loads(router("ip", "-j", "route", "show"))}


def _leads(router: Router, address: str, device: str) -> bool:
    return router.way_to(address) == device


@contextlib.contextmanager
def province(nodes: Sequence[Node], folder: Path) -> Iterator[Province]:
    """Builds a province, with its files in a folder, and removes it to the last process. Its routers run when it is
    given, and may still look for each other: see :meth:`Province.settle`."""
    offices = [node for node in nodes if node.office]
    names = [*(node.name for node in nodes), *(f"{node.name}-office" for node in offices), "provider"]
    with contextlib.ExitStack() as undo:
        made = dict(zip(names, undo.enter_context(namespaces(*names)), strict=True))
        provider = made["provider"]
        lines = [
            Line(line, provider, undo.enter_context(contextlib.ExitStack())) for node in nodes for line in node.lines
        ]
        built = Province(
            {node.name: node for node in nodes},
            {node.name: Router(made[node.name].name, node) for node in nodes},
            {node.name: made[f"{node.name}-office"] for node in offices},
            {(line.access.node, line.access.role): line for line in lines},
            provider,
        )
        (folder / _NAMESPACES).write_text("\n".join(built.namespaces))
        undo.enter_context(folders([router.name for router in built.routers.values()]))
        undo.callback(lambda: end(built.processes))  # before the folders that they use
        _wire(built)
        _each(lambda router: _start(built, router, folder), built.routers.values())
        yield built


def sweep(folder: Path) -> None:
    """Ends and removes what the province with its files in this folder left when its process was killed."""
    if (folder / _NAMESPACES).exists():
        names = (folder / _NAMESPACES).read_text().split()
        remove(names)
        forget(names)


def _wire(built: Province) -> None:
    """Makes every device, then gives them their addresses."""
    batch(_devices(built))
    built.provider.batch(word for line in built.lines.values() for word in join(line))
    for name, office in built.offices.items():
        node = built.nodes[name]
        office.batch([*_address(LAN, f"{node.host}/24"), f"route add default via {node.gateway}"])
    _each(lambda router: router.batch(_addresses(built, router.node)), built.routers.values())


def _devices(built: Province) -> Iterator[str]:
    for name, router in built.routers.items():
        yield f"link add name {LAN} netns {router.name} type bridge forward_delay 0 mcast_snooping 0"
        if name in built.offices:
            yield _plug(router, built.offices[name], _PORT)
    for line in built.lines.values():
        yield from lay(line, built.routers[line.access.node], built.routers[line.access.to])


def _addresses(built: Province, node: Node) -> Iterator[str]:
    """What ip is told in the namespace of a router."""
    yield f"address add {node.loopback}/32 dev lo"
    yield from _address(LAN, f"{node.gateway}/24")
    if node.name in built.offices:
        yield _bridge(_PORT)
    for here in ends_at(node.name, list(built.nodes.values())):
        yield from _address(here.device, f"{here.address}/30")


def _address(device: str, prefix: str) -> Iterator[str]:
    yield f"address add {prefix} dev {device}"
    yield f"link set dev {device} up"


def _plug(router: Router, host: Namespace, port: str) -> str:
    return f"link add name {LAN} netns {host.name} type veth peer name {port} netns {router.name}"


def _bridge(port: str) -> str:
    return f"link set dev {port} master {LAN} up"


def _start(built: Province, router: Router, folder: Path) -> None:
    own = folder / router.node.name
    own.mkdir()
    router("sysctl", "-qw", "net.ipv4.ip_forward=1")
    start(router, list(built.nodes.values()), own)


def _each(do: Callable[[Router], None], routers: Iterable[Router]) -> None:
    """Does one thing at every router, a few at a time. Raises what the first that fails raises."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        for _ in pool.map(do, routers):
            pass
