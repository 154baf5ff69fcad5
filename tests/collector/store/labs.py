"""The stores under test, each on its real server."""

from __future__ import annotations

import contextlib
import dataclasses
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from collector.store.embedded import EmbeddedStore
from collector.store.influx import InfluxStore
from collector.store.model import Batch, Selector, SeriesKey, Store
from collector.store.server import InfluxSettings
from tests.peers import accepts, free_port, need, running

T0 = 1_750_000_000_000
"""A moment in June 2025, in Unix ms."""


@dataclasses.dataclass(frozen=True)
class Lab:
    """A kind of store, in a place that is the test's own: opened again it finds what it left.

    ``show`` makes what was written visible to queries; ``tolerance`` is the error of a value that is
    read, relative to the greatest of its series.
    """

    name: str
    open: Callable[[], Awaitable[Store]]
    show: Callable[[], None] = lambda: None
    tolerance: float = 0.0
    forgets: bool = True
    later_wins: bool = True


def embedded(folder: Path) -> Lab:
    """The embedded store in a folder."""
    return Lab("embedded", lambda: EmbeddedStore.open(folder / "store.db"))


def influxdb(folder: Path, url: str, database: str) -> Lab:
    """A database of its own in an InfluxDB."""
    settings = InfluxSettings(url=url, database=database)
    return Lab("influxdb", lambda: InfluxStore.open(settings, folder / "series.db"))


def victoria(folder: Path, url: str) -> Lab:
    """VictoriaMetrics, which has no databases, and forgets by its own setting alone.

    It keeps the values of a block as integers over one power of ten, so that the greatest takes digits from the others;
    of two values at one ms it keeps the one it pleases.
    """

    def show() -> None:
        urllib.request.urlopen(f"{url}/internal/force_flush", timeout=10).close()

    settings = InfluxSettings(url=url)
    return Lab(
        "victoria",
        lambda: InfluxStore.open(settings, folder / "series.db"),
        show,
        tolerance=1e-12,
        forgets=False,
        later_wins=False,
    )


def answers(url: str) -> bool:
    """Whether an HTTP server answers a GET with success."""
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1) as response:
        return bool(response.status < 300)
    return False


@contextlib.contextmanager
def influxd(folder: Path, port: int, *, auth: bool = False) -> Iterator[None]:
    """Debian's InfluxDB 1.6, with its data in a folder."""
    need("influxd")
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
        f'[meta]\ndir = "{folder}/meta"\n[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n'
        f'[monitor]\nstore-enabled = false\n[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
        f"auth-enabled = {str(auth).lower()}\n"
    )
    argv = ["influxd", "-config", str(config)]
    with running(argv, ready=lambda: answers(f"http://127.0.0.1:{port}/ping"), log=folder / "log"):
        yield


@contextlib.contextmanager
def victoria_metrics(folder: Path, port: int, *more: str) -> Iterator[None]:
    """Debian's VictoriaMetrics, with its data in a folder and ``more`` arguments."""
    need("victoria-metrics")
    argv = [
        "victoria-metrics",
        f"-storageDataPath={folder}/data",
        f"-httpListenAddr=127.0.0.1:{port}",
        "-retentionPeriod=100y",
        "-dedup.minScrapeInterval=1ms",
        *more,
    ]
    # Whether it speaks TLS or not: a socket that accepts is ready.
    with running(argv, ready=lambda: accepts(port), log=folder / "log"):
        yield


def key(node: str, metric: str = "rtt", *, check: str = "wan", label: str = "up", instance: str = "") -> SeriesKey:
    """A series in seconds."""
    return SeriesKey(node, check, label, metric, instance, "s")


def batch(store: Store, entry: int, *points: tuple[SeriesKey, int, float]) -> Batch:
    """An entry of (series, ms after T0, value) points."""
    return Batch(
        entry,
        [store.series_id(series) for series, _, _ in points],
        [T0 + at for _, at, _ in points],
        [value for _, _, value in points],
    )


async def read(store: Store, series: SeriesKey) -> list[tuple[int, float]]:
    """All points of a series: ms after T0, value."""
    selector = Selector(series.node, series.check, series.label, series.metric, series.instance)
    answer = await store.query(selector, 0, 2 * T0)
    assert [found.key for found in answer] in ([], [series])
    return [(at - T0, value) for found in answer for at, value in zip(found.at, found.values, strict=True)]
