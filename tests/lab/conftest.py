"""A small province for tests of faults, and an office of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.layout import describe
from tests.lab.office import Office, office_of
from tests.lab.province import Province, province
from tests.lab.tunnels import strongswan
from tests.peers import need


@pytest.fixture(scope="module")
def shared_province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    """A centre below the backbone, a district, two communes; the first commune has a backup line, to the centre."""
    need("ip", "nft", "snmpd", "vtysh", root=True)
    with province(describe(districts=1, communes=2), tmp_path_factory.mktemp("province")) as built:
        yield built


@pytest.fixture
def small(shared_province: Province) -> Iterator[Province]:
    """The small province, whose routers know all ways. What a test breaks is mended after it."""
    shared_province.settle()
    yield shared_province
    for line in shared_province.lines.values():
        line.mend()


@pytest.fixture
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new folder with a short name: the path of a socket has at most 107 bytes."""
    return tmp_path_factory.mktemp("t")


@pytest.fixture
def office(small: Province, request: pytest.FixtureRequest, short: Path) -> Iterator[Office]:
    """The office of c2, which has one line, or of the node that is asked for. Its agent has seen that all is well."""
    with office_of(small, getattr(request, "param", "c2"), short, strongswan) as made:
        assert made.see().wrong == {}
        yield made
