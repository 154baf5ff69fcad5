"""The parameters of the check ``vpn``."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Final, Literal

import msgspec

from checks.contract import Params, Secret, host_port
from checks.snmp import SnmpParams
from checks.stamp.reflector import PORT

ROUTERS: Final = ("cisco", "fortigate")


class VpnParams(Params, frozen=True):
    """``kind`` is whose tunnel it is, and ``through`` whom to reach through it: a STAMP reflector with this ``key``, as
    host or host:port; or any host, with ``probe`` "ping". Both are needed: a tunnel that is only negotiated proves
    nothing. ``source`` is the address to send from, the agent's in the office's LAN, so that what is sent takes the
    tunnel. ``count`` packets are sent, ``spacing`` s apart, each waited for ``wait`` s at most. ``outside`` are
    addresses of routers that the path may not show, since they are beside the tunnel.

    ``peer`` tells apart several tunnels: of WireGuard a public key or endpoint, of an OpenVPN server a client's common
    name, of a Cisco router the other end's address, of a FortiGate that or the name of phase 1 or 2. ``socket`` is
    strongSwan's vici, or the helper that may ask WireGuard. ``password`` is of OpenVPN's management interface; ``snmp``
    says how to talk to a router, as in the check ``snmp``."""

    kind: Literal["", "wireguard", "strongswan", "openvpn", "cisco", "fortigate"] = ""
    through: str = ""
    probe: Literal["stamp", "ping"] = "stamp"
    key: Secret = ""
    source: str = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    spacing: Annotated[float, msgspec.Meta(ge=0.01, le=10)] = 0.05
    wait: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    outside: tuple[str, ...] = ()
    peer: str = ""
    socket: str = ""
    password: Secret = ""
    snmp: SnmpParams = SnmpParams()

    def __post_init__(self) -> None:
        if self.kind and not self.through:
            raise ValueError(
                f"kind {self.kind!r} needs through: whom to reach through the tunnel, such as the centre's reflector. "
                "A tunnel that is only negotiated proves nothing"
            )
        if "\n" in self.password:
            raise ValueError("password: expected one line")
        if self.kind in ROUTERS and not self.peer:
            raise ValueError(f"kind {self.kind!r} needs peer: which of the router's tunnels it is")
        for name, address in (("source", self.source), *(("outside", one) for one in self.outside)):
            try:
                ipaddress.ip_address(address or "::")
            except ValueError:
                raise ValueError(f"{name} {address!r}: expected an IP address") from None

    @property
    def reflector(self) -> tuple[str, int]:
        """The host and port of ``through``. Raises ObserverError when it is neither of the two forms."""
        return host_port(self.through, PORT)
