from __future__ import annotations

import pytest

from checks.vpn.tunnel import Count, Tunnel


def tunnel(**counts: tuple[int, int]) -> Tunnel:
    return Tunnel(up=True, said="", counts={name: Count(*pair) for name, pair in counts.items()})


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        (tunnel(a=(10, 20)), tunnel(a=(11, 22)), Count(1, 2)),
        (tunnel(a=(10, 20)), tunnel(a=(10, 20)), Count(0, 0)),
        (tunnel(a=(10, 20)), tunnel(a=(11, 22), b=(5, 6)), Count(6, 8)),  # a rekey: the old SA is still there
        (tunnel(a=(10, 20)), tunnel(b=(5, 6)), None),  # the old one is gone, with what it last carried
        (tunnel(a=(10, 20)), tunnel(a=(0, 20)), None),  # counted anew
        (tunnel(), tunnel(a=(1, 2)), Count(1, 2)),
        (tunnel(), tunnel(), None),
    ],
)
def test_what_was_carried_is_told_unless_something_of_it_is_gone(
    before: Tunnel, after: Tunnel, grown: Count | None
) -> None:
    assert after.grown_since(before) == grown
