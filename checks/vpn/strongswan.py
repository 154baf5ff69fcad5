"""strongSwan, asked over vici: ``list-sas`` for what is negotiated, ``list-conns`` for what is configured."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from checks.contract import Context, Target
from checks.errors import ObserverError
from checks.vpn import vici
from checks.vpn.params import VpnParams
from checks.vpn.tunnel import Count, Tunnel, no_such
from checks.vpn.vici import Message

SOCKET: Final = "/run/charon.vici"
_CARRYING: Final = ("INSTALLED", "REKEYING", "UPDATING")
"""The states of a CHILD_SA that traffic can pass through."""


async def read(target: Target, params: VpnParams, ctx: Context) -> Tunnel:
    """The tunnel of a connection, or of one of its children. Raises AbsentError when charon does not run, ObserverError
    when it may not be asked, or has no connection of that name."""
    path = params.socket or SOCKET
    try:
        found = parse(await vici.listed(path, "list-sas", "list-sa", ctx), target.address)
        if found is None:
            _configured(await vici.listed(path, "list-conns", "list-conn", ctx), target.address)
    except (KeyError, ValueError, AttributeError) as error:
        raise ObserverError("control", f"charon at {path} tells of its SAs unlike vici: {error!r}") from error
    return found or Tunnel(
        up=False, said=f"charon has no SA of {target.address}: the negotiation failed, or never began; its log says why"
    )


def parse(listed: Sequence[Message], name: str) -> Tunnel | None:
    """The tunnel of a name, from what ``list-sas`` lists; None when there is none. During a rekey there are several SAs
    of one name. Raises ValueError, KeyError or AttributeError when it is something else."""
    sas = [
        (sa, [child for child in sa.get("child-sas", {}).values() if name in (called, child["name"])])
        for called, sa in _sections(listed)
        if name == called or any(name == child["name"] for child in sa.get("child-sas", {}).values())
    ]
    if not sas:
        return None
    newest: Message = min((sa for sa, _ in sas), key=lambda sa: (sa["state"] != "ESTABLISHED", _age(sa)))
    children = [child for _, of_sa in sas for child in of_sa]
    carrying = sorted((child for child in children if child["state"] in _CARRYING), key=_installed)
    who = str(newest["remote-host"])
    return Tunnel(
        up=bool(carrying),
        said=_said(newest, children, carrying),
        peer=who,
        age=_installed(carrying[0]) if carrying else None,
        keys=carrying[0]["spi-out"] if carrying else "",
        counts={c["uniqueid"]: Count(int(c["bytes-in"]), int(c["bytes-out"])) for c in children if "bytes-in" in c},
        facts={"peer": newest.get("remote-id", who), "endpoint": who},
    )


def _age(sa: Message) -> int:
    """Seconds; 0 of one that is still being made."""
    return int(sa.get("established", 0))


def _installed(child: Message) -> int:
    """Seconds ago."""
    return int(child["install-time"])


def _said(sa: Message, children: Sequence[Message], carrying: Sequence[Message]) -> str:
    said = f"the IKE SA with {sa['remote-host']} is {sa['state']}"
    if carrying:
        return f"{said}, its CHILD_SA {carrying[0]['state']}"
    if children:
        return f"{said}, its CHILD_SA only {children[-1]['state']}"
    if sa["state"] == "ESTABLISHED":
        return f"{said}, but it has no CHILD_SA: compare the proposals and traffic selectors of both ends"
    return f"{said}: that end is unreachable, or does not agree"


def _configured(listed: Sequence[Message], name: str) -> None:
    """Raises ObserverError when no connection and no child has this name."""
    known = [called for conn, of_conn in _sections(listed) for called in (conn, *of_conn.get("children", {}))]
    if name not in known:
        raise no_such("charon has no connection", name, known)


def _sections(listed: Sequence[Message]) -> Iterator[tuple[str, Message]]:
    for message in listed:
        yield from message.items()
