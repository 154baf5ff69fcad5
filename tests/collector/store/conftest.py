"""Real servers for the stores, one of each for the session."""

from __future__ import annotations

import contextlib
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.collector.store import labs
from tests.peers import free_port, need, running


def answers(url: str) -> bool:
    """Whether an HTTP server answers a GET with success."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as response:
        return bool(response.status < 300)
    return False


@pytest.fixture(scope="session")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's InfluxDB 1.6."""
    need("influxd")
    folder = tmp_path_factory.mktemp("influxdb")
    port, rpc = free_port(), free_port()
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{rpc}"\n'
        f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
        f'[monitor]\nstore-enabled = false\n[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
    )
    url = f"http://127.0.0.1:{port}"
    with running(["influxd", "-config", str(config)], ready=lambda: answers(f"{url}/ping"), log=folder / "log"):
        yield url


@pytest.fixture(scope="session")
def victoria_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Debian's VictoriaMetrics."""
    need("victoria-metrics")
    folder = tmp_path_factory.mktemp("victoria")
    port = free_port()
    argv = [
        "victoria-metrics",
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-dedup.minScrapeInterval=1ms",
    ]
    url = f"http://127.0.0.1:{port}"
    with running(argv, ready=lambda: answers(f"{url}/health"), log=folder / "log"):
        yield url


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
