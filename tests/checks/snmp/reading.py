"""How tests talk to a device on loopback."""

from __future__ import annotations

from typing import Any

from checks.snmp.reader import Access
from tests.checks.snmp.devices import V3


def access(port: int, *, version: str = "3", **others: Any) -> Access:
    """The address and credentials of a responder; ``others`` are fields of Access."""
    nobody = {"user": "", "auth": "", "auth_key": "", "priv": "", "priv_key": ""}
    given: dict[str, Any] = {"community": "public", "timeout": 0.2, "retries": 1}
    given |= {"max_repetitions": 25, "max_varbinds": 48, **(V3 if version == "3" else nobody)}
    return Access(host="r1", address="127.0.0.1", port=port, **(given | {"version": version} | others))
