from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from agent.link import AwayError, Link, tls_context
from agent.settings import Settings
from tests.agent.receiver import TOKEN, receiving
from tests.peers import free_port


def certificate(folder: Path, name: str) -> Path:
    """A self-signed certificate for a name, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


def serving(pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def link(port: int, ca_file: str = "", host: str = "localhost") -> Link:
    told = Settings(node="bk", collector=f"https://{host}:{port}/", token=TOKEN, ca_file=ca_file)
    return Link(told, tls_context(told), timeout=5.0)


async def test_a_collector_with_a_certificate_of_our_authority_is_trusted(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "localhost")
    async with receiving(serving(pem)) as receiver:
        ours = link(receiver.port, str(pem))
        assert (await ours.plan("")).status == 200
        assert (await ours.plan("v1")).status == 304
        assert receiver.requests[0][2]["host"] == f"localhost:{receiver.port}"
        await ours.close()


async def test_a_collector_that_nobody_we_trust_signed_gets_no_token(tmp_path: Path) -> None:
    async with receiving(serving(certificate(tmp_path, "localhost"))) as receiver:
        with pytest.raises(AwayError, match=r"its certificate is not trusted: self-signed certificate: set ca_file"):
            await link(receiver.port).plan("")
        assert receiver.requests == []


async def test_a_certificate_of_another_name_gets_no_token(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "collector.example.vn")
    async with receiving(serving(pem)) as receiver:
        with pytest.raises(AwayError, match=r"not trusted: Hostname mismatch"):
            await link(receiver.port, str(pem)).plan("")
        assert receiver.requests == []


async def test_a_collector_that_is_not_there_is_named() -> None:
    port = free_port()
    told = Settings(node="bk", collector=f"http://127.0.0.1:{port}", token=TOKEN)
    with pytest.raises(AwayError, match=rf"collector 127\.0\.0\.1:{port}: connection refused"):
        await Link(told, None).connect()


async def test_a_connection_that_was_closed_while_idle_is_opened_again() -> None:
    async with receiving() as receiver:
        told = Settings(node="bk", collector=f"http://127.0.0.1:{receiver.port}", token=TOKEN)
        ours = Link(told, None)
        await ours.plan("")
        await receiver.stop()
        await receiver.start()
        assert (await ours.plan("")).status == 200
        await ours.close()
