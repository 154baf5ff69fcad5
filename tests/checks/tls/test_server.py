from __future__ import annotations

import asyncio
import dataclasses
import datetime
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from checks.contract import Context
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from checks.tls import child
from tests.checks.tls.looking import FAR, NAME, NOW, START, FixedClock, context, look
from tests.nginx import nginx
from tests.peers import free_port
from tests.pki import DAY, Issued, issue

OLD = (
    "ssl_protocols TLSv1 TLSv1.1 TLSv1.2; ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0;"
)


@dataclasses.dataclass(frozen=True)
class Province:
    """A real nginx, with a port for each way to have a certificate, and the file of the authority."""

    ports: dict[str, int]
    ca_file: str
    leaves: dict[str, Issued]

    async def check(self, kind: str, ctx: Context | None = None, **params: Any) -> Outcome:
        values = {"server_name": NAME, "ca_file": self.ca_file, **params}
        return await look(f"127.0.0.1:{self.ports[kind]}", ctx, **values)


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    folder = tmp_path_factory.mktemp("tls")
    root = issue("BK Root CA", authority=True, start=START, end=FAR)
    middle = issue("BK Intermediate CA", authority=True, by=root, start=START, end=FAR)
    stranger = issue("Other Root CA", authority=True, start=START, end=FAR)
    past = datetime.datetime(2026, 1, 2, 8, tzinfo=datetime.UTC)
    old = issue("BK Old CA", authority=True, by=root, start=START, end=past)

    def leaf(by: Issued | None, name: str = NAME, end: datetime.datetime = FAR) -> Issued:
        return issue(name, name, by=by, start=START, end=end)

    chains: dict[str, tuple[Issued, ...]] = {
        "good": (leaf(middle), middle),
        "expired": (leaf(middle, end=past), middle),
        "wrong-host": (leaf(middle, "mail.bk.example"), middle),
        "self-signed": (leaf(None),),
        "missing": (leaf(middle),),
        "stranger": (leaf(stranger), stranger),
        "expired-authority": (leaf(old), old),
        "spare": (leaf(middle), middle, old),
        "old": (leaf(middle), middle),
        "idn": (leaf(middle, "xn--bckn-7q5apd.example"), middle),
    }
    ports = {kind: free_port() for kind in chains}
    servers = []
    for kind, chain in chains.items():
        certificate, key = chain[0].write(folder, kind, chain[1:])
        how = "ssl_protocols TLSv1.2 TLSv1.3;" if kind != "old" else OLD
        files = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        servers.append(f"server {{ listen 127.0.0.1:{ports[kind]} ssl; {how} {files} }}")
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(root.pem)
    with nginx(folder, servers, list(ports.values())):
        yield Province(ports, str(ca_file), {kind: chain[0] for kind, chain in chains.items()})


@pytest.mark.peer
async def test_a_good_certificate_is_good_and_every_certificate_of_the_chain_is_counted(province: Province) -> None:
    outcome = await province.check("good")
    leaf = province.leaves["good"]
    assert outcome.summary == "portal.bk.example: the certificate is good until 2090-01-01"
    assert (outcome.state, outcome.reason, outcome.answered) == (State.OK, "", True)
    left = (FAR - NOW) / DAY
    days = [(metric.name, metric.instance, metric.value) for metric in outcome.metrics if metric.unit == "d"]
    assert [(name, instance.rpartition(" ")[0]) for name, instance, _ in days] == [
        ("tls.chain.days_left", ""),
        ("tls.sent.days_left", ""),
        ("tls.certificate.days_left", NAME),
        ("tls.certificate.days_left", "BK Intermediate CA"),
        ("tls.certificate.days_left", "BK Root CA"),
    ]
    assert days[2][1] == f"{NAME} {leaf.fingerprint[:8]}"
    assert [value for _, _, value in days] == pytest.approx([left] * 5)
    key = leaf.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert outcome.facts == {
        "fingerprint": leaf.fingerprint,
        "subject": NAME,
        "issuer": "BK Intermediate CA",
        "serial": f"{leaf.certificate.serial_number:x}",
        "names": NAME,
        "key": "EC 256",
        "key_id": hashlib.sha256(key).hexdigest(),
        "signature": "sha256",
        "expires": "2090-01-01",
        "expires_within": "",
        "protocol": "TLSv1.3",
        "cipher": "TLS_AES_256_GCM_SHA384",
    }


@pytest.mark.peer
@pytest.mark.parametrize(
    ("kind", "reason", "summary"),
    [
        (
            "expired",
            "expired",
            "portal.bk.example: the certificate expired on 2026-01-02 (325 days ago): renew it on the server",
        ),
        (
            "wrong-host",
            "hostname",
            (
                "portal.bk.example: the certificate is for mail.bk.example, not for this name: install the right one, "
                "or correct server_name"
            ),
        ),
        (
            "self-signed",
            "untrusted",
            (
                "portal.bk.example: the certificate is signed by itself: install one of a trusted authority, "
                "or give this one as ca_file"
            ),
        ),
        (
            "missing",
            "untrusted",
            (
                "portal.bk.example: the certificate of 'BK Intermediate CA', which signed 'portal.bk.example', is not "
                "on the server, and this agent does not know it: add the intermediate certificate on the server, "
                "or that authority to ca_file"
            ),
        ),
        (
            "stranger",
            "untrusted",
            (
                "portal.bk.example: its authority 'Other Root CA' is not trusted here: give it as ca_file, "
                "or install another certificate"
            ),
        ),
        (
            "expired-authority",
            "expired",
            (
                "portal.bk.example: the certificate of its authority 'BK Old CA' expired on 2026-01-02 (325 days ago): "
                "install a new chain on the server"
            ),
        ),
    ],
)
async def test_a_bad_certificate_says_what_an_operator_must_do(
    province: Province, kind: str, reason: str, summary: str
) -> None:
    outcome = await province.check(kind)
    assert (outcome.state, outcome.reason, outcome.answered) == (State.CRIT, reason, True)
    assert outcome.summary == summary
    assert outcome.facts["fingerprint"] == province.leaves[kind].fingerprint


@pytest.mark.peer
async def test_an_expired_certificate_that_is_not_needed_only_warns(province: Province) -> None:
    outcome = await province.check("spare")
    assert (outcome.state, outcome.reason) == (State.WARN, "expired-unused")
    assert outcome.summary == (
        "portal.bk.example: the server also sends 'BK Old CA', which expired on 2026-01-02 and is not needed: remove it"
    )
    unused = [metric for metric in outcome.metrics if metric.name == "tls.certificate.unused.days_left"]
    assert [(metric.instance[:-9], metric.value < 0) for metric in unused] == [("BK Old CA", True)]


@pytest.mark.peer
async def test_a_self_signed_device_is_judged_by_time_alone_when_told_so(province: Province) -> None:
    assert (await province.check("self-signed", verify=False, server_name="router")).state is State.OK
    assert (await province.check("expired", verify=False)).reason == "expired"


@pytest.mark.peer
async def test_a_self_signed_certificate_given_as_ca_file_is_trusted(province: Province) -> None:
    own = str(Path(province.ca_file).with_name("self-signed.pem"))
    assert (await province.check("self-signed", ca_file=own)).state is State.OK


@pytest.mark.peer
async def test_what_has_not_changed_is_not_examined_again(province: Province, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FixedClock()
    ctx = context(clock)
    first = await province.check("good", ctx)
    with monkeypatch.context() as broken:
        broken.setattr(child, "_ARGV", ("/bin/false",))
        assert (await province.check("good", ctx)).facts == first.facts
        with pytest.raises(ObserverError, match="ended without an answer"):
            await province.check("expired", ctx)  # another certificate
    clock.at = FAR + DAY  # a validity has ended
    monkeypatch.setattr(child, "_ARGV", ("/bin/false",))
    with pytest.raises(ObserverError, match="ended without an answer"):
        await province.check("good", ctx)


@pytest.mark.peer
async def test_a_name_in_vietnamese_is_matched_as_certificates_write_it(province: Province) -> None:
    assert (await province.check("idn", server_name="bắckạn.example")).state is State.OK
    assert (await province.check("good", server_name="bắckạn.example")).reason == "hostname"


@pytest.mark.peer
async def test_a_server_that_takes_old_protocols_is_found_when_asked(province: Province) -> None:
    assert (await province.check("old")).state is State.OK
    outcome = await province.check("old", refuse_older=True)
    assert (outcome.state, outcome.reason) == (State.WARN, "old-protocol")
    assert outcome.summary == (
        "portal.bk.example: the server also takes TLSv1.1: switch off what is older than TLSv1.2"
    )
    assert (await province.check("good", refuse_older=True)).state is State.OK


@pytest.mark.peer
async def test_a_floor_of_protocol_and_cipher_can_be_raised(province: Province) -> None:
    outcome = await province.check("old", min_version="TLSv1.3", min_bits=256)
    assert outcome.summary == (
        "portal.bk.example: the server speaks only TLSv1.2: switch on TLSv1.3 or newer; "
        "the server chose the cipher ECDHE-ECDSA-AES128-GCM-SHA256 of 128 bits: switch on stronger ones"
    )


@pytest.mark.peer
async def test_strict_clients_object_to_what_others_take(province: Province) -> None:
    """Our test authorities do not say what their keys are for, as those that ``openssl req -x509`` makes do not."""
    outcome = await province.check("good", strict=True)
    assert (outcome.state, outcome.reason) == (State.WARN, "nonconforming")
    assert "keyUsage" in outcome.summary


def test_the_daemon_never_loads_the_library_of_certificates() -> None:
    loaded = "import sys, agent.daemon, checks.registry; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False, cwd=Path(__file__).parents[3]).returncode == 0


@pytest.mark.parametrize("verify", [True, False])
async def test_a_port_without_tls_says_so(verify: bool) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"220 mail.example ESMTP\r\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(TargetError) as caught:
            await look(f"127.0.0.1:{port}", verify=verify)
    assert (caught.value.reason, caught.value.answered) == ("tls", True)
    assert caught.value.summary == f"127.0.0.1: port {port}: what listens there does not speak TLS"


async def test_a_refused_connection_is_the_target_s_fault() -> None:
    port = free_port()
    with pytest.raises(TargetError, match=f"127.0.0.1:{port}: connection refused: nothing listens there"):
        await look(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "ca_file {path}: No such file or directory: correct the path"),
        (b"nothing", "ca_file {path}: expected certificates in PEM: "),
    ],
)
async def test_a_ca_file_that_cannot_be_used_is_our_own_fault(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_bytes(content)
    with pytest.raises(ObserverError) as caught:
        await look("127.0.0.1:1", ca_file=str(ca_file))
    assert caught.value.reason == "ca-file"
    assert caught.value.summary.startswith(words.format(path=ca_file))


async def test_a_name_that_is_none_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ObserverError, match="is no DNS name"):
        await look("a..example:443")
    with pytest.raises(ObserverError, match=r"check tls: 'a\.\.b' is no DNS name"):
        await look("a.example", server_name="a..b")
