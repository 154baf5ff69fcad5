"""TLS that begins in clear, with the servers of Debian."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checks.errors import TargetError
from checks.model import State
from checks.tls.starttls import Protocol
from tests.checks.tls.looking import look
from tests.peers import accepts, free_port, need, running, which
from tests.pki import issue


@dataclasses.dataclass(frozen=True)
class Files:
    """A folder that servers of other users may read, with a certificate for localhost and its key."""

    folder: Path
    certificate: Path
    key: Path
    ca_file: Path


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    """In a folder that the servers' own users can enter, as they cannot enter pytest's."""
    with tempfile.TemporaryDirectory(prefix="starttls-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        root = issue("BK Root CA", authority=True)
        certificate, key = issue("localhost", "127.0.0.1", by=root).write(folder, "server")
        ca_file = folder / "ca.pem"
        ca_file.write_bytes(root.pem)
        yield Files(folder, certificate, key, ca_file)


@contextlib.contextmanager
def dovecot(files: Files, protocol: str, port: int) -> Iterator[None]:
    need("dovecot", root=True)
    folder = files.folder / f"dovecot-{protocol}"
    folder.mkdir()
    configuration, log = folder / "conf", folder / "log"
    services = {"imap": "imap", "pop3": "pop3", "submission": "submission"}
    off = "".join(
        f"inet_listener {name} {{\n port = {port if name == protocol else 0}\n }}\n"
        for name in (services[protocol], f"{services[protocol]}s")
        if name != "submissions"
    )
    configuration.write_text(
        f"base_dir = {folder}/run\nlog_path = {log}\nprotocols = {protocol}\nlisten = 127.0.0.1\nssl = yes\n"
        f"ssl_cert = <{files.certificate}\nssl_key = <{files.key}\nsubmission_relay_host = 127.0.0.1\n"
        f"service {protocol}-login {{\n{off}}}\npassdb {{\n driver = static\n args = nopassword=y\n}}\n"
    )
    with running(["dovecot", "-F", "-c", str(configuration)], ready=lambda: accepts(port), log=log):
        yield


@contextlib.contextmanager
def slapd(files: Files, _: str, port: int) -> Iterator[None]:
    need("slapd")
    configuration = files.folder / "slapd.conf"
    configuration.write_text(
        f"include /etc/ldap/schema/core.schema\npidfile {files.folder}/slapd.pid\n"
        f"TLSCertificateFile {files.certificate}\nTLSCertificateKeyFile {files.key}\n"
    )
    argv = ["slapd", "-f", str(configuration), "-h", f"ldap://127.0.0.1:{port}", "-d", "0"]
    with running(argv, ready=lambda: accepts(port), log=files.folder / "slapd.log"):
        yield


@contextlib.contextmanager
def vsftpd(files: Files, _: str, port: int) -> Iterator[None]:
    need("vsftpd", root=True)
    empty = files.folder / "empty"
    empty.mkdir()
    configuration = files.folder / "vsftpd.conf"
    configuration.write_text(
        f"listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nsecure_chroot_dir={empty}\n"
        f"ssl_enable=YES\nrsa_cert_file={files.certificate}\nrsa_private_key_file={files.key}\n"
    )
    with running(["vsftpd", str(configuration)], ready=lambda: accepts(port), log=files.folder / "vsftpd.log"):
        yield


@contextlib.contextmanager
def postgres(files: Files, _: str, port: int) -> Iterator[None]:
    need("runuser", root=True)
    program = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/lib/postgresql/bin"))
    need(str(program / "postgres"))
    folder, key = files.folder / "postgres", files.folder / "postgres.key"
    folder.mkdir()
    shutil.copy(files.key, key)
    key.chmod(0o600)
    for each in (folder, key):
        shutil.chown(each, "postgres")
    data = folder / "data"
    user = [which("runuser") or "runuser", "-u", "postgres", "--"]
    make = [*user, str(program / "initdb"), "--no-sync", "--auth=trust", "-D", str(data)]
    subprocess.run(make, check=True, stdout=subprocess.DEVNULL, cwd=folder)
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": files.certificate,
        "ssl_key_file": key,
    }
    argv = [*user, str(program / "postgres"), "-D", str(data)]
    argv += [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with running(argv, ready=lambda: accepts(port), cwd=folder, log=files.folder / "postgres.log"):
        yield


Start = Callable[[Files, str, int], contextlib.AbstractContextManager[None]]


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.parametrize(
    ("protocol", "start", "name"),
    [
        ("imap", dovecot, "imap"),
        ("pop3", dovecot, "pop3"),
        ("smtp", dovecot, "submission"),
        ("ldap", slapd, ""),
        ("ftp", vsftpd, ""),
        pytest.param("postgres", postgres, "", marks=pytest.mark.slow),
    ],
)
async def test_a_server_that_begins_in_clear_shows_its_certificate(
    files: Files, protocol: Protocol, start: Start, name: str
) -> None:
    port = free_port()
    with start(files, name, port):
        outcome = await look(f"127.0.0.1:{port}", starttls=protocol, ca_file=str(files.ca_file))
    assert (outcome.state, outcome.facts["issuer"]) == (State.OK, "BK Root CA"), outcome.summary
    assert os.fspath(files.folder) not in outcome.summary


@pytest.mark.parametrize(
    ("protocol", "said", "words"),
    [
        ("smtp", [b"220 a\r\n", b"250-a\r\n250 b\r\n", b"454 not now\r\n"], "by SMTP: it says '454 not now'"),
        ("smtp", [b"554 go away\r\n"], "by SMTP: it says '554 go away'"),
        ("imap", [b"* OK a\r\n", b"* BYE\r\na1 BAD no\r\n"], "by IMAP: it says 'a1 BAD no'"),
        ("pop3", [b"+OK a\r\n", b"-ERR no\r\n"], "by POP3: it says '-ERR no'"),
        ("ftp", [b"220-a\r\n220 b\r\n", b"530 no\r\n"], "by FTP: it says '530 no'"),
        ("postgres", [b"", b"N"], "by POSTGRES: it has TLS switched off"),
        ("postgres", [b"", b"E"], "by POSTGRES: it says b'E'"),
        (
            "ldap",
            [b"", bytes.fromhex("300c02010178070a010204000400")],
            "by LDAP: its LDAP resultCode is 2",
        ),
        ("ldap", [b"", b"HTTP/1.1 400\r\n"], "by LDAP: it begins with byte 0x48 where 0x30 was expected"),
        ("pop3", [b"+OK", b""], r"by POP3: it hangs up after b'+OK'"),
        (
            "smtp",
            [b"220 a\r\n", b"250 b\r\n", b"220 go\r\n250 injected\r\n"],
            r"by SMTP: it says b'250 injected\r\n' in clear after it agreed to TLS",
        ),
        ("imap", [b"x" * 70_000], "by IMAP: it says more than 65536 bytes"),
    ],
)
async def test_a_server_that_does_not_consent_is_quoted(protocol: str, said: list[bytes], words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            writer.write(said[0])
            for line in said[1:]:
                if line:
                    await reader.read(1000)
                writer.write(line)
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TargetError) as caught:
            await look(f"127.0.0.1:{port}", starttls=protocol)
    assert (caught.value.reason, caught.value.answered) == ("starttls", True)
    assert caught.value.summary == f"127.0.0.1: port {port}: TLS cannot be begun {words}"
