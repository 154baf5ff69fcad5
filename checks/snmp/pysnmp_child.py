"""The child process that talks to one device by pysnmp: the only place of the check with pysnmp.

It is run as a file, apart from our packages: JSON lines on standard input, first :class:`Session`, then each
:class:`Request`; to each of these a line on standard output (:class:`Reply`). It ends when its input does.
"""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypedDict


class Session(TypedDict):
    """Whom to talk to, and how: fields of ``checks.snmp.reader.Access``; ``auth`` and ``priv`` by pysnmp's names."""

    address: str
    port: int
    version: Literal["1", "2c", "3"]
    community: str
    user: str
    auth: str
    auth_key: str
    priv: str
    priv_key: str
    timeout: float
    retries: int


class Request(TypedDict):
    """One request. ``repetitions`` are GETBULK's."""

    kind: Literal["get", "next", "bulk"]
    oids: list[str]
    repetitions: int


class Octets(TypedDict):
    """An OCTET STRING."""

    hex: str


class Reply(TypedDict, total=False):
    """An answer's variables, without those that are not there, and its error-status (RFC 3416, 3): or ``failed``, what
    pysnmp calls the reason why there is none. ``missing`` and ``bug`` are the observer's."""

    rows: list[tuple[str, int | str | Octets]]
    status: int
    ended: bool
    failed: str
    about: str
    missing: str
    bug: str


Answering = Callable[[Request], Awaitable[Reply]]


async def _answering(session: Session) -> Answering:
    """What asks the device. Raises ImportError."""
    # pysnmp ships no types; where it is missing, that is told, not a traceback.
    from pysnmp.hlapi.v3arch import asyncio as hlapi  # type: ignore[import-untyped]  # noqa: PLC0415

    engine = hlapi.SnmpEngine()
    user = _credentials(session, hlapi)
    kind = hlapi.Udp6TransportTarget if ":" in session["address"] else hlapi.UdpTransportTarget
    where = (session["address"], session["port"])
    target = await kind.create(where, timeout=session["timeout"], retries=session["retries"])

    async def answer(request: Request) -> Reply:
        names = [hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in request["oids"]]
        whole = (engine, user, target, hlapi.ContextData())
        if request["kind"] == "bulk":
            found = await hlapi.bulk_cmd(*whole, 0, request["repetitions"], *names, lookupMib=False)
        else:
            command = hlapi.get_cmd if request["kind"] == "get" else hlapi.next_cmd
            found = await command(*whole, *names, lookupMib=False)
        failed, status, _, variables = found
        if failed is not None:
            return Reply(failed=type(failed).__name__, about=str(failed))
        return _reply(int(status), variables)

    return answer


def _credentials(session: Session, hlapi: Any) -> Any:
    if session["version"] != "3":
        return hlapi.CommunityData(session["community"], mpModel=int(session["version"] == "2c"))
    given: dict[str, Any] = {}
    if session["auth"]:
        given |= {"authKey": session["auth_key"], "authProtocol": getattr(hlapi, session["auth"])}
    if session["priv"]:
        given |= {"privKey": session["priv_key"], "privProtocol": getattr(hlapi, session["priv"])}
    return hlapi.UsmUserData(session["user"], **given)


def _reply(status: int, variables: Sequence[Any]) -> Reply:
    kinds = [type(value).__name__ for _, value in variables]
    rows = [
        (str(name), _plain(kind, value))
        for kind, (name, value) in zip(kinds, variables, strict=True)
        if kind not in ("NoSuchObject", "NoSuchInstance", "EndOfMibView", "Null")
    ]
    return Reply(rows=[] if status else rows, status=status, ended="EndOfMibView" in kinds)


def _plain(kind: str, value: Any) -> int | str | Octets:
    if kind in ("ObjectIdentifier", "ObjectName", "ObjectIdentity"):
        return str(value)
    if kind == "IpAddress":
        return ".".join(map(str, value.asNumbers()))
    if hasattr(value, "asOctets"):
        return Octets(hex=value.asOctets().hex())
    return int(value)


async def _talk() -> None:
    lines = _lines()
    session: Session = json.loads(next(lines))
    trouble: Reply | None = None
    try:
        answer = await _answering(session)
    except ImportError as error:
        trouble = Reply(missing=error.name or "pysnmp")
    for line in lines:
        try:
            reply = trouble or await answer(json.loads(line))
        except Exception:
            reply = Reply(bug=traceback.format_exc(limit=-3))
        print(json.dumps(reply), flush=True)


def _lines() -> Any:
    """Read one by one: nothing goes on between a reply and the next request."""
    return iter(sys.stdin.readline, "")


if __name__ == "__main__":
    asyncio.run(_talk())
