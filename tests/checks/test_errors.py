from __future__ import annotations

import errno
import os
import socket
import ssl

import pytest

from checks.errors import ObserverError, TargetError, from_os_error
from checks.model import Outcome, State


@pytest.mark.parametrize(
    ("number", "kind", "reason", "summary"),
    [
        (errno.ECONNREFUSED, TargetError, "refused", "a:1: connection refused: nothing listens there"),
        (errno.ECONNRESET, TargetError, "reset", "a:1: the target reset the connection"),
        (errno.ENETUNREACH, ObserverError, "no-route", "a:1: this agent has no route to the target's network"),
        (errno.EPERM, ObserverError, "no-permission", "a:1: the operating system forbids it to this agent"),
        (errno.EMFILE, ObserverError, "no-descriptors", "a:1: this agent has run out of file descriptors"),
        (errno.EIO, ObserverError, "os", "a:1: Input/output error"),
    ],
)
def test_an_errno_is_blamed_on_one_side(number: int, kind: type, reason: str, summary: str) -> None:
    error = from_os_error(OSError(number, os.strerror(number)), "a:1")
    assert (type(error), error.reason, error.summary) == (kind, reason, summary)


def test_a_name_that_does_not_exist_is_the_target_s_fault_and_a_silent_resolver_ours() -> None:
    gone = from_os_error(socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "a.example")
    silent = from_os_error(socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), "a.example")
    assert (gone.state, gone.summary) == (State.CRIT, "a.example: no such name in the DNS")
    assert (silent.state, silent.summary) == (
        State.UNKNOWN,
        "a.example: the DNS resolver of this agent does not answer: Temporary failure in name resolution",
    )


def test_a_timeout_and_a_tls_failure_are_the_target_s() -> None:
    assert from_os_error(TimeoutError(), "a:1").outcome() == Outcome(State.CRIT, "a:1: no answer in time", "timeout")
    assert from_os_error(ssl.SSLError("handshake"), "a:1").reason == "tls"


def test_a_peer_that_hangs_up_on_asyncio_is_not_our_fault() -> None:
    error = from_os_error(ConnectionResetError("Connection lost"), "a:1")
    assert (error.state, error.reason) == (State.CRIT, "reset")


def test_an_observer_s_fault_is_never_an_outage() -> None:
    assert ObserverError("bug", "x").outcome().state is State.UNKNOWN


def test_an_answer_that_was_seen_stays_seen() -> None:
    assert TargetError("status", "a: 500", answered=True).outcome().answered
