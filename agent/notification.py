"""An SNMP notification in words (RFC 3416, 4.2.6): which it is, and of what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

Variables = Sequence[tuple[str, int | str]]
"""OID and value; octets as text."""

_TRAP_OID: Final = "1.3.6.1.6.3.1.1.4.1.0"
"""snmpTrapOID; pysnmp makes one of an SNMPv1 trap as RFC 3584, 3.1 says."""

_STANDARD, _BGP, _CISCO_BGP = "1.3.6.1.6.3.1.1.5", "1.3.6.1.2.1.15", "1.3.6.1.4.1.9.9.187.0"
NAMES: Final = {
    f"{_STANDARD}.1": "coldStart",
    f"{_STANDARD}.2": "warmStart",
    f"{_STANDARD}.3": "linkDown",
    f"{_STANDARD}.4": "linkUp",
    f"{_STANDARD}.5": "authenticationFailure",
    f"{_BGP}.0.1": "bgpEstablishedNotification",  # RFC 4273
    f"{_BGP}.0.2": "bgpBackwardTransNotification",
    f"{_BGP}.7.1": "bgpEstablished",  # RFC 1657
    f"{_BGP}.7.2": "bgpBackwardTransition",
    f"{_BGP}.7.0.1": "bgpEstablished",  # the same over SNMPv1
    f"{_BGP}.7.0.2": "bgpBackwardTransition",
    f"{_CISCO_BGP}.1": "cbgpFsmStateChange",
    f"{_CISCO_BGP}.2": "cbgpBackwardTransition",
    f"{_CISCO_BGP}.5": "cbgpPeer2EstablishedNotification",
    f"{_CISCO_BGP}.6": "cbgpPeer2BackwardTransNotification",
    f"{_CISCO_BGP}.7": "cbgpPeer2FsmStateChange",
    "1.3.6.1.2.1.14.16.2.2": "ospfNbrStateChange",
}
"""By snmpTrapOID. Another one is told of by its OID."""

_NAME_COLUMNS: Final = ("1.3.6.1.2.1.31.1.1.1.1.", "1.3.6.1.2.1.2.2.1.2.")  # ifName, ifDescr
_IF_INDEX: Final = "1.3.6.1.2.1.2.2.1.1."
_PEER_TABLES: Final = ("1.3.6.1.2.1.15.3.1.", "1.3.6.1.4.1.9.9.187.1.2.5.1.")  # bgpPeerTable, cbgpPeer2Table


def told(variables: Variables) -> str:
    """``linkDown Gi0/1``, ``bgpBackwardTransNotification 10.0.0.1``; empty when it is no notification."""
    values = dict(variables)
    oid = str(values.get(_TRAP_OID, ""))
    return f"{NAMES.get(oid, oid)} {_subject(variables)}".strip() if oid else ""


def _subject(variables: Variables) -> str:
    """The interface or the neighbour that it is about; empty for neither."""
    for column in _NAME_COLUMNS:
        named = next((str(value) for oid, value in variables if oid.startswith(column) and value), "")
        if named:
            return " ".join("".join(c if c.isprintable() else " " for c in named).split())[:64]
    for oid, value in variables:
        if oid.startswith(_IF_INDEX):
            return f"ifIndex {value}"
        if oid.startswith(_PEER_TABLES):
            return ".".join(oid.split(".")[-4:])
    return ""
