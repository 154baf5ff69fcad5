"""What a device's silence means, as far as can be known. Pure."""

from __future__ import annotations

from checks.errors import TargetError
from checks.snmp.reader import Access


def never_answered(access: Access) -> TargetError:
    """Nothing has come in this run."""
    community = "" if access.version == "3" else "the community is wrong, or "
    return TargetError(
        "timeout",
        f"{access.where}: no answer to SNMPv{access.version} {_tries(access)}: "
        f"the device is off or unreachable, or {community}its access list leaves this agent out",
    )


def fell_silent(access: Access) -> TargetError:
    """Answers came in this run, but no more."""
    return TargetError(
        "timeout",
        f"{access.where}: answered at first, then no more {_tries(access)}: "
        "packets are lost on the way, or the device is overloaded",
        answered=True,
    )


def only_forged(access: Access) -> TargetError:
    """Answers came that were not authentic."""
    return TargetError(
        "forged",
        f"{access.where}: answers came, but none with the signature of user {access.user!r}: "
        "somebody on the way forges them, or the device does not sign what it answers",
    )


def _tries(access: Access) -> str:
    return f"in {access.retries + 1} tries of {access.timeout:g} s"
