"""A small province for tests of faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.layout import describe
from tests.lab.province import Province, province
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
