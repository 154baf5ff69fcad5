"""The parameters of the check ``snmp``."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Final, Literal

import msgspec

from checks.contract import Params, Secret
from checks.levels import Levels
from checks.snmp import library
from checks.snmp.usm import Auth, Priv

NO_PROFILE: Final = "none"


class SnmpParams(Params, frozen=True):
    """How to talk to a device, and what is demanded of it.

    ``community`` is for versions 1 and 2c; ``user``, ``auth``, ``auth_key``, ``priv`` and ``priv_key`` for 3, the keys
    being passwords.
    ``timeout`` is seconds for one try of one request, ``retries`` come after it. ``max_repetitions`` are rows asked
    for by one GETBULK, ``max_varbinds`` instances by one GET: at 48 the answer stays in one Ethernet frame.
    ``engine`` speaks SNMP: ``pysnmp`` takes more CPU and memory, and may get on with devices that ``gufo`` does not.
    ``interfaces`` and ``exclude`` are regular expressions on ifName, found anywhere in it: an interface is looked
    at if the first matches and the second does not. ``require_up`` names, by ifName, ifAlias or ifDescr, those that
    must be up; of others it is only recorded. ``utilization`` (%, the busier direction) and ``errors`` (1/s, both
    directions) are levels for every interface looked at.
    ``profile`` names the device profile: empty for the one that fits, ``none`` for interfaces alone. What a device
    has of its profile is looked up anew every ``survey_every`` seconds. ``cpu`` and ``memory`` (%) and ``temperature``
    (°C) are levels for each of those found. ``require_sessions`` are BGP and OSPF neighbours and IPsec tunnels that
    must be up, by name or address; another one is told of when it goes down. ``ignore`` is a regular expression on the
    names of parts, sensors and sessions that are recorded, but not judged.
    """

    version: Literal["1", "2c", "3"] = "2c"
    community: Secret = "public"
    user: str = ""
    auth: Auth = ""
    auth_key: Secret = ""
    priv: Priv = ""
    priv_key: Secret = ""
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 2
    max_repetitions: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 25
    max_varbinds: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 48
    engine: Literal["gufo", "pysnmp"] = "gufo"
    interfaces: str = ""
    exclude: str = r"^(lo|Lo|Loopback|loopback|Null|Nu|NULL)\d*$"
    require_up: tuple[str, ...] = ()
    utilization: Levels = Levels()
    errors: Levels = Levels()
    profile: str = ""
    survey_every: Annotated[float, msgspec.Meta(gt=0)] = 3600.0
    cpu: Levels = Levels()
    memory: Levels = Levels()
    temperature: Levels = Levels()
    require_sessions: tuple[str, ...] = ()
    ignore: str = ""

    def __post_init__(self) -> None:
        for name, pattern in (("interfaces", self.interfaces), ("exclude", self.exclude), ("ignore", self.ignore)):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{name}: {pattern!r} is not a regular expression: {error}") from error
        known = ("", NO_PROFILE, *library.names())
        if self.profile not in known:
            near = difflib.get_close_matches(self.profile, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known[1:])}"
            raise ValueError(f"profile: there is no {self.profile!r}: {hint}")
        if self.version != "3":
            if self.user or self.auth or self.priv:
                raise ValueError(f"user, auth and priv are of SNMPv3, version is {self.version!r}: set version '3'")
            return
        if not self.user:
            raise ValueError("version '3' needs a user")
        for name, protocol, key in (("auth", self.auth, self.auth_key), ("priv", self.priv, self.priv_key)):
            if bool(protocol) != bool(key):
                raise ValueError(f"{name} and {name}_key go together: set both or neither")
            if key and len(key) < 8:
                raise ValueError(
                    f"{name}_key is too short: SNMPv3 passwords have 8 characters or more (RFC 3414, 11.2)"
                )
        if self.priv and not self.auth:
            raise ValueError("priv needs auth: SNMPv3 does not encrypt what it cannot authenticate")
