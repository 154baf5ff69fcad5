from __future__ import annotations

import pytest

from checks import registry
from checks.contract import AnyCheck
from checks.errors import ObserverError


@pytest.mark.parametrize("check", registry.CHECKS.values(), ids=lambda check: check.name)
def test_a_check_is_found_by_its_own_name_and_runs_with_its_defaults(check: AnyCheck) -> None:
    assert registry.find(check.name) is check
    assert registry.CHECKS[check.name].params() == check.params()
    assert check.about
    assert check.target


def test_a_name_near_another_is_suggested() -> None:
    with pytest.raises(ObserverError) as caught:
        registry.find("pnig")
    assert (caught.value.reason, caught.value.summary) == (
        "unknown-check",
        "unknown check 'pnig': did you mean 'ping'?",
    )


def test_a_name_near_none_lists_what_there_is() -> None:
    with pytest.raises(ObserverError, match=r"unknown check 'zzz': known: .*dhcp, dns, host, http, .*tcp, tls"):
        registry.find("zzz")
