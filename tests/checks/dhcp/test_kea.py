from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.dhcp import kea
from checks.dhcp.pool import Pool
from checks.errors import ObserverError

# as Kea 2.2.0 says it
ANSWER = b"""{ "arguments": { "result-set": { "columns": [ "subnet-id", "total-addresses",
"cumulative-assigned-addresses", "assigned-addresses", "declined-addresses" ], "rows": [ [ 20, 0, 0, 0, 0 ],
[ 10, 256, 118, 111, 0 ] ], "timestamp": "2026-01-05 16:35:58.724000" } }, "result": 0,
"text": "stat-lease4-get: 2 rows found" }"""


def test_each_subnet_is_a_pool() -> None:
    assert kea.parse(ANSWER, "/k", 4) == (Pool("10", 256, 111), Pool("20", 0, 0))
    assert Pool("10", 256, 64).percent == 25.0
    assert Pool("20", 0, 0).percent == 0.0


def test_addresses_and_prefixes_of_dhcpv6_are_pools_apart() -> None:
    """Subnet 8 has 2^64 addresses, which Kea writes as -1, and no prefixes."""
    columns = (
        '"subnet-id", "total-nas", "cumulative-assigned-nas", "assigned-nas", "declined-nas", "total-pds", '
        '"cumulative-assigned-pds", "assigned-pds"'
    )
    rows = "[8, -1, 1, 1, 0, 0, 0, 0], [6, 65536, 9, 4, 1, 256, 3, 2]"
    answer = f'{{"result": 0, "arguments": {{"result-set": {{"columns": [{columns}], "rows": [{rows}]}}}}}}'
    assert kea.parse(answer.encode(), "/k", 6) == (
        Pool("IPv6 6", 65536, 4),
        Pool("IPv6 6 prefixes", 256, 2, gives="prefixes"),
    )


def test_no_subnets_are_no_pools() -> None:
    assert kea.parse(b'{"result": 3, "text": "no matching data"}', "/k", 4) == ()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            b'{"result": 2, "text": "\'stat-lease4-get\' command not supported."}',
            "Kea at /k does not count its leases: load libdhcp_stat_cmds.so into it",
        ),
        (b'{"result": 1, "text": "oh"}', "Kea at /k refuses to count its leases: oh"),
        (b"", "Kea at /k: expected the result of stat-lease4-get: Input data was truncated"),
    ],
)
def test_an_answer_without_pools_says_why(answer: bytes, words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        kea.parse(answer, "/k", 4)
    assert (caught.value.reason, caught.value.summary) == ("kea", words)


@given(st.one_of(st.binary(max_size=60), st.integers(0, len(ANSWER) - 2).map(lambda end: ANSWER[:end])))
def test_no_answer_raises_anything_else(answer: bytes) -> None:
    with pytest.raises(ObserverError):
        kea.parse(answer, "/k", 4)


async def test_a_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObserverError) as caught:
        await kea.fetch(str(tmp_path / "none"), 4)
    assert caught.value.summary == f"Kea at {tmp_path}/none cannot be asked: no such socket"
