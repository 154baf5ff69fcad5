from __future__ import annotations

from typing import Any

from checks.net.icmp import Reply
from checks.wan.history import history
from checks.wan.params import MtuParams
from checks.wan.path import Path

ONE, OTHER = Path(("a", "t"), True), Path(("b", "t"), True)


def test_a_window_holds_the_last_runs_and_says_how_long_they_took() -> None:
    memory: dict[str, Any] = {}
    for run in range(5):
        window = history(memory, 3).add(60.0 * run, (0.001 * run,))

    assert window.times == (0.002, 0.003, 0.004)
    assert window.seconds == 120


def test_the_fastest_round_trip_is_kept_longer_than_the_window_until_the_path_changes() -> None:
    kept = history({}, 1)
    kept.add(0, (0.01,))
    kept.go(ONE, (0.01,))
    kept.add(60, (0.2,))
    assert kept.fastest == 0.01

    kept.go(OTHER, (0.2,))
    assert kept.fastest == 0.2


def test_the_mtu_is_searched_at_first_then_now_and_then_and_on_a_new_path() -> None:
    kept = history({}, 1)
    params = MtuParams(expected=1500, every=3)

    def run(path: Path) -> bool:
        kept.go(path, (0.01,))
        search = kept.search(4, params)
        if search is not None:
            kept.searched(search.after(128, Reply(0.01, "t")).after(1500, Reply(0.01, "t")))
        return search is not None

    assert [run(path) for path in (ONE, ONE, ONE, ONE, ONE, OTHER, OTHER)] == [
        True,
        False,
        False,
        True,
        False,
        True,
        False,
    ]
    assert kept.mtu is not None
    assert kept.mtu.found == 1500


def test_a_search_that_did_not_end_goes_on_in_the_next_run_and_the_last_result_stands() -> None:
    kept = history({}, 1)
    params = MtuParams(expected=1500)
    begun = kept.search(4, params)
    assert begun is not None
    kept.searched(begun.after(128, Reply(0.01, "t")))

    assert kept.mtu is None
    assert kept.search(4, params) == begun.after(128, Reply(0.01, "t"))
