from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.sdnotify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(5)
        yield sock


def test_the_service_manager_hears_how_the_service_is(manager: socket.socket) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": manager.getsockname()}, 1)
    notifier.ready()
    notifier.alive()
    notifier.status("30 jobs\nand more")
    notifier.stopping()
    heard = [manager.recv(4096) for _ in range(4)]
    assert heard == [b"READY=1", b"WATCHDOG=1", b"STATUS=30 jobs and more", b"STOPPING=1"]


def test_a_socket_in_the_abstract_namespace_is_reached() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0thongsuot-test-notify")
        sock.settimeout(5)
        Notifier({"NOTIFY_SOCKET": "@thongsuot-test-notify"}, 1).ready()
        assert sock.recv(4096) == b"READY=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    Notifier({}, 1).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}, 1).ready()


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({}, None),
    ],
)
def test_the_watchdog_is_for_the_process_that_it_names(environ: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environ, 7).watchdog == seconds
