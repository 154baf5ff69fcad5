from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target, params_of
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from checks.registry import find
from tests.checks.directory import directory
from tests.checks.plugins import plugin
from tests.dovecot import Dovecot, dovecot
from tests.peers import free_port
from tests.pki import issue

PROTOCOLS = ("imap", "pop3", "smtp")


def context(timeout: float = 5.0) -> Context:
    return Context(SystemClock(), timeout, {})


async def greet(protocol: str, target: str, ctx: Context | None = None, **params: Any) -> Outcome:
    check = find(protocol)
    return await check.run(Target("n", target), params_of(check, params), ctx or context())


@dataclasses.dataclass(frozen=True)
class Mail:
    dovecot: Dovecot
    ca_file: str


@pytest.fixture(scope="module")
def mail(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mail]:
    folder = tmp_path_factory.mktemp("mail")
    root = issue("BK Root CA", authority=True)
    (folder / "ca.pem").write_bytes(root.pem)
    with dovecot(issue("localhost", "localhost", by=root), listen="127.0.0.1, ::1") as running:
        yield Mail(running, str(folder / "ca.pem"))


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_real_server_greets_in_clear_and_over_tls(mail: Mail, protocol: str) -> None:
    clear, tls = mail.dovecot.clear[protocol], mail.dovecot.tls[protocol]
    outcome = await greet(protocol, f"127.0.0.1:{clear}")
    assert (outcome.state, outcome.reason, outcome.answered) == (State.OK, "", True)
    assert outcome.summary == f"127.0.0.1:{clear}: greets as {protocol.upper()} does"
    names = ["dns.lookup.duration", "tcp.connect.duration", f"{protocol}.greeting.duration"]
    assert [metric.name for metric in outcome.metrics] == names
    over_tls = await greet(protocol, f"localhost:{tls}", tls=True, ca_file=mail.ca_file)
    assert over_tls.state is State.OK
    assert [metric.name for metric in over_tls.metrics] == [*names[:2], "tls.handshake.duration", names[2]]
    with pytest.raises(TargetError) as caught:
        await greet(protocol, f"localhost:{tls}", tls=True)
    assert (caught.value.reason, caught.value.answered) == ("untrusted", True)


@pytest.mark.peer
@pytest.mark.root
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_plug_in_of_nagios_finds_it_well_too(mail: Mail, protocol: str) -> None:
    name = {"imap": "check_imap", "pop3": "check_pop", "smtp": "check_smtp"}[protocol]
    code, said = await plugin(name, "-H", "127.0.0.1", "-p", str(mail.dovecot.clear[protocol]))
    assert code == 0, said


@pytest.mark.peer
@pytest.mark.root
async def test_both_families_are_greeted(mail: Mail) -> None:
    outcome = await greet(
        "imap", f"mail.bk.vn:{mail.dovecot.clear['imap']}", directory("127.0.0.1", "::1"), family="both"
    )
    assert outcome.state is State.OK
    assert {metric.instance for metric in outcome.metrics} == {"v4", "v6"}


@pytest.mark.peer
@pytest.mark.root
async def test_an_ability_can_be_asked_for(mail: Mail) -> None:
    place = f"127.0.0.1:{mail.dovecot.clear['smtp']}"
    assert (await greet("smtp", place, expect="(?m)^250.STARTTLS")).state is State.OK
    with pytest.raises(TargetError) as caught:
        await greet("smtp", place, expect="XCLIENT-SECRET")
    assert (caught.value.reason, caught.value.answered) == ("expect", True)


@pytest.mark.peer
@pytest.mark.root
async def test_tls_asked_of_a_port_in_clear_is_no_tls(mail: Mail) -> None:
    with pytest.raises(ssl.SSLError):
        await greet("pop3", f"127.0.0.1:{mail.dovecot.clear['pop3']}", tls=True, verify=False)


@contextlib.asynccontextmanager
async def saying(*lines: bytes, stay: bool = False) -> AsyncIterator[str]:
    """A server that says one of these at first and after each line that it hears, then hangs up or stays. It can quote
    what it has heard."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await _speak(reader, writer, lines)
            if stay:
                await reader.read()
            writer.close()
            await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        await asyncio.wait_for(ended.wait(), 5)


async def _speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, lines: Sequence[bytes]) -> None:
    for index, line in enumerate(lines):
        heard = await reader.readline() if index else b""
        writer.write(line.replace(b"{heard}", heard.strip()))
        await writer.drain()


@pytest.mark.parametrize(
    ("protocol", "lines", "reason", "words"),
    [
        ("smtp", [b"554 no\r\n"], "greeting", "says '554 no' in greeting where '220' was expected of SMTP"),
        (
            "smtp",
            [b"220-a\r\n220 b\r\n", b"421 busy\r\n"],
            "greeting",
            "says '421 busy' to 'EHLO' where '250' was expected",
        ),
        ("imap", [b"* BYE full\r\n"], "greeting", "says '* BYE full' in greeting where '* OK' was expected of IMAP"),
        ("imap", [b"* OK\r\n", b"* x\r\na1 BAD\r\n"], "greeting", "says 'a1 BAD' to 'a1 CAPABILITY' where 'a1 OK' was"),
        ("pop3", [b"-ERR no\r\n"], "greeting", "says '-ERR no' in greeting where '+OK' was expected of POP3"),
        ("pop3", [b""], "closed", "hangs up"),
        ("pop3", [b"+OK"], "closed", "hangs up after b'+OK'"),
        ("imap", [b"HTTP/1.1 400\r\n" * 9000], "greeting", "says 'HTTP/1.1 400' in greeting"),
        ("smtp", [b"x" * 200_000], "protocol", "says more than 65536 bytes at once: it speaks another protocol"),
    ],
)
async def test_another_greeting_is_quoted(protocol: str, lines: list[bytes], reason: str, words: str) -> None:
    async with saying(*lines) as place:
        with pytest.raises(TargetError) as caught:
            await greet(protocol, place)
    assert (caught.value.reason, caught.value.answered) == (reason, True)
    assert caught.value.summary.startswith(f"{place}: {words}")


async def test_a_server_that_accepts_and_then_says_nothing_is_told_from_one_that_is_not_there() -> None:
    async with saying(b"", stay=True) as place:
        with pytest.raises(TargetError) as caught:
            await greet("smtp", place, context(0.6))
    assert (caught.value.reason, caught.value.answered) == ("timeout", True)
    assert caught.value.summary == f"{place}: accepts connections, but then says nothing in time"
    with pytest.raises(TargetError) as caught:
        await greet("smtp", f"127.0.0.1:{free_port()}")
    assert (caught.value.reason, caught.value.answered) == ("refused", False)


async def test_ehlo_names_our_own_address() -> None:
    async with saying(b"220 a\r\n", b"250 {heard}\r\n", stay=True) as place:
        assert (await greet("smtp", place, expect=r"EHLO \[127\.0\.0\.1\]")).state is State.OK


async def test_a_slow_greeting_is_judged_by_its_levels() -> None:
    async with saying(b"+OK\r\n", stay=True) as place:
        outcome = await greet("pop3", place, levels={"warn": 0})
    assert (outcome.state, outcome.reason) == (State.WARN, "slow")


def test_a_wrong_pattern_is_named() -> None:
    with pytest.raises(ObserverError, match=r"check imap: expect '\(' is not a regular expression"):
        params_of(find("imap"), {"expect": "("})
