"""The parameters of the check ``dhcp``."""

from __future__ import annotations

from typing import Annotated

import msgspec

from checks.contract import Params
from checks.dhcp.expect import Expect, Expect6, check_mac
from checks.levels import Levels


class DhcpParams(Params, frozen=True):
    """Listens ``window`` s for offers: a server that first pings the address it will offer takes up to 3.
    ``expect`` and ``expect6`` say what must be so; ``ipv4`` and ``ipv6`` what is asked about (IPv6 only where the
    interface has it).

    ``mac`` is the address to ask with: a random one, kept while the agent runs, unless it is "interface" or one that a
    switch with port security knows. ``kea_socket`` is the control socket of a Kea DHCPv4 server on the agent's host.
    ``offer_time`` levels are in seconds, ``pool`` levels in % of the addresses of each of Kea's subnets."""

    window: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 4.0
    ipv4: bool = True
    ipv6: bool = True
    mac: str = "random"
    expect: Expect = Expect()
    expect6: Expect6 = Expect6()
    kea_socket: str = ""
    offer_time: Levels = Levels()
    pool: Levels = Levels(warn=80, crit=95, margin=2)

    def __post_init__(self) -> None:
        if self.mac not in ("random", "interface"):
            check_mac("mac", self.mac)
        if not (self.ipv4 or self.ipv6):
            raise ValueError("ipv4 and ipv6 are both off: nothing would be asked")
