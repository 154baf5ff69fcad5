from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from tests.checks.snmp.devices import Device, device_in_namespace, snmpd
from tests.peers import free_port, need


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Debian's snmpd on loopback, as whoever runs the tests. It shows this host."""
    need("snmpd")
    folder = tmp_path_factory.mktemp("snmpd")
    with snmpd(folder, Device("127.0.0.1", free_port(socket.SOCK_DGRAM))) as device:
        yield device


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Device]:
    """Debian's snmpd in a network namespace."""
    need("snmpd", "ip", root=True)
    with device_in_namespace(tmp_path_factory.mktemp("router")) as device:
        yield device
