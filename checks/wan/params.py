"""The parameters of the check ``wan``."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Literal

import msgspec

from checks.contract import Params, Secret
from checks.levels import Levels
from checks.snmp import SnmpParams


class AccessInterface(Params, frozen=True):
    """The interface that joins the line to a ``router`` (host or host:port), by its ifName (or ifDescr) or its ifIndex.
    ``capacity`` is what the contract gives, in bit/s; 0: what the router says. ``snmp`` is how to talk to the router,
    as in the check ``snmp``."""

    router: str
    name: str = ""
    index: Annotated[int, msgspec.Meta(ge=0)] = 0
    capacity: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    snmp: SnmpParams = SnmpParams()

    def __post_init__(self) -> None:
        if bool(self.name) == bool(self.index):
            raise ValueError("interface: say which by its name or its index, one of the two")


class PathParams(Params, frozen=True):
    """How far to look for ``hops``; 0: not at all. ``primary`` and ``backup`` are addresses of hops that mean that the
    primary line carries the traffic, or the backup."""

    hops: Annotated[int, msgspec.Meta(ge=0, le=64)] = 16
    primary: tuple[str, ...] = ()
    backup: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for address in (*self.primary, *self.backup):
            _must_be_address("path", address)
        if both := set(self.primary) & set(self.backup):
            raise ValueError(f"path: {', '.join(sorted(both))} cannot mean both primary and backup")
        if (self.primary or self.backup) and not self.hops:
            raise ValueError("path: primary and backup are told by their hops: hops must not be 0")


class MtuParams(Params, frozen=True):
    """The path MTU that is ``expected``, in bytes of the whole IP packet; 0: not looked for. It is searched in the
    first run, in each ``every``-th after that, and when the path has changed."""

    expected: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    every: Annotated[int, msgspec.Meta(ge=1)] = 60

    def __post_init__(self) -> None:
        if 0 < self.expected < 576:
            raise ValueError("mtu: expected must be 576 or more (1280 or more over IPv6), or 0")


class WanParams(Params, frozen=True):
    """``count`` packets, ``spacing`` s apart, each waited for ``wait`` s at most, from the address ``source`` if it is
    set. They are echo requests to the target; with a ``reflector`` (host or host:port) behind it they are STAMP
    packets, authenticated with its ``key``, and loss and jitter have a direction; ``mode`` is the reflector's: of a
    stateless one the direction of a loss is not known.

    Percentiles are told of the run and of the last ``window`` runs. Levels: ``loss`` in % of the round trip; ``rtt`` of
    the run's 95th percentile and ``jitter`` of either way in seconds; ``utilization`` of the access interface in % of
    its capacity, either way."""

    count: Annotated[int, msgspec.Meta(ge=2, le=1000)] = 20
    spacing: Annotated[float, msgspec.Meta(ge=0.001, le=60)] = 0.1
    wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    source: str = ""
    reflector: str = ""
    key: Secret = ""
    mode: Literal["stateful", "stateless"] = "stateful"
    interface: AccessInterface | None = None
    path: PathParams = PathParams()
    mtu: MtuParams = MtuParams()
    window: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    loss: Levels = Levels(warn=5, crit=40)
    rtt: Levels = Levels()
    jitter: Levels = Levels()
    utilization: Levels = Levels(warn=90, margin=5)

    def __post_init__(self) -> None:
        if self.source:
            _must_be_address("source", self.source)
        if self.key and not self.reflector:
            raise ValueError("key is the reflector's: set reflector")


def _must_be_address(name: str, text: str) -> None:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise ValueError(f"{name}: {text!r} is not an IP address") from None
