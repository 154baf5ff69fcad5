"""Held to dnspython, which others have tried for twenty years."""

from __future__ import annotations

import contextlib
import re
import string

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.dns.message import Query, answers, parse
from checks.dns.name import read, to_wire
from checks.dns.record import TYPES, Type, normal

LABELS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=63)
NAMES = st.lists(LABELS, max_size=3).map(".".join)
RECORDS = {
    "A": "10.58.1.10",
    "AAAA": "2001:db8::10",
    "CAA": '0 issue "ca.example.vn"',
    "CNAME": "portal.bk.example.",
    "DNSKEY": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==",
    "DS": "60485 5 1 2BB183AF5F22588179A53B0A98631FAD1A292118",
    "MX": "10 mail.bk.example.",
    "NS": "ns.bk.example.",
    "PTR": "r1.bk.example.",
    "SOA": "ns.bk.example. admin.bk.example. 2026112301 3600 600 86400 300",
    "SRV": "0 5 389 ldap.bk.example.",
    "TXT": '"v=spf1 mx -all"',
}


@given(st.binary(min_size=1, max_size=63), st.integers(0, 3))
def test_every_name_is_read_as_it_was_written(label: bytes, above: int) -> None:
    name = dns.name.Name([label, *[b"bk"] * above, b""])
    wire = name.to_wire()
    assert wire is not None
    text, behind = read(wire, 0)
    assert behind == len(wire)
    assert to_wire(text) == name.canonicalize().to_wire()


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        (".", b"\0"),
        ("", b"\0"),
        ("a.vn", b"\1a\2vn\0"),
        ("a.vn.", b"\1a\2vn\0"),
        (r"a\.b.vn", b"\3a.b\2vn\0"),
        (r"\000.vn", b"\1\0\2vn\0"),
        ("bắckạn.vn", b"\x0fxn--bckn-7q5apd\2vn\0"),
    ],
)
def test_a_name_is_written_as_operators_do(text: str, wire: bytes) -> None:
    assert to_wire(text) == wire


@pytest.mark.parametrize("text", ["a..vn", ".vn", "x" * 64, "a." * 130, r"a\300.vn", "a\\"])
def test_what_is_no_name_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(text))):
        to_wire(text)


@pytest.mark.parametrize("wire", [b"\xc0\0", b"\1a\xc0\0", b"\1a\xc0\2", b"\xc0\x20", b"\x40", b"\x09abc", b"\1"])
def test_a_name_that_runs_in_circles_or_is_cut_off_ends(wire: bytes) -> None:
    with pytest.raises((ValueError, IndexError)):
        read(wire, 0)


@given(NAMES, st.sampled_from(sorted(TYPES)), st.booleans(), st.booleans(), st.booleans())
def test_a_query_is_one_to_others(name: str, kind: str, recursion: bool, dnssec: bool, edns: bool) -> None:
    packed = Query(4711, name, kind, recursion, dnssec, edns).pack()
    found = dns.message.from_wire(packed)
    (question,) = found.question
    assert (found.id, question.name, question.rdtype) == (4711, dns.name.from_text(name), TYPES[kind])
    assert bool(found.flags & dns.flags.RD) is recursion
    assert bool(found.flags & dns.flags.AD) is dnssec
    assert found.edns == (0 if edns else -1)
    assert bool(found.ednsflags & dns.flags.DO) is (dnssec and edns)


def response(kind: str, *data: str, owner: str = "portal.bk.example.") -> dns.message.Message:
    query = dns.message.make_query("portal.bk.example.", kind, id=7)
    made = dns.message.make_response(query)
    made.answer.append(dns.rrset.from_text(owner, 300, "IN", kind, *data))
    return made


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_records_are_read_as_others_wrote_them(kind: Type) -> None:
    found = parse(response(kind, RECORDS[kind]).to_wire())
    (record,) = found.answer
    assert (record.name, record.type, record.ttl) == ("portal.bk.example", TYPES[kind], 300)
    assert record.data == normal(kind, RECORDS[kind])
    assert answers(Query(7, "Portal.bk.example.", kind), found)


def test_an_alias_is_followed_to_the_end() -> None:
    made = response("A", "10.58.1.10", owner="real.bk.example.")
    made.answer.insert(0, dns.rrset.from_text("portal.bk.example.", 300, "IN", "CNAME", "www.bk.example."))
    made.answer.append(dns.rrset.from_text("www.bk.example.", 300, "IN", "CNAME", "Real.bk.example."))
    made.answer.append(dns.rrset.from_text("other.bk.example.", 300, "IN", "A", "10.58.6.6"))
    found = parse(made.to_wire())
    assert [record.data for record in found.data("PORTAL.bk.example", "A")] == ["10.58.1.10"]
    assert [record.data for record in found.data("portal.bk.example", "CNAME")] == ["www.bk.example"]


def test_aliases_in_a_circle_have_no_end() -> None:
    made = response("CNAME", "portal.bk.example.")
    assert parse(made.to_wire()).data("portal.bk.example", "A") == ()


def test_flags_long_codes_and_their_reason_are_read() -> None:
    query = dns.message.make_query("portal.bk.example.", "A", id=7)
    made = dns.message.make_response(query)
    made.flags |= dns.flags.AA | dns.flags.AD | dns.flags.RA
    made.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.DNSSEC_BOGUS, "signature crypto failed")])
    made.set_rcode(dns.rcode.BADVERS)
    found = parse(made.to_wire())
    assert (found.authoritative, found.authentic, found.recursion, found.edns) == (True,) * 4
    assert (found.rcode_name, found.extended) == ("BADVERS", ((6, "signature crypto failed"),))


@pytest.mark.parametrize(
    ("number", "name", "kind"),
    [(8, "portal.bk.example", "A"), (7, "x.bk.example", "A"), (7, "portal.bk.example", "NS")],
)
def test_an_answer_to_another_question_is_not_ours(number: int, name: str, kind: str) -> None:
    assert not answers(Query(number, name, kind), parse(response("A", "10.58.1.10").to_wire()))


@given(st.integers(0, 90), st.integers(0, 255))
def test_a_damaged_message_is_read_or_refused_but_never_breaks(at: int, byte: int) -> None:
    wire = bytearray(response("SOA", RECORDS["SOA"]).to_wire())
    wire[at % len(wire)] = byte
    for message in (bytes(wire), bytes(wire[:at])):
        with contextlib.suppress(ValueError):
            parse(message)


@given(st.binary(max_size=100))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        parse(data)


@pytest.mark.parametrize(
    ("kind", "text", "words"),
    [
        ("A", "10.58.1", "A record: Expected 4 octets in '10.58.1'"),
        ("MX", "mail.bk.example", "MX record: 'mail.bk.example': expected a preference and a name"),
        ("CNAME", "a..b", "CNAME record: 'a..b': expected a domain name such as portal.example.vn"),
    ],
)
def test_data_that_nobody_could_answer_is_refused(kind: Type, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        normal(kind, text)
