from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.dnssec
import dns.dnssectypes
import dns.message
import dns.rrset
import dns.zone
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from checks.contract import Context, Target, params_of
from checks.dns.check import CHECK
from checks.errors import ObserverError, TargetError
from checks.model import Outcome, State
from tests.checks.answering import answering
from tests.checks.directory import directory
from tests.peers import accepts, free_port, need, running
from tests.unbound import unbound

_ZONE = """
@ 300 IN SOA ns admin 2026112301 3600 600 86400 300
@ 300 IN NS ns
ns 300 IN A 127.0.0.1
portal 300 IN A 10.58.1.10
portal 300 IN A 10.58.1.11
www 300 IN CNAME portal
"""
BLACKBOX = "prometheus-blackbox-exporter"
DAY = datetime.timedelta(days=1)


def signed(folder: Path, name: str, expires: datetime.timedelta) -> None:
    """Writes a zone that is signed, and adds its key's digest to those that are trusted."""
    zone = dns.zone.from_text(_ZONE, origin=f"{name}.")
    key = ec.generate_private_key(ec.SECP256R1())
    public = dns.dnssec.make_dnskey(key.public_key(), dns.dnssectypes.Algorithm.ECDSAP256SHA256, flags=257)
    now = datetime.datetime.now(datetime.UTC)
    with zone.writer() as writer:
        dns.dnssec.sign_zone(zone, writer, keys=[(key, public)], inception=now - 9 * DAY, expiration=now + expires)
    zone.to_file(str(folder / name), relativize=False)
    with (folder / "anchors").open("a") as anchors:
        anchors.write(f"{name}. DS {dns.dnssec.make_ds(f'{name}.', public, 'SHA256').to_text()}\n")


@dataclasses.dataclass(frozen=True)
class Resolver:
    """A real unbound: own.example is its own zone, the others it validates."""

    port: int

    async def ask(self, name: str, ctx: Context | None = None, **params: Any) -> Outcome:
        target = Target("n", f"ns.example:{self.port}")
        return await CHECK.run(target, params_of(CHECK, {"name": name, **params}), ctx or directory("127.0.0.1"))


@contextlib.contextmanager
def blackbox(folder: Path, modules: dict[str, Any]) -> Iterator[int]:
    """The port of a blackbox_exporter with these modules; what is JSON is YAML too."""
    need(BLACKBOX)
    port, configuration = free_port(), folder / "blackbox.json"
    configuration.write_text(json.dumps({"modules": modules}))
    argv = [BLACKBOX, f"--config.file={configuration}", f"--web.listen-address=127.0.0.1:{port}"]
    with running(argv, ready=lambda: accepts(port), log=folder / "blackbox.log"):
        yield port


@pytest.fixture(scope="module")
def resolver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Resolver]:
    folder, port = tmp_path_factory.mktemp("unbound"), free_port()
    signed(folder, "bk.example", DAY)
    signed(folder, "late.example", -DAY)
    many = "".join(f'many 300 IN TXT "{number} {"x" * 200}"\n' for number in range(20))
    (folder / "own.example").write_text(f"$ORIGIN own.example.\n{_ZONE}{many}")
    zones = ("bk.example", "late.example")
    with unbound(folder, port, own=("own.example",), resolved=zones, addresses=("127.0.0.1", "::1")):
        yield Resolver(port)


@pytest.mark.peer
async def test_a_server_that_answers_is_well(resolver: Resolver) -> None:
    outcome = await resolver.ask("portal.bk.example")
    assert (outcome.state, outcome.answered, outcome.reason) == (State.OK, True, "")
    assert outcome.summary == f"ns.example:{resolver.port}: answers for portal.bk.example A as expected"
    metrics = {metric.name: (metric.value, metric.unit) for metric in outcome.metrics}
    assert metrics["dns.answer.records"] == (2, "1")
    assert 0 < metrics["dns.lookup.duration"][0] < 5


@pytest.mark.peer
@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_the_answer_is_compared(resolver: Resolver, transport: str) -> None:
    async def ask(*expect: str, **params: Any) -> Outcome:
        return await resolver.ask("www.own.example", expect=expect, transport=transport, **params)

    assert (await ask("10.58.1.11", "10.58.1.10")).state is State.OK
    assert (await ask("10.58.1.11", only=False)).state is State.OK
    outcome = await ask("10.58.1.11")
    assert (outcome.state, outcome.reason) == (State.CRIT, "answer")
    assert outcome.summary.endswith(
        "answers 10.58.1.10, 10.58.1.11 for www.own.example A where 10.58.1.11 was expected"
    )
    assert (await ask("10.58.6.6", only=False)).reason == "answer"


@pytest.mark.peer
async def test_an_answer_that_is_too_long_for_udp_comes_over_tcp(resolver: Resolver) -> None:
    outcome = await resolver.ask("many.own.example", type="TXT")
    assert {metric.name: metric.value for metric in outcome.metrics}["dns.answer.records"] == 20


@pytest.mark.peer
async def test_a_name_that_is_not_there_is_told_from_a_type_that_is_not(resolver: Resolver) -> None:
    gone, typeless = await resolver.ask("gone.bk.example"), await resolver.ask("portal.bk.example", type="MX")
    assert (gone.state, gone.reason) == (State.CRIT, "rcode")
    assert gone.summary.endswith(": answers NXDOMAIN for gone.bk.example A where NOERROR was expected")
    assert (typeless.state, typeless.reason) == (State.CRIT, "no-answer")
    assert typeless.summary.endswith(": knows portal.bk.example, but no MX record of it")
    assert (await resolver.ask("gone.bk.example", rcode="NXDOMAIN")).state is State.OK
    assert (await resolver.ask("portal.bk.example", rcode="NXDOMAIN")).reason == "rcode"


@pytest.mark.peer
async def test_only_a_zone_s_own_server_is_authoritative(resolver: Resolver) -> None:
    assert (await resolver.ask("own.example", type="SOA", authoritative=True)).state is State.OK
    outcome = await resolver.ask("bk.example", type="SOA", authoritative=True)
    assert (outcome.state, outcome.reason) == (State.CRIT, "not-authoritative")
    assert {metric.name: metric.value for metric in outcome.metrics}["dns.soa.serial"] == 2026112301


@pytest.mark.peer
async def test_an_answer_is_validated_or_not(resolver: Resolver) -> None:
    assert (await resolver.ask("portal.bk.example", dnssec=True)).state is State.OK
    unsigned = await resolver.ask("portal.own.example", dnssec=True)
    assert (unsigned.state, unsigned.reason) == (State.CRIT, "not-validated")
    late = await resolver.ask("portal.late.example")
    assert (late.state, late.reason) == (State.CRIT, "rcode")
    assert "answers SERVFAIL (DNSKEY missing) for portal.late.example A" in late.summary  # as unbound calls it


@pytest.mark.peer
@pytest.mark.parametrize(
    ("name", "expect", "well"),
    [
        ("www.own.example", "10.58.1.10", True),
        ("www.own.example", "10.58.6.6", False),
        ("gone.own.example", "10.58.1.10", False),
        ("portal.late.example", "10.58.1.10", False),
    ],
)
async def test_blackbox_exporter_comes_to_the_same_verdict(
    resolver: Resolver, tmp_path: Path, name: str, expect: str, well: bool
) -> None:
    wanted = {"fail_if_none_matches_regexp": [f".*\\s{re.escape(expect)}"]}
    module = {"prober": "dns", "dns": {"query_name": name, "query_type": "A", "validate_answer_rrs": wanted}}
    with blackbox(tmp_path, {"dns": module}) as theirs:
        words = {"module": "dns", "target": f"127.0.0.1:{resolver.port}"}
        async with httpx.AsyncClient() as client:
            said = (await client.get(f"http://127.0.0.1:{theirs}/probe", params=words)).text
    ours = await resolver.ask(name, expect=[expect], only=False)
    assert (ours.state is State.OK, f"probe_success {int(well)}" in said) == (well, True)


@pytest.mark.peer
async def test_both_families_are_asked(resolver: Resolver) -> None:
    outcome = await resolver.ask("portal.bk.example", directory("127.0.0.1", "::1"), family="both")
    assert (outcome.state, outcome.answered) == (State.OK, True)
    assert {metric.instance for metric in outcome.metrics} == {"v4", "v6"}
    outcome = await resolver.ask("portal.bk.example", directory("127.0.0.1", "100::1", timeout=1), family="both")
    assert outcome.reason in ("v6-down", "no-route")  # as the host's own IPv6 has it


@pytest.mark.peer
async def test_a_slow_answer_is_judged_by_its_levels(resolver: Resolver) -> None:
    outcome = await resolver.ask("portal.bk.example", levels={"warn": 0})
    assert (outcome.state, outcome.reason) == (State.WARN, "slow")


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_where_nobody_listens_it_is_refused(transport: str) -> None:
    with pytest.raises(TargetError) as caught:
        await Resolver(free_port()).ask("a.vn", transport=transport)
    assert caught.value.reason == "refused"


async def test_a_server_that_does_not_know_edns_is_asked_as_before() -> None:
    def old(_: int, data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        if query.edns >= 0:  # RFC 6891, section 7: the whole question is sent back, or nothing of it
            return [data[:2] + b"\x80\x01" + bytes(8)]
        made = dns.message.make_response(query)
        made.answer.append(dns.rrset.from_text(query.question[0].name, 9, "IN", "A", "10.58.1.1"))
        return [made.to_wire()]

    async with answering(old) as port:
        assert (await Resolver(port).ask("portal.bk.example")).state is State.OK


async def test_a_forged_answer_is_passed_over() -> None:
    def attacked(_: int, data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        made = dns.message.make_response(query)
        made.answer.append(dns.rrset.from_text(query.question[0].name, 9, "IN", "A", "10.58.1.1"))
        true = made.to_wire()
        return [bytes((true[0] ^ 1,)) + true[1:].replace(b"\x0a\x3a\x01\x01", b"\x06\x06\x06\x06"), true]

    async with answering(attacked) as port:
        assert (await Resolver(port).ask("portal.bk.example", expect=["10.58.1.1"])).state is State.OK


async def test_what_is_no_dns_server_is_said_to_be_none() -> None:
    async with answering(lambda _, data: [data]) as port:
        with pytest.raises(TargetError, match=r"is no DNS server, or a broken one: a query, not a response") as caught:
            await Resolver(port).ask("a.vn")
    assert (caught.value.reason, caught.value.answered) == ("malformed", True)


async def test_a_server_that_hangs_up_over_tcp_is_said_to() -> None:
    async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((TargetError, ConnectionError)):
            await Resolver(port).ask("a.vn", transport="tcp")


async def test_silence_is_a_timeout() -> None:
    async with answering(lambda _count, _data: []) as port:
        with pytest.raises(TargetError) as caught:
            await Resolver(port).ask("a.vn", directory("127.0.0.1", timeout=0.2))
    assert (caught.value.reason, caught.value.answered) == ("timeout", False)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"name": "a..b"}, "check dns: name 'a..b': expected a domain name such as portal.example.vn"),
        ({"name": "a.vn", "expect": ["10.1"]}, "check dns: expect: A record: Expected 4 octets in '10.1'"),
        ({"type": "ANY"}, "check dns: Invalid enum value 'ANY' at `type`"),
    ],
)
def test_a_wrong_parameter_is_named(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert caught.value.summary == words
