"""SNMPv2c requests answered by a pure function. Requests are written, and answers read, by pysnmp's own messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyasn1.codec.ber import decoder, encoder  # type: ignore[import-untyped]  # pyasn1 ships no types
from pysnmp.proto.api import v2c  # type: ignore[import-untyped]  # pysnmp ships no types

from collector.demo.mib import RouterSpec, interfaces, view
from collector.demo.responder import MAX_BYTES, Moment, Oid, respond

SPEC = RouterSpec(
    node="ba-be",
    name="Huyện Ba Bể",
    address="127.77.0.1",
    community="demo",
    lat=22.4,
    lon=105.7,
    distance=48,
    tunnel=True,
)
VIEW = view(SPEC, seed=1)
BOOTED = 1_770_000_000_000
NOW = Moment(BOOTED + 3_600_000, BOOTED)
MIB_2: Oid = (1, 3, 6, 1, 2, 1)
IF_DESCR: Oid = (*MIB_2, 2, 2, 1, 2)
HC_IN: Oid = (*MIB_2, 31, 1, 1, 1, 6)
UP_TIME: Oid = (*MIB_2, 1, 3, 0)
UNHURRIED = settings(deadline=None)  # pysnmp takes 0.2 ms a variable to read an answer; on a busy machine, longer

OIDS = st.one_of(
    st.sampled_from(VIEW.names),
    st.sampled_from(VIEW.names).flatmap(lambda name: st.integers(2, len(name)).map(lambda end: name[:end])),
    st.tuples(st.sampled_from(VIEW.names), st.lists(st.integers(0, 2**32 - 1), max_size=4)).map(
        lambda p: (*p[0], *p[1])
    ),
    st.tuples(st.integers(0, 2), st.integers(0, 39), st.lists(st.integers(0, 2**32 - 1), max_size=12)).map(
        lambda parts: (parts[0], parts[1], *parts[2])
    ),
)


def request(pdu: Any, names: Sequence[Oid], community: str = "demo", value: Any = v2c.null) -> bytes:
    bulk = isinstance(pdu, v2c.GetBulkRequestPDU)
    api = v2c.apiBulkPDU if bulk else v2c.apiPDU
    wanted = (api.get_non_repeaters(pdu), api.get_max_repetitions(pdu)) if bulk else None
    api.set_defaults(pdu)
    if wanted:
        api.set_non_repeaters(pdu, wanted[0])
        api.set_max_repetitions(pdu, wanted[1])
    api.set_request_id(pdu, 4711)
    api.set_varbinds(pdu, [(name, value) for name in names])
    message = v2c.Message()
    v2c.apiMessage.set_defaults(message)
    v2c.apiMessage.set_community(message, community)
    v2c.apiMessage.set_pdu(message, pdu)
    return bytes(encoder.encode(message))


def bulk(names: Sequence[Oid], non_repeaters: int, repetitions: int) -> bytes:
    pdu = v2c.GetBulkRequestPDU()
    v2c.apiBulkPDU.set_non_repeaters(pdu, non_repeaters)
    v2c.apiBulkPDU.set_max_repetitions(pdu, repetitions)
    return request(pdu, names)


def answer(datagram: bytes, moment: Moment = NOW) -> tuple[int, list[tuple[Oid, Any]]]:
    """Error status and variables."""
    got = respond(datagram, b"demo", VIEW, moment)
    assert got is not None
    assert len(got) <= MAX_BYTES
    message, rest = decoder.decode(got, asn1Spec=v2c.Message())
    assert not rest
    pdu = v2c.apiMessage.get_pdu(message)
    assert isinstance(pdu, v2c.ResponsePDU)
    assert v2c.apiPDU.get_request_id(pdu) == 4711
    return int(pdu[1]), [(tuple(name), value) for name, value in v2c.apiPDU.get_varbinds(pdu)]


def walked() -> Iterator[Oid]:
    name: Oid = (1, 3)
    while True:
        _, [(following, value)] = answer(request(v2c.GetNextRequestPDU(), [name]))
        if isinstance(value, v2c.EndOfMibView):
            return
        yield following
        name = following


def test_a_walk_by_get_next_sees_every_variable_in_order() -> None:
    assert tuple(walked()) == VIEW.names


def test_get_tells_a_missing_instance_from_a_missing_object() -> None:
    missing = [(*IF_DESCR, 99), (1, 3, 6, 1, 4, 1, 9, 1), UP_TIME]
    status, [(_, no_row), (_, no_object), (_, up_time)] = answer(request(v2c.GetRequestPDU(), missing))
    assert status == 0
    assert isinstance(no_row, v2c.NoSuchInstance)
    assert isinstance(no_object, v2c.NoSuchObject)
    assert int(up_time) == 360_000


def test_get_bulk_repeats_columns_row_by_row_after_the_non_repeaters() -> None:
    _, variables = answer(bulk([UP_TIME[:-1], IF_DESCR, HC_IN], 1, 3))
    rows = [(*column, index) for index in (1, 2, 3) for column in (IF_DESCR, HC_IN)]
    assert [name for name, _ in variables] == [UP_TIME, *rows]


def test_get_bulk_ends_with_end_of_mib_view() -> None:
    _, variables = answer(bulk([VIEW.names[-2]], 0, 10))
    assert variables[0][0] == VIEW.names[-1]
    assert all(isinstance(value, v2c.EndOfMibView) for _, value in variables[1:])
    assert len(variables) == 2


def test_get_bulk_gives_no_more_than_fits_one_packet() -> None:
    _, variables = answer(bulk([(1, 3)], 0, 10_000))
    names = [name for name, _ in variables]
    assert names == list(VIEW.names[: len(names)])
    assert 30 < len(names) < len(VIEW.names)


def test_an_answer_that_cannot_fit_is_too_big() -> None:
    assert answer(request(v2c.GetRequestPDU(), [UP_TIME] * 100)) == (1, [])


def test_nothing_can_be_set() -> None:
    status, _ = answer(request(v2c.SetRequestPDU(), [(*MIB_2, 1, 5, 0)], value=v2c.OctetString("mine")))
    assert status == 6


@pytest.mark.parametrize(
    "datagram",
    [
        request(v2c.GetRequestPDU(), [UP_TIME], community="wrong"),
        request(v2c.GetRequestPDU(), [UP_TIME])[:-1],
        request(v2c.ResponsePDU(), [UP_TIME]),
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        bytes.fromhex(
            "3035020102040464656d6fa02a02021267020100020100301e308006082b060102010103000500300e060a2b060102011f010101060500"
        ),
    ],
    ids=["wrong community", "cut short", "a response", "empty", "another protocol", "an endless list"],
)
def test_what_is_no_request_with_our_community_meets_silence(datagram: bytes) -> None:
    assert respond(datagram, b"demo", VIEW, NOW) is None


@UNHURRIED
@given(st.binary(max_size=200), st.integers(0, 60), st.integers(0, 255))
def test_no_datagram_breaks_it(noise: bytes, at: int, byte: int) -> None:
    respond(noise, b"demo", VIEW, NOW)
    whole = bytearray(request(v2c.GetRequestPDU(), [UP_TIME]))
    whole[at % len(whole)] = byte
    respond(bytes(whole), b"demo", VIEW, NOW)


@UNHURRIED
@given(st.lists(OIDS, min_size=1, max_size=4))
def test_get_next_always_grows_or_ends(names: list[Oid]) -> None:
    status, variables = answer(request(v2c.GetNextRequestPDU(), names))
    assert status == 0
    for asked, (name, value) in zip(names, variables, strict=True):
        if isinstance(value, v2c.EndOfMibView):
            assert name == asked >= VIEW.names[-1]
        else:
            assert name == min(known for known in VIEW.names if known > asked)


@UNHURRIED
@given(st.lists(OIDS, max_size=4), st.integers(0, 6), st.integers(0, 50))
def test_get_bulk_is_get_next_again_and_again(names: list[Oid], non_repeaters: int, repetitions: int) -> None:
    status, variables = answer(bulk(names, non_repeaters, repetitions))
    assert status == 0
    expected = list(names[:non_repeaters])
    row = names[non_repeaters:]
    before = expected + row
    for place, (name, _) in enumerate(variables):
        asked = before[place]
        following = VIEW.next(asked, NOW)[0]
        assert name == following
        if place >= len(expected):
            before.append(following)


def test_counters_grow_by_what_the_rate_says_and_start_from_zero_at_boot() -> None:
    wan = interfaces(SPEC, seed=1)[1]
    name = (*HC_IN, wan.index)

    def octets(at: int) -> int:
        _, [(_, value)] = answer(request(v2c.GetRequestPDU(), [name]), Moment(at, BOOTED))
        assert isinstance(value, v2c.Counter64)
        return int(value)

    assert octets(BOOTED) == 0
    assert octets(NOW.at + 1000) - octets(NOW.at) == pytest.approx(wan.came.rate(NOW.at / 1000 + 0.5), rel=0.01)


def test_a_32_bit_counter_is_the_64_bit_one_wrapped() -> None:
    late = Moment(BOOTED + 30 * 86_400_000, BOOTED)
    names = [(*MIB_2, 2, 2, 1, 10, 2), (*HC_IN, 2)]
    _, [(_, short), (_, full)] = answer(request(v2c.GetRequestPDU(), names), late)
    assert int(full) > 2**32
    assert int(short) == int(full) % 2**32


def test_the_same_seed_says_the_same_and_another_seed_something_else() -> None:
    asked = bulk([HC_IN], 0, 4)
    said = [respond(asked, b"demo", view(SPEC, seed), NOW) for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]


def test_it_says_that_it_is_simulated_and_no_alias_is_longer_than_the_mib_allows() -> None:
    long = RouterSpec(
        node="x", name="Xã có tên rất dài " * 4, address="127.77.0.1", community="demo", lat=0, lon=0, distance=0
    )
    _, [(_, described)] = answer(request(v2c.GetRequestPDU(), [(*MIB_2, 1, 1, 0)]))
    assert bytes(described).decode().endswith("(simulated)")
    got = respond(request(v2c.GetRequestPDU(), [(*MIB_2, 31, 1, 1, 1, 18, 3)]), b"demo", view(long, 1), NOW)
    message, _ = decoder.decode(got, asn1Spec=v2c.Message())
    [(_, alias)] = v2c.apiPDU.get_varbinds(v2c.apiMessage.get_pdu(message))
    assert 60 < len(bytes(alias)) <= 64
    assert bytes(alias).decode().startswith("Mạng LAN Xã có tên")
