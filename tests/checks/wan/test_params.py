from __future__ import annotations

from typing import Any

import pytest

from checks.contract import params_of, shown
from checks.errors import ObserverError
from checks.wan import CHECK


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"source": "lan0"}, "source: 'lan0' is not an IP address"),
        ({"key": "k"}, "key is the reflector's: set reflector"),
        ({"interface": {"router": "r", "name": "x", "index": 3}}, "say which by its name or its index, one of the two"),
        ({"interface": {"router": "r"}}, "say which by its name or its index, one of the two"),
        ({"path": {"backup": ["isp"]}}, "path: 'isp' is not an IP address"),
        ({"path": {"primary": ["10.0.0.1"], "backup": ["10.0.0.1"]}}, "10.0.0.1 cannot mean both primary and backup"),
        ({"path": {"hops": 0, "primary": ["10.0.0.1"]}}, "told by their hops: hops must not be 0"),
        ({"mtu": {"expected": 100}}, "expected must be 576 or more"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_what_can(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ObserverError) as caught:
        params_of(CHECK, values)
    assert words in caught.value.summary


def test_no_secret_is_shown_however_deep() -> None:
    interface = {"router": "r", "name": "x", "snmp": {"version": "2c", "community": "hidden"}}
    params = params_of(CHECK, {"reflector": "r", "key": "hidden", "interface": interface})

    assert "hidden" not in str(shown(params))
