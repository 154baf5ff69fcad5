from __future__ import annotations

import pytest

from checks.tls.names import ascii_name, matches


@pytest.mark.parametrize(
    ("name", "names", "found"),
    [
        ("a.example", ("a.example",), True),
        ("A.Example.", ("a.example",), True),
        ("a.example", ("*.example",), True),
        ("b.a.example", ("*.example",), False),
        ("example", ("*",), False),
        ("a.example", (), False),
        ("192.0.2.1", ("192.0.2.1",), True),
        ("192.0.2.1", ("*.0.2.1",), False),
        ("2001:DB8::1", ("2001:db8::1",), True),
        ("bắckạn.example", ("xn--bckn-7q5apd.example",), True),
        ("thôngsuốt.bắckạn.example", ("*.xn--bckn-7q5apd.example",), True),
        ("f.example", ("f*.example",), False),
    ],
)
def test_a_name_matches_as_rfc_9525_says(name: str, names: tuple[str, ...], found: bool) -> None:
    assert matches(name, names) is found


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", "\udcff.example"])
def test_what_is_no_name_is_said_to_be_none(name: str) -> None:
    with pytest.raises(ValueError, match="is no DNS name"):
        ascii_name(name)
