from __future__ import annotations

import pytest

from agent.notification import Variables, told

TRAP = "1.3.6.1.6.3.1.1.4.1.0"
UP_TIME = ("1.3.6.1.2.1.1.3.0", 100)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ([UP_TIME, (TRAP, "1.3.6.1.6.3.1.1.5.1")], "coldStart"),
        ([(TRAP, "1.3.6.1.6.3.1.1.5.5")], "authenticationFailure"),
        ([(TRAP, "1.3.6.1.6.3.1.1.5.3"), ("1.3.6.1.2.1.2.2.1.1.3", 3)], "linkDown ifIndex 3"),
        (
            [(TRAP, "1.3.6.1.6.3.1.1.5.4"), ("1.3.6.1.2.1.2.2.1.1.3", 3), ("1.3.6.1.2.1.2.2.1.2.3", "Gi0/1")],
            "linkUp Gi0/1",
        ),
        (
            [(TRAP, "1.3.6.1.2.1.15.0.2"), ("1.3.6.1.2.1.15.3.1.2.10.0.0.1", 1)],
            "bgpBackwardTransNotification 10.0.0.1",
        ),
        (
            [(TRAP, "1.3.6.1.4.1.9.9.187.0.6"), ("1.3.6.1.4.1.9.9.187.1.2.5.1.3.1.4.10.0.0.1", 1)],
            "cbgpPeer2BackwardTransNotification 10.0.0.1",
        ),
        ([(TRAP, "1.3.6.1.4.1.99999.0.1")], "1.3.6.1.4.1.99999.0.1"),
        (
            [(TRAP, "1.3.6.1.6.3.1.1.5.3"), ("1.3.6.1.2.1.2.2.1.2.3", "a\x1b[2Jb\n" + "c" * 100)],
            f"linkDown a [2Jb {'c' * 57}",
        ),
        ([UP_TIME], ""),
    ],
)
def test_a_notification_is_told_by_its_name_and_what_it_is_about(variables: Variables, words: str) -> None:
    assert told(variables) == words
