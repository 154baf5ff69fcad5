from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.ldap.message import BIND_RESPONSE, ENTRY, EXTENDED_RESPONSE, Message, bind, parse, search, unbind


def test_an_anonymous_bind_is_that_of_the_rfc() -> None:
    assert bind(1, "", "") == bytes.fromhex("300c 020101 6007 020103 0400 8000")


def test_a_simple_bind_carries_name_and_password() -> None:
    assert bind(2, "cn=m", "pw") == bytes.fromhex("3012 020102 600d 020103 0404") + b"cn=m" + b"\x80\x02pw"


def test_a_long_name_has_a_long_length() -> None:
    packed = bind(1, "x" * 200, "p")
    assert packed[:3] == bytes.fromhex("3081d7")
    assert b"\x04\x81\xc8xxx" in packed


def test_a_search_asks_for_one_entry_without_its_attributes() -> None:
    assert search(2, "dc=vn") == bytes.fromhex(
        "302f 020102 632a 0405 64633d766e 0a0100 0a0100 020101 020100 010100"
        "870b 6f626a656374436c617373 3005 0403 312e31"
    )


def test_an_unbind_is_empty() -> None:
    assert unbind(3) == bytes.fromhex("3005 020103 4200")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("020101 6107 0a0100 0400 0400", Message(1, BIND_RESPONSE)),
        ("020101 6109 0a0131 0400 0402 6e6f", Message(1, BIND_RESPONSE, 49, "no")),
        ("020101 618407000000", None),
        ("020101 61840000000d 0a0101 0400 840000000400000000", None),
        ("020101 61840000000c 0a0131 0400 048400000001 78", Message(1, BIND_RESPONSE, 49, "x")),  # as AD writes lengths
        ("020100 7807 0a0134 0400 0400", Message(0, EXTENDED_RESPONSE, 52)),
        ("020102 6407 0403 646e31 3000", Message(2, ENTRY)),
        ("0201", None),
        ("020101", None),
        ("020101 6103 020100", None),
        ("020101 6180 0a0100", None),
        ("", None),
    ],
)
def test_a_response_is_read_or_refused(content: str, message: Message | None) -> None:
    if message is not None:
        assert parse(bytes.fromhex(content)) == message
    else:
        with pytest.raises(ValueError, match=r"cut off|expected|length that begins"):
            parse(bytes.fromhex(content))


@pytest.mark.parametrize(
    ("code", "words"), [(0, "success (0)"), (49, "invalidCredentials (49)"), (99, "resultCode (99)")]
)
def test_a_result_is_told_by_its_name(code: int, words: str) -> None:
    assert Message(1, BIND_RESPONSE, code).result == words


@given(st.binary(max_size=80))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    for prefix in (b"", bytes.fromhex("020101 61")):
        with contextlib.suppress(ValueError):
            parse(prefix + data)
