"""Real servers for the stores, one of each for the session."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.store import labs
from tests.peers import free_port


@pytest.fixture(scope="session")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's InfluxDB 1.6."""
    port = free_port()
    with labs.influxd(tmp_path_factory.mktemp("influxdb"), port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="session")
def victoria_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's VictoriaMetrics."""
    port = free_port()
    with labs.victoria_metrics(tmp_path_factory.mktemp("victoria"), port):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(
    params=[
        "embedded",
        pytest.param("influxdb", marks=pytest.mark.peer),
        pytest.param("victoria", marks=pytest.mark.peer),
    ]
)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> labs.Lab:
    """Each kind of store in turn."""
    if request.param == "embedded":
        return labs.embedded(tmp_path)
    url = request.getfixturevalue(f"{request.param}_url")
    if request.param == "influxdb":
        return labs.influxdb(tmp_path, url, f"test_{uuid.uuid4().hex}")
    return labs.victoria(tmp_path, url)


@pytest.fixture
def node() -> str:
    """A node that no other test writes of: a server may be shared."""
    return f"node-{uuid.uuid4().hex[:12]}"
