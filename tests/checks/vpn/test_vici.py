from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.contract import Context, SystemClock
from checks.errors import ObserverError
from checks.vpn.vici import MalformedError, decode, listed, packet

TEXT = st.text("\0\x02a=ế", max_size=20)
KEYS = st.text("\x01ab-", min_size=1, max_size=10)
MESSAGES = st.recursive(
    st.dictionaries(KEYS, TEXT | st.lists(TEXT, max_size=3), max_size=4),
    lambda inner: st.dictionaries(KEYS, TEXT | st.lists(TEXT, max_size=3) | inner, max_size=4),
    max_leaves=12,
)
SAMPLE = (
    b"\x01\x04key1\x03\x04sub1\x00\x06value1\x02"  # a section with a text in it
    b"\x04\x05list1\x05\x00\x05item1\x05\x00\x05item2\x06"
)
"""After the example in the protocol's own description."""


def encoded(message: dict[str, Any]) -> bytes:
    """A message, written after the protocol's own description."""

    def text(value: str, width: int) -> bytes:
        octets = value.encode()
        return len(octets).to_bytes(width) + octets

    out = b""
    for key, value in message.items():
        if isinstance(value, str):
            out += b"\x03" + text(key, 1) + text(value, 2)
        elif isinstance(value, list):
            out += b"\x04" + text(key, 1) + b"".join(b"\x05" + text(item, 2) for item in value) + b"\x06"
        else:
            out += b"\x01" + text(key, 1) + encoded(value) + b"\x02"
    return out


def test_sections_lists_and_texts_are_read() -> None:
    assert decode(SAMPLE) == {"key1": {"sub1": "value1"}, "list1": ["item1", "item2"]}


@given(MESSAGES)
def test_whatever_is_written_is_read_back(message: dict[str, Any]) -> None:
    assert decode(encoded(message)) == message


@given(st.binary(max_size=200))
def test_other_bytes_raise_nothing_but_malformed(data: bytes) -> None:
    try:
        decode(data)
    except MalformedError as error:
        assert str(error).startswith("at byte ")  # noqa: PT017 - most of them raise it, not all


@given(MESSAGES, st.data())
def test_a_message_that_was_cut_short_is_malformed_or_ends_between_two_elements(
    message: dict[str, Any], data: st.DataObject
) -> None:
    whole = encoded(message)
    cut = whole[: data.draw(st.integers(0, max(len(whole) - 1, 0)))]
    try:
        found = decode(cut)
    except MalformedError:
        return
    assert all(found[key] == message[key] for key in found)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x01\x01s" * 40, "sections are nested too deeply"),
        (b"\x01\x01s", "a section has no end"),
        (b"\x02", "element 2 is not expected here"),
        (b"\x04\x01l\x03", "element 3 stands in a list"),
        (b"\x03\x01k\xff\xff", "it ends too soon"),
    ],
)
def test_what_is_wrong_is_told(data: bytes, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        decode(data)


async def answered(tmp_path: Path, *packets: bytes) -> ObserverError:
    """The error of asking somebody who says this, whatever is asked."""

    async def say(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.writelines(packets)
        writer.close()

    path = str(tmp_path / "vici")
    server = await asyncio.start_unix_server(say, path)
    async with server:
        with pytest.raises(ObserverError) as caught:
            await listed(path, "list-sas", "list-sa", Context(SystemClock(), 10.0, {}))
    return caught.value


CONFIRM = b"\x00\x00\x00\x01\x05"


@pytest.mark.parametrize(
    ("packets", "words"),
    [
        ([b"\xff\xff\xff\xff"], "announces a packet of 4294967295 bytes: expected 1 to 524288"),
        ([b"\x00\x00\x00\x00"], "announces a packet of 0 bytes"),
        ([b"\x00\x00\x00\x01\x06"], "knows no event 'list-sa'"),
        ([CONFIRM, b"\x00\x00\x00\x05\x07\x01x\x02\x02"], "answers unlike vici: at byte 1: element 2"),
        ([CONFIRM, b"\x00\x00\x00\x01\x02"], "does not end its answer to 'list-sas' as vici does"),
        ([CONFIRM, b"\x00\x00"], "hangs up in the middle of an answer"),
        ([b"HTTP/1.1 400 Bad Request\r\n"], "announces a packet of 1213486160 bytes"),
    ],
)
async def test_an_answer_that_is_not_vici_is_no_outage(tmp_path: Path, packets: list[bytes], words: str) -> None:
    error = await answered(tmp_path, *packets)

    assert error.reason == "control"
    assert words in error.summary


def test_a_request_names_its_command() -> None:
    assert packet(0, "list-sas") == b"\x00\x00\x00\x0a\x00\x08list-sas"
