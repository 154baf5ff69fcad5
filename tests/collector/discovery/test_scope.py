from __future__ import annotations

from ipaddress import ip_address

import pytest

from collector.discovery.scope import MAX_ADDRESSES, ScopeError, scope_of


def test_the_network_and_the_broadcast_address_are_not_asked() -> None:
    assert [str(one) for one in scope_of(["10.58.1.0/30"]).addresses()] == ["10.58.1.1", "10.58.1.2"]


@pytest.mark.parametrize(
    ("prefix", "addresses"),
    [
        ("10.58.1.7", ["10.58.1.7"]),
        ("10.70.1.0/31", ["10.70.1.0", "10.70.1.1"]),
        ("2001:db8::/127", ["2001:db8::", "2001:db8::1"]),
    ],
)
def test_a_single_address_and_both_ends_of_a_line_are_asked(prefix: str, addresses: list[str]) -> None:
    assert [str(one) for one in scope_of([prefix]).addresses()] == addresses


def test_a_prefix_named_twice_or_within_another_is_asked_once() -> None:
    scope = scope_of(["10.58.1.0/24", "10.58.1.16/30", "10.58.1.0/24", "2001:db8::/126"])

    assert [str(prefix) for prefix in scope.prefixes] == ["10.58.1.0/24", "2001:db8::/126"]


def test_an_address_is_told_to_be_within_the_prefixes_or_not() -> None:
    scope = scope_of(["10.58.1.0/24"])

    assert [ip_address(one) in scope for one in ("10.58.1.9", "10.58.2.9", "2001:db8::1")] == [True, False, False]


def test_a_16_is_asked_and_more_is_refused() -> None:
    assert scope_of(["10.58.0.0/16"]).size == MAX_ADDRESSES

    with pytest.raises(ScopeError, match=r"10\.58\.0\.0/16, 10\.60\.0\.1/32: 65,537 addresses, more than the 65,536"):
        scope_of(["10.58.0.0/16", "10.60.0.1"])


def test_the_64_bits_of_an_ipv6_lan_are_refused() -> None:
    with pytest.raises(ScopeError, match="--follow finds by LLDP"):
        scope_of(["2001:db8::/64"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "10.58.1.1/24",
            "'10.58.1.1/24' is an address within a prefix: did you mean 10.58.1.0/24, or 10.58.1.1 alone?",
        ),
        ("10.58.1", "'10.58.1' is no prefix: expected one such as 10.58.1.0/24, or an address"),
    ],
)
def test_what_is_no_prefix_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ScopeError) as refused:
        scope_of([text])

    assert str(refused.value) == said
