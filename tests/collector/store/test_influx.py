from __future__ import annotations

import datetime
import functools
import http.server
import ipaddress
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from collector.store.influx import InfluxStore
from collector.store.model import SeriesKey, StoreAway, StoreError
from collector.store.server import InfluxSettings, Kind, Server
from tests.collector.store import labs
from tests.collector.store.labs import T0, batch, key, read
from tests.peers import free_port, need

pytestmark = pytest.mark.peer


def post(url: str, body: bytes = b"", **query: str) -> None:
    """A plain request beside the store."""
    urllib.request.urlopen(f"{url}?{urllib.parse.urlencode(query)}", data=body, timeout=10).close()


def test_a_server_is_known_by_its_own_sign(influxdb_url: str, victoria_url: str) -> None:
    assert Server(InfluxSettings(url=influxdb_url)).kind() is Kind.INFLUX_1
    assert Server(InfluxSettings(url=victoria_url)).kind() is Kind.VICTORIA
    assert Server(InfluxSettings(url="http://127.0.0.1:9", version="2")).kind() is Kind.INFLUX_2


def test_a_server_that_is_none_is_not_taken_for_one(tmp_path: Path) -> None:
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        with pytest.raises(StoreAway) as raised:
            Server(InfluxSettings(url=url)).kind()
        stranger.shutdown()
    assert str(raised.value) == (
        f"{url}: neither InfluxDB (/ping answers 404 without X-Influxdb-Version) nor VictoriaMetrics "
        "(no vm_app_version in /metrics): correct the url, or set version to 1, 2 or victoria"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (InfluxSettings(url="127.0.0.1:8086"), "influx url '127.0.0.1:8086': expected http://host:port or https"),
        (InfluxSettings(url="http://x", version="1.8"), "influx version '1.8': expected auto, 1, 2 or victoria"),
    ],
)
async def test_settings_that_cannot_be_are_refused(tmp_path: Path, settings: InfluxSettings, message: str) -> None:
    with pytest.raises(StoreError, match=message):
        await InfluxStore.open(settings, tmp_path / "series.db")


async def test_a_refused_point_is_found_by_halving_and_the_others_are_written(
    tmp_path: Path, influxdb_url: str, node: str
) -> None:
    store = await InfluxStore.open(InfluxSettings(url=influxdb_url, database=node), tmp_path / "series.db")
    await store.write([batch(store, 1, (key("first"), 0, 1.0))])
    # Somebody else wrote text where we write numbers.
    post(f"{influxdb_url}/write", f'wan,node={node},target=up loss="none" {T0}'.encode(), db=node, precision="ms")
    rtt, loss = key(node, "rtt"), key(node, "loss")
    points = [(series, at, float(at)) for at in range(300) for series in (rtt, loss)]
    await store.write([batch(store, 2, *points)])
    assert await read(store, rtt) == [(at, float(at)) for at in range(300)]
    assert store.settled == 2
    assert store.quarantined == 300
    assert "field type conflict" in store.refusals[0].reason
    kept = (tmp_path / "series.db.refused.jsonl").read_text().splitlines()
    assert len(kept) == 300
    assert f"{node}/wan/up loss = 0.0 at {T0}" in kept[0]
    await store.close()


async def test_a_server_that_goes_away_is_waited_for_and_nothing_is_lost(tmp_path: Path) -> None:
    port = free_port()
    settings = InfluxSettings(url=f"http://127.0.0.1:{port}", timeout=3)
    store = await InfluxStore.open(settings, tmp_path / "series.db")
    series = key("n")
    with pytest.raises(StoreAway, match=f"127.0.0.1:{port}"):
        await store.write([batch(store, 1, (series, 0, 1.0))])
    with labs.influxd(tmp_path, port):
        await store.write([batch(store, 1, (series, 0, 1.0))])
    with pytest.raises(StoreAway):
        await store.write([batch(store, 2, (series, 1, 2.0), (series, 2, float("nan")))])
    assert (store.settled, store.quarantined) == (1, 0)
    with pytest.raises(StoreAway):
        await read(store, series)
    with labs.influxd(tmp_path, port):
        await store.write([batch(store, 2, (series, 1, 2.0), (series, 2, float("nan")))])
        assert await read(store, series) == [(0, 1.0), (1, 2.0)]
        assert (store.settled, store.quarantined) == (2, 1)
    await store.close()


async def test_a_wrong_password_keeps_the_journal_and_says_what_to_check(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with labs.influxd(tmp_path, port, auth=True):
        post(f"{url}/query", q="CREATE USER thongsuot WITH PASSWORD 'right' WITH ALL PRIVILEGES")
        wrong = InfluxSettings(url=url, user="thongsuot", password="wrong")
        store = await InfluxStore.open(wrong, tmp_path / "wrong.db")
        with pytest.raises(StoreAway) as raised:
            await store.write([batch(store, 1, (key("n"), 0, 1.0))])
        assert str(raised.value) == f"{url}/write: 401: authorization failed: check token, or user and password"
        assert (store.settled, store.quarantined) == (0, 0)
        await store.close()
        right = InfluxSettings(url=url, user="thongsuot", password="right")
        store = await InfluxStore.open(right, tmp_path / "right.db")
        await store.write([batch(store, 1, (key("n"), 0, 1.0))])
        assert await read(store, key("n")) == [(0, 1.0)]
        await store.close()


async def test_a_database_that_is_gone_keeps_the_journal(tmp_path: Path, influxdb_url: str, node: str) -> None:
    settings = InfluxSettings(url=influxdb_url, version="1", database=node)
    store = await InfluxStore.open(settings, tmp_path / "series.db")
    with pytest.raises(StoreAway, match=f'404: database not found: "{node}": check that the database or bucket is'):
        await store.write([batch(store, 1, (key("n"), 0, 1.0))])
    with pytest.raises(StoreError, match="InfluxDB: database not found"):
        await read(store, key("n"))
    await store.close()


async def test_units_are_all_that_a_lost_registry_takes_with_it(tmp_path: Path, influxdb_url: str, node: str) -> None:
    settings = InfluxSettings(url=influxdb_url, database=node)
    store = await InfluxStore.open(settings, tmp_path / "series.db")
    await store.write([batch(store, 1, (key(node, instance="eth0"), 0, 1.0))])
    await store.close()
    (tmp_path / "series.db").unlink()
    store = await InfluxStore.open(settings, tmp_path / "series.db")
    assert store.settled == 0
    assert await read(store, SeriesKey(node, "wan", "up", "rtt", "eth0", "")) == [(0, 1.0)]
    await store.close()


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """VictoriaMetrics behind TLS: its URL, and the only authority that vouches for it."""
    need("victoria-metrics")
    folder = tmp_path_factory.mktemp("tls")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    secret = ec.generate_private_key(ec.SECP256R1())
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, secret.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    port = free_port()
    tls = ("-tls", f"-tlsCertFile={folder}/cert.pem", f"-tlsKeyFile={folder}/key.pem")
    with labs.victoria_metrics(folder, port, *tls):
        yield f"https://127.0.0.1:{port}", folder / "cert.pem"


@pytest.mark.parametrize("version", ["auto", "1", "2", "victoria"])
async def test_a_certificate_that_nobody_vouches_for_is_refused(
    tmp_path: Path, tls_server: tuple[str, Path], version: str
) -> None:
    store = await InfluxStore.open(InfluxSettings(url=tls_server[0], version=version), tmp_path / "series.db")
    with pytest.raises(StoreAway, match="CERTIFICATE_VERIFY_FAILED"):
        await store.write([batch(store, 1, (key("n"), 0, 1.0))])
    with pytest.raises(StoreAway, match="CERTIFICATE_VERIFY_FAILED"):
        await read(store, key("n"))
    await store.close()


async def test_a_certificate_of_the_given_authority_is_trusted(tmp_path: Path, tls_server: tuple[str, Path]) -> None:
    settings = InfluxSettings(url=tls_server[0], ca_file=str(tls_server[1]))
    store = await InfluxStore.open(settings, tmp_path / "series.db")
    await store.write([batch(store, 1, (key("n"), 0, 1.0))])
    assert store.settled == 1
    await store.close()
