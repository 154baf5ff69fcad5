"""Why a check could not reach a verdict of its own. One tree:

::

    CheckError
    ├── TargetError     the target did not answer, refused, or spoke wrongly   → CRIT
    └── ObserverError   we could not look: permission, route, parameters, bug  → UNKNOWN, never an outage

Whoever runs a check turns these (and OSError, through :func:`from_os_error`) into an Outcome; a check just raises.
"""

from __future__ import annotations

import errno
import socket
import ssl
from typing import Final

from checks.model import Outcome, State


class CheckError(Exception):
    """``reason`` is a stable word for a machine, ``summary`` a sentence for a person."""

    state: State

    def __init__(self, reason: str, summary: str, *, answered: bool = False) -> None:
        super().__init__(summary)
        self.reason = reason
        self.summary = summary
        self.answered = answered

    def outcome(self) -> Outcome:
        """The outcome of a run that ended in this error."""
        return Outcome(self.state, self.summary, self.reason, answered=self.answered)


class TargetError(CheckError):
    """The target is at fault, as far as an observer can tell."""

    state = State.CRIT


class ObserverError(CheckError):
    """The observer is at fault; nothing is known of the target."""

    state = State.UNKNOWN


_TARGET_ERRNO: Final = {
    errno.ECONNREFUSED: ("refused", "connection refused: nothing listens there"),
    errno.ECONNRESET: ("reset", "the target reset the connection"),
    errno.EHOSTUNREACH: (
        "unreachable",
        "host unreachable: a router on the way or the last hop says it is not there",
    ),
    errno.ETIMEDOUT: ("timeout", "no answer to the connection attempt"),
    errno.EPIPE: ("reset", "the target closed the connection"),
}
_OBSERVER_ERRNO: Final = {
    errno.ENETUNREACH: ("no-route", "this agent has no route to the target's network"),
    errno.ENETDOWN: ("no-route", "this agent's network is down"),
    errno.EADDRNOTAVAIL: ("no-address", "the source address is not one of this host's"),
    errno.EACCES: ("no-permission", "the operating system forbids it to this agent"),
    errno.EPERM: ("no-permission", "the operating system forbids it to this agent"),
    errno.EMFILE: ("no-descriptors", "this agent has run out of file descriptors"),
    errno.ENFILE: ("no-descriptors", "this host has run out of file descriptors"),
}


def from_os_error(error: OSError, target: str) -> CheckError:
    """Whose fault an OSError is. ``target`` is named in the sentence.

    A name that does not exist is the target's fault (whoever goes by that name cannot get there); a resolver that
    does not answer is the observer's.
    """
    if isinstance(error, socket.gaierror):
        if error.errno in (socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)):
            return TargetError("name-not-found", f"{target}: no such name in the DNS")
        return ObserverError("resolver", f"{target}: the DNS resolver of this agent does not answer: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return TargetError("tls", f"{target}: TLS failed: {getattr(error, 'reason', None) or error}")
    if isinstance(error, TimeoutError):
        return TargetError("timeout", f"{target}: no answer in time")
    number = error.errno
    if number is None and isinstance(error, ConnectionError):
        number = errno.ECONNRESET  # asyncio raises these itself, without a number, when the peer hangs up
    if number in _TARGET_ERRNO:
        reason, text = _TARGET_ERRNO[number]
        return TargetError(reason, f"{target}: {text}")
    reason, text = _OBSERVER_ERRNO.get(number or 0, ("os", f"{error.strerror or error}"))
    return ObserverError(reason, f"{target}: {text}")
