from __future__ import annotations

import asyncio
import dataclasses
import datetime
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import tls
from checks.certificates import matches, parse, path
from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from checks.tls import Shown, TlsParams
from tests.nginx import nginx
from tests.peers import free_port
from tests.pki import DAY, Issued, issue

NAME = "portal.bk.example"
NOW = datetime.datetime(2026, 11, 23, 12, tzinfo=datetime.UTC)
START = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)


class FixedClock(SystemClock):
    """A clock that shows NOW."""

    def now(self) -> int:
        return int(NOW.timestamp() * 1000)


def context(clock: SystemClock | None = None) -> Context:
    return Context(clock or FixedClock(), 10.0, {})


@dataclasses.dataclass(frozen=True)
class Province:
    """A real nginx, with a port for each way to have a certificate, and the file of the authority."""

    ports: dict[str, int]
    ca_file: str
    leaves: dict[str, Issued]

    async def check(self, kind: str, clock: SystemClock | None = None, **params: object) -> Outcome:
        values = {"server_name": NAME, "ca_file": self.ca_file, **params}
        target = Target("centre", f"127.0.0.1:{self.ports[kind]}")
        return await tls.run(target, params_of(tls.CHECK, values), context(clock))


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    folder = tmp_path_factory.mktemp("tls")
    far = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)
    root = issue("BK Root CA", authority=True, start=START, end=far)
    middle = issue("BK Intermediate CA", authority=True, by=root, start=START, end=far)
    stranger = issue("Other Root CA", authority=True, start=START, end=far)
    past = datetime.datetime(2026, 1, 2, 8, tzinfo=datetime.UTC)
    old = issue("BK Old CA", authority=True, by=root, start=START, end=past)

    def leaf(by: Issued | None, name: str = NAME, end: datetime.datetime = far) -> Issued:
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
    }
    ports = {kind: free_port() for kind in chains}
    servers = []
    for kind, chain in chains.items():
        certificate, key = chain[0].write(folder, kind, chain[1:])
        files = f"ssl_certificate {certificate}; ssl_certificate_key {key};"
        servers.append(f"server {{ listen 127.0.0.1:{ports[kind]} ssl; ssl_protocols TLSv1.2 TLSv1.3; {files} }}")
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
    days = {metric.instance[:-9]: metric for metric in outcome.metrics if metric.unit == "d"}
    assert list(days) == [NAME, "BK Intermediate CA", "BK Root CA"]
    assert days[NAME].instance == f"{NAME} {leaf.fingerprint[:8]}"
    assert days[NAME].value == pytest.approx((datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC) - NOW) / DAY)
    assert outcome.facts == {
        "fingerprint": leaf.fingerprint,
        "subject": NAME,
        "issuer": "BK Intermediate CA",
        "serial": f"{leaf.certificate.serial_number:x}",
        "protocol": "TLSv1.3",
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
                "portal.bk.example: the server does not send the certificate of 'BK Intermediate CA', which signed "
                "'portal.bk.example', and this agent does not know it: add the intermediate certificate on the server, "
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
async def test_a_run_after_a_good_one_costs_one_handshake_again(province: Province) -> None:
    params = params_of(tls.CHECK, {"server_name": NAME, "ca_file": province.ca_file})
    ctx = context()
    for _ in range(2):
        _, shown = await tls.fetch("127.0.0.1", province.ports["good"], NAME, params, ctx)
        assert (len(shown.sent), len(shown.used), shown.problem) == (2, 3, "")


def shown(*chain: Issued, problem: str = "") -> Shown:
    return Shown("TLSv1.3", parse(one.der for one in chain), problem=problem)


@pytest.mark.parametrize(
    ("left", "state", "summary"),
    [
        (31, State.OK, "portal.bk.example: the certificate is good until 2026-12-24"),
        (
            30,
            State.WARN,
            "portal.bk.example: the certificate expires on 2026-12-23 (30 days left): renew it on the server",
        ),
        (
            1,
            State.CRIT,
            "portal.bk.example: the certificate expires on 2026-11-24 (1 day left): renew it on the server",
        ),
    ],
)
def test_a_certificate_that_ends_soon_warns_in_time(left: int, state: State, summary: str) -> None:
    leaf = issue(NAME, NAME, start=START, end=NOW + left * DAY)
    outcome = tls.judge(NAME, shown(leaf), TlsParams(), context())
    assert (outcome.state, outcome.summary) == (state, summary)
    assert outcome.reason == ("expires-soon" if state is not State.OK else "")


def test_a_certificate_of_the_future_points_at_the_clocks() -> None:
    leaf = issue(NAME, NAME, start=NOW + 2 * DAY, end=NOW + 400 * DAY)
    outcome = tls.judge(NAME, shown(leaf), TlsParams(), context())
    assert (outcome.state, outcome.reason) == (State.CRIT, "not-yet-valid")
    assert outcome.summary == (
        "portal.bk.example: the certificate is valid only from 2026-11-25: "
        "compare the clocks of the server and this agent"
    )


def test_several_faults_are_all_told() -> None:
    leaf = issue("x", "x.example", start=START, end=NOW - DAY)
    outcome = tls.judge(NAME, shown(leaf, problem="the chain is not valid (CA md too weak)"), TlsParams(), context())
    assert outcome.reason == "expired"
    assert outcome.summary == (
        "portal.bk.example: the certificate expired on 2026-11-22 (1 day ago): renew it on the server; "
        "the certificate is for x.example, not for this name: install the right one, or correct server_name; "
        "the chain is not valid (CA md too weak)"
    )


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
            await tls.run(Target("n", f"127.0.0.1:{port}"), TlsParams(verify=verify), context())
    assert (caught.value.reason, caught.value.answered) == ("tls", True)
    assert caught.value.summary == f"127.0.0.1: port {port}: what listens there does not speak TLS"


async def test_a_refused_connection_is_the_target_s_fault() -> None:
    port = free_port()
    with pytest.raises(TargetError, match=f"127.0.0.1:{port}: connection refused: nothing listens there"):
        await tls.run(Target("n", f"127.0.0.1:{port}"), TlsParams(), context())


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
        await tls.run(Target("n", "127.0.0.1:1"), TlsParams(ca_file=str(ca_file)), context())
    assert caught.value.reason == "ca-file"
    assert caught.value.summary.startswith(words.format(path=ca_file))


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("a.example", ("a.example",), True),
        ("A.Example.", ("a.example",), True),
        ("a.example", ("*.example",), True),
        ("b.a.example", ("*.example",), False),
        ("example", ("*",), False),
        ("a.example", (), False),
        ("192.0.2.1", ("192.0.2.1",), True),
        ("192.0.2.1", ("*.0.2.1",), False),
        ("2001:DB8::1", ("2001:db8::1",), True),
        ("bắckạn.example", ("xn--bckn-t20b5k.example",), False),
    ],
)
def test_a_name_matches_as_rfc_9525_says(name: str, names: tuple[str, ...], found: bool) -> None:
    assert matches(name, names) is found


def test_a_chain_is_found_in_any_order_and_without_what_does_not_belong() -> None:
    root = issue("Root", authority=True)
    middle = issue("Middle", authority=True, by=root)
    leaf = issue("leaf", "a.example", by=middle)
    other = issue("Other", authority=True)
    chain = parse(one.der for one in (leaf, other, root, middle))
    assert [one.subject for one in path(chain)] == ["leaf", "Middle", "Root"]


@given(st.binary(max_size=200))
def test_bytes_that_are_no_certificate_raise_value_error_alone(der: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its words are the library's
        parse([der])
