from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from checks.contract import Context, SystemClock, Target, params_of, shown
from checks.errors import CheckError, ObserverError, TargetError
from checks.ldap.check import CHECK
from checks.model import Outcome, State
from tests.checks.directory import directory
from tests.checks.plugins import plugin
from tests.peers import free_port
from tests.pki import issue
from tests.slapd import BASE, PASSWORD, USER, slapd


def context(timeout: float = 5.0) -> Context:
    return Context(SystemClock(), timeout, {})


async def look(target: str, ctx: Context | None = None, **params: Any) -> Outcome:
    return await CHECK.run(Target("n", target), params_of(CHECK, params), ctx or context())


@dataclasses.dataclass(frozen=True)
class Slapd:
    """A real slapd with one entry, dc=bk,dc=vn, in clear and over TLS for the name localhost."""

    clear: int
    tls: int
    ca_file: str

    async def look(self, *, tls: str = "", **params: Any) -> Outcome:
        port = self.tls if tls == "implicit" else self.clear
        host = "localhost" if tls else "127.0.0.1"
        return await look(f"{host}:{port}", tls=tls, ca_file=self.ca_file, **params)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    folder = tmp_path_factory.mktemp("slapd")
    root = issue("BK Root CA", authority=True)
    (folder / "ca.pem").write_bytes(root.pem)
    clear, tls = free_port(), free_port()
    urls = (f"ldap://127.0.0.1:{clear}", f"ldap://[::1]:{clear}", f"ldaps://127.0.0.1:{tls}")
    with slapd(folder, urls, issue("localhost", "localhost", by=root)):
        yield Slapd(clear, tls, str(folder / "ca.pem"))


@pytest.mark.peer
async def test_a_directory_that_lets_anybody_in_is_well(server: Slapd) -> None:
    outcome = await server.look()
    assert (outcome.state, outcome.reason, outcome.answered) == (State.OK, "", True)
    assert outcome.summary == f"127.0.0.1:{server.clear}: lets anybody in"
    names = [metric.name for metric in outcome.metrics]
    assert names == ["dns.lookup.duration", "tcp.connect.duration", "ldap.bind.duration", "ldap.duration"]


@pytest.mark.peer
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
async def test_a_password_is_taken_over_tls(server: Slapd, tls: str) -> None:
    outcome = await server.look(tls=tls, bind_dn=USER, password=PASSWORD, base=BASE)
    assert outcome.state is State.OK
    assert outcome.summary.endswith(": lets us in, and holds the entry")
    assert "tls.handshake.duration" in [metric.name for metric in outcome.metrics]


@pytest.mark.peer
async def test_a_wrong_password_condemns_nobody_and_is_not_told(server: Slapd) -> None:
    with pytest.raises(ObserverError) as caught:
        await server.look(tls="implicit", bind_dn=USER, password="wr0ng")
    assert (caught.value.reason, caught.value.answered) == ("not-let-in", True)
    assert caught.value.summary == f"localhost:{server.tls}: does not let us in: invalidCredentials (49)"


@pytest.mark.peer
async def test_an_entry_that_is_not_there_is_critical(server: Slapd) -> None:
    with pytest.raises(TargetError) as caught:
        await server.look(base="ou=gone,dc=bk,dc=vn")
    assert (caught.value.reason, caught.value.answered) == ("no-entry", True)
    with pytest.raises(ObserverError, match=r"does not show the entry 'nonsense': invalidDNSyntax \(34\)"):
        await server.look(base="nonsense")


@pytest.mark.peer
async def test_a_certificate_that_is_not_trusted_is_told(server: Slapd) -> None:
    for tls, port in (("implicit", server.tls), ("starttls", server.clear)):
        with pytest.raises(TargetError) as caught:
            await look(f"localhost:{port}", tls=tls)
        assert (caught.value.reason, caught.value.answered) == ("untrusted", True)
        assert caught.value.summary.startswith(f"localhost:{port}: its certificate is not accepted: ")


@pytest.mark.peer
async def test_both_families_are_asked(server: Slapd) -> None:
    outcome = await look(f"ldap.example:{server.clear}", directory("127.0.0.1", "::1"), family="both", base=BASE)
    assert outcome.state is State.OK
    assert {metric.instance for metric in outcome.metrics} == {"v4", "v6"}


@pytest.mark.peer
async def test_the_plug_in_of_nagios_agrees(server: Slapd) -> None:
    words = ("-H", "127.0.0.1", "-p", str(server.clear), "-3", "-b")
    assert (await plugin("check_ldap", *words, BASE))[0] == 0
    assert (await plugin("check_ldap", *words, "ou=gone,dc=bk,dc=vn"))[0] == 2


@contextlib.asynccontextmanager
async def answering(*answers: str) -> AsyncIterator[str]:
    """A server that sends these bytes, in hex, each after something was heard, then hangs up."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            for answer in answers:
                await reader.read(1000)
                writer.write(bytes.fromhex(answer))
                await writer.drain()
            writer.close()
            await writer.wait_closed()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with listener:
        yield f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize(
    ("answers", "state", "reason", "words"),
    [
        (["300c 020101 6107 0a0133 0400 0400"], State.CRIT, "ldap", "does not let us in: busy (51)"),
        (["300c 020101 6107 0a0130 0400 0400"], State.UNKNOWN, "not-let-in", "inappropriateAuthentication (48)"),
        (
            ["300e 020100 7809 0a0134 0400 0402 6f66"],
            State.CRIT,
            "ldap",
            "ends the connection: unavailable (52): of",
        ),
        (["300c 020109 6107 0a0100 0400 0400"], State.CRIT, "protocol", "answers what was not asked"),
        (["48545450"], State.CRIT, "protocol", "what answers does not speak LDAP: tag 0x48 where 0x30 was expected"),
        (["30847fffffff"], State.CRIT, "protocol", "does not speak LDAP: a message of 2147483647 bytes"),
        (["3080"], State.CRIT, "protocol", "does not speak LDAP: a length that begins with 0x80"),
        (["300c 0201"], State.CRIT, "closed", "hangs up after"),
        ([], State.CRIT, "closed", "hangs up"),
    ],
)
async def test_what_else_a_server_may_answer_is_told_by_its_name(
    answers: list[str], state: State, reason: str, words: str
) -> None:
    async with answering(*answers) as place:
        try:
            with pytest.raises(CheckError) as caught:
                await look(place)
        except ConnectionError:
            assert reason == "closed"  # it went before it had heard us out
            return
    assert (caught.value.state, caught.value.reason, caught.value.answered) == (state, reason, True)
    assert words in caught.value.summary


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"bind_dn": "cn=x"}, "bind_dn and password: expected both, or none for an anonymous bind"),
        ({"bind_dn": "cn=x", "password": "p"}, "password: would cross the network in clear: set tls to starttls or"),
        ({"tls": "yes"}, "Invalid enum value 'yes' at `tls`"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, str], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert caught.value.summary.startswith(f"check ldap: {words}")


def test_the_password_is_never_shown() -> None:
    params = params_of(CHECK, {"bind_dn": USER, "password": PASSWORD, "tls": "implicit"})
    assert PASSWORD not in str(shown(params))
