"""The parameters of the check ``dhcp``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from checks.contract import Params, Secret
from checks.dhcp.expect import Expect, Expect6, check_mac
from checks.levels import Levels
from checks.snmp import SnmpParams
from checks.snmp.usm import Auth, Priv


class SnmpPools(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The server whose pools are read over SNMP: its ``address`` (host or host:port), and how to talk to it as for the
    check ``snmp``. ``only`` are the pools to look at, by the names that the metrics have; all when empty."""

    address: str
    only: tuple[str, ...] = ()
    version: Literal["1", "2c", "3"] = "2c"
    community: Secret = "public"
    user: str = ""
    auth: Auth = ""
    auth_key: Secret = ""
    priv: Priv = ""
    priv_key: Secret = ""

    def __post_init__(self) -> None:
        _ = self.snmp  # which refuses what does not go together

    @property
    def snmp(self) -> SnmpParams:
        """The same, as the check ``snmp`` has it."""
        values = msgspec.structs.asdict(self)
        return SnmpParams(**{name: values[name] for name in SnmpParams.__struct_fields__ if name in values})


class DhcpParams(Params, frozen=True):
    """Listens ``window`` s for offers: a server that first pings the address it will offer takes up to 3.
    ``expect`` and ``expect6`` say what must be so; ``ipv4`` and ``ipv6`` what is asked about (IPv6 only where the
    interface has it).

    ``mac`` is the address to ask with: a random one, kept while the agent runs, unless it is "interface" or one that a
    switch with port security knows.

    Of how full its pools are a server tells the agent on its own host, ``kea_socket`` and ``kea6_socket`` being the
    control sockets of Kea, or anybody over SNMP, ``pools`` saying whom to ask. ``offer_time`` levels are in seconds,
    ``pool`` levels in % of each pool."""

    window: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 4.0
    ipv4: bool = True
    ipv6: bool = True
    mac: str = "random"
    expect: Expect = Expect()
    expect6: Expect6 = Expect6()
    kea_socket: str = ""
    kea6_socket: str = ""
    pools: SnmpPools | None = None
    offer_time: Levels = Levels()
    pool: Levels = Levels(warn=80, crit=95, margin=2)

    def __post_init__(self) -> None:
        if self.mac not in ("random", "interface"):
            check_mac("mac", self.mac)
        if not (self.ipv4 or self.ipv6):
            raise ValueError("ipv4 and ipv6 are both off: nothing would be asked")
