"""The child process that receives SNMP traps and informs by pysnmp: the only place of the agent with pysnmp.

It is run as a file, apart from our packages: one JSON line on standard input (:class:`Session`), then a JSON line on
standard output for each :class:`Notice`. It judges nothing, and ends when its input does. What does not come from a
``source``, or comes too fast, is dropped before it is looked into, and counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final, TypedDict

RATE: Final = 50.0
"""Notifications a second that are looked into, in the long run: pysnmp takes about 2 ms for each."""
BURST: Final = 200.0
COUNT_EVERY: Final = 1.0
"""Seconds between two notices of how much was dropped, while something is."""


MOST_ENGINES: Final = 512
"""Engines whose keys are kept: the address of a sender can be forged, and its engine is believed only afterwards."""
_VERSION_3: Final = b"\x02\x01\x03"


class User(TypedDict):
    """A user of SNMPv3. ``auth`` and ``priv`` are pysnmp's names of the protocols, or empty, and their keys master keys
    (RFC 3414, A.2) in hexadecimal."""

    user: str
    auth: str
    auth_key: str
    priv: str
    priv_key: str


class Session(TypedDict):
    """Where to listen, to whom, and by which communities and users."""

    host: str
    port: int
    sources: list[str]
    communities: list[str]
    users: list[User]


class Notice(TypedDict, total=False):
    """One of: ``ready``; ``errno`` or ``missing``, why not, after which the process ends; a notification with its
    ``source`` address, what it ``showed`` (a community, or a user with ``v3``), its security ``level`` (1 to 3:
    noAuthNoPriv, authNoPriv, authPriv) and its ``variables``; how many datagrams were ``dropped`` in all, for coming
    too fast, and ``strange``, from none of the sources."""

    ready: bool
    errno: int
    missing: str
    source: str
    v3: bool
    showed: str
    level: int
    variables: list[tuple[str, int | str]]
    dropped: int
    strange: int


def say(notice: Notice) -> None:
    print(json.dumps(notice), flush=True)


class Gate:
    """Whether a datagram is looked into: a token bucket."""

    def __init__(self, sources: Sequence[str]) -> None:
        self.dropped = self.strange = 0
        self._sources = frozenset(sources)
        self._tokens, self._at = BURST, time.monotonic()

    def admits(self, source: str) -> bool:
        if source not in self._sources:
            self.strange += 1
            return False
        now = time.monotonic()
        self._tokens, self._at = min(BURST, self._tokens + RATE * (now - self._at)), now
        if self._tokens < 1:
            self.dropped += 1
            return False
        self._tokens -= 1
        return True


class Users:
    """Whom pysnmp knows. The sender of a trap is the authoritative engine (RFC 3412, 3.1), so the user's keys are to be
    made for each engine that one comes from, and pysnmp does not do that by itself. Of an inform it is ourselves."""

    def __init__(self, receiver: Any, users: Sequence[User]) -> None:
        self._receiver = receiver
        self._users = {user["user"].encode(): user for user in users}
        self._engines: OrderedDict[tuple[bytes, bytes], None] = OrderedDict()
        for user in users:
            self._add(user, None)

    def expect(self, datagram: bytes) -> None:
        """A datagram comes in: it may be of an engine that has not sent before."""
        if not self._users or datagram.find(_VERSION_3, 0, 8) < 0:
            return
        from pyasn1.codec.ber import decoder  # type: ignore[import-untyped]  # noqa: PLC0415 - as below
        from pyasn1.error import PyAsn1Error  # type: ignore[import-untyped]  # noqa: PLC0415
        from pysnmp.proto.mpmod.rfc3412 import SNMPv3Message  # type: ignore[import-untyped]  # noqa: PLC0415
        from pysnmp.proto.secmod.rfc3414.service import (  # type: ignore[import-untyped]  # noqa: PLC0415
            UsmSecurityParameters,
        )

        try:
            message, _ = decoder.decode(datagram, asn1Spec=SNMPv3Message())
            security, _ = decoder.decode(bytes(message[2]), asn1Spec=UsmSecurityParameters())
        except (PyAsn1Error, ValueError, IndexError):
            return  # pysnmp will find the same
        key = (bytes(security[0]), bytes(security[3]))
        user = self._users.get(key[1])
        if user is None or not 5 <= len(key[0]) <= 32:
            return
        if key not in self._engines:
            self._add(user, key[0])
        self._engines[key] = None
        self._engines.move_to_end(key)
        if len(self._engines) > MOST_ENGINES:
            self._forget(*self._engines.popitem(last=False)[0])

    def _add(self, user: User, engine: bytes | None) -> None:
        from pysnmp.entity import config  # type: ignore[import-untyped]  # noqa: PLC0415 - as below

        given: dict[str, Any] = {}
        if user["auth"]:
            key = config.USM_KEY_TYPE_MASTER
            given |= {"authProtocol": getattr(config, user["auth"]), "authKeyType": key, "privKeyType": key}
            given["authKey"] = bytes.fromhex(user["auth_key"])
        if user["priv"]:
            given |= {"privProtocol": getattr(config, user["priv"]), "privKey": bytes.fromhex(user["priv_key"])}
        config.add_v3_user(self._receiver, user["user"], **given, securityEngineId=_octets(engine))

    def _forget(self, engine: bytes, name: bytes) -> None:
        from pysnmp.entity import config  # noqa: PLC0415 - as below

        config.delete_v3_user(self._receiver, name.decode(), _octets(engine))


def _octets(engine: bytes | None) -> Any:
    from pysnmp.proto.rfc1902 import OctetString  # type: ignore[import-untyped]  # noqa: PLC0415 - as below

    return None if engine is None else OctetString(engine)


async def _receive(session: Session) -> None:
    # pysnmp ships no types; where it is missing, that is told, not a traceback.
    from pysnmp.carrier.asyncio.dgram import udp, udp6  # type: ignore[import-untyped]  # noqa: PLC0415
    from pysnmp.entity import config, engine  # noqa: PLC0415
    from pysnmp.entity.rfc3413 import ntfrcv  # type: ignore[import-untyped]  # noqa: PLC0415

    gate = Gate(session["sources"])
    receiver = engine.SnmpEngine()
    carrier: Any = udp6.Udp6AsyncioTransport if ":" in session["host"] else udp.UdpAsyncioTransport

    class Gated(carrier):  # type: ignore[misc]  # of an untyped library
        def datagram_received(self, datagram: bytes, transportAddress: Any) -> None:  # noqa: N803 - pysnmp's name
            if gate.admits(str(transportAddress[0]).removeprefix("::ffff:")):
                users.expect(datagram)
                super().datagram_received(datagram, transportAddress)

    transport = Gated().open_server_mode((session["host"], session["port"]))
    domain = udp6.DOMAIN_NAME if ":" in session["host"] else udp.DOMAIN_NAME
    config.add_transport(receiver, domain, transport)
    for index, community in enumerate(session["communities"]):
        config.add_v1_system(receiver, f"c{index}", community)
    users = Users(receiver, session["users"])
    shown: dict[str, Any] = {}
    receiver.observer.register_observer(
        lambda _engine, _point, seen, _context: shown.update(seen), "rfc3412.receiveMessage:request"
    )

    def notified(_engine: Any, _reference: Any, _id: Any, _name: Any, variables: Any, _context: Any) -> None:
        v3 = int(shown["securityModel"]) == 3
        name = str(shown["securityName"])
        say(
            Notice(
                source=str(shown["transportAddress"][0]).removeprefix("::ffff:"),
                v3=v3,
                showed=name if v3 else session["communities"][int(name.removeprefix("c"))],
                level=int(shown["securityLevel"]),
                variables=[(str(oid), _plain(value)) for oid, value in variables],
            )
        )

    ntfrcv.NotificationReceiver(receiver, notified)
    await transport._lport  # the socket's own task: an address that is taken is told by it
    say(Notice(ready=True))
    told = (0, 0)
    while True:
        await asyncio.sleep(COUNT_EVERY)
        if told != (gate.dropped, gate.strange):
            told = (gate.dropped, gate.strange)
            say(Notice(dropped=gate.dropped, strange=gate.strange))


def _plain(value: Any) -> int | str:
    kind = type(value).__name__
    if kind == "IpAddress":
        return ".".join(map(str, value.asNumbers()))
    if hasattr(value, "asOctets"):
        return str(value.asOctets().decode(errors="replace"))
    try:
        return int(value)
    except (TypeError, ValueError):
        return str(value)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    session: Session = json.loads(sys.stdin.readline())
    receiving = asyncio.create_task(_receive(session))
    over = asyncio.Event()
    loop.add_reader(sys.stdin.fileno(), over.set)  # nothing more is said to us, so it is the end
    ending = asyncio.create_task(over.wait())
    try:
        await asyncio.wait((receiving, ending), return_when=asyncio.FIRST_COMPLETED)
        if receiving.done():
            receiving.result()
    except ImportError as error:
        say(Notice(missing=error.name or "pysnmp"))
    except OSError as error:
        say(Notice(errno=error.errno or 0))


if __name__ == "__main__":
    asyncio.run(_main())
