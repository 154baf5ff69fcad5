from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from service import log


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_under_systemd_each_line_is_one_json_object() -> None:
    out = io.StringIO()
    log.set_up("bk", "info", "auto", {"JOURNAL_STREAM": "8:1"}, out)
    try:
        raise ValueError("of a\nbug")
    except ValueError:
        logging.getLogger("agent.x").exception("job %s", "a", extra={"fields": {"job": "bk/ping/a"}})
    logging.getLogger("agent.x").debug("not this")
    (line,) = out.getvalue().splitlines()
    told = json.loads(line)
    assert {key: told[key] for key in ("level", "logger", "node", "message", "job")} == {
        "level": "error",
        "logger": "agent.x",
        "node": "bk",
        "message": "job a",
        "job": "bk/ping/a",
    }
    assert told["time"].endswith("Z")
    assert "ValueError: of a" in told["traceback"]


def test_people_get_plain_lines_and_no_colour_beyond_a_terminal() -> None:
    out = io.StringIO()
    log.set_up("bk", "info", "auto", {}, out)
    logging.getLogger("agent.x").warning("it rains")
    assert out.getvalue()[8:] == " WARNING it rains\n"


def test_a_terminal_gets_colour() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    out = Terminal()
    log.set_up("bk", "info", "text", {"JOURNAL_STREAM": "8:1"}, out)
    logging.getLogger("agent.x").error("it burns")
    assert out.getvalue().startswith("\033[31m")
