from __future__ import annotations

from typing import Any

import pytest

from checks.vpn.strongswan import parse
from checks.vpn.tunnel import Count


def child(number: int, state: str = "INSTALLED", **more: str) -> dict[str, str]:
    """A CHILD_SA as strongSwan 5.9.8 lists it, without what is not read."""
    octets = {"bytes-in": "252", "bytes-out": "756"}
    return {
        "name": "lan",
        "uniqueid": str(number),
        "state": state,
        "spi-out": f"d81750e{number}",
        "install-time": "7",
        **octets,
        **more,
    }


def sa(*children: dict[str, str], state: str = "ESTABLISHED", **more: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "state": state,
        "remote-host": "10.9.7.2",
        "remote-id": "centre",
        "child-sas": {f"lan-{one['uniqueid']}": one for one in children},
    }
    return found | ({"established": "9"} if state == "ESTABLISHED" else {}) | more


def test_an_installed_child_is_a_tunnel() -> None:
    found = parse([{"office": sa(child(1))}, {"other": sa()}], "office")

    assert found is not None
    assert (found.up, found.age, found.keys) == (True, 7, "d81750e1")
    assert found.counts == {"1": Count(252, 756)}
    assert found.facts == {"peer": "centre", "endpoint": "10.9.7.2"}
    assert found.said == "the IKE SA with 10.9.7.2 is ESTABLISHED, its CHILD_SA INSTALLED"


def test_during_a_rekey_the_old_child_counts_too_and_the_youngest_tells_the_age() -> None:
    found = parse([{"office": sa(child(1, "DELETED"), child(2, **{"install-time": "0"}))}], "office")

    assert found is not None
    assert (found.up, found.age, found.keys) == (True, 0, "d81750e2")
    assert found.total == Count(504, 1512)


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (
            sa(),
            (
                "the IKE SA with 10.9.7.2 is ESTABLISHED, but it has no CHILD_SA: "
                "compare the proposals and traffic selectors of both ends"
            ),
        ),
        (
            sa(state="CONNECTING"),
            "the IKE SA with 10.9.7.2 is CONNECTING: that end is unreachable, or does not agree",
        ),
        (
            sa(child(1, "INSTALLING")),
            "the IKE SA with 10.9.7.2 is ESTABLISHED, its CHILD_SA only INSTALLING",
        ),
    ],
)
def test_what_no_traffic_can_pass_is_not_up_and_says_why(listed: dict[str, Any], said: str) -> None:
    found = parse([{"office": listed}], "office")

    assert found is not None
    assert (found.up, found.age, found.said) == (False, None, said)


def test_of_two_sas_of_one_name_the_established_one_speaks() -> None:
    found = parse([{"office": sa(state="CONNECTING")}, {"office": sa(child(1))}], "office")

    assert found is not None
    assert found.up
    assert found.said.startswith("the IKE SA with 10.9.7.2 is ESTABLISHED")


def test_a_child_is_found_by_its_own_name_and_another_s_is_left_out() -> None:
    other = child(2, name="voice")
    found = parse([{"office": sa(child(1), other)}], "voice")

    assert found is not None
    assert list(found.counts) == ["2"]
    assert parse([{"office": sa(child(1))}], "voice") is None
