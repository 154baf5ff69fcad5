"""The commands of the handbook's page on installing, so that a test runs what a person is told to run."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "en" / "installing.md"


def commands(heading: str) -> str:
    """The commands of a section, up to the next heading, as a shell script.

    Those that install Debian packages are left out: the machine under test has no network. So is the question how the
    agent is, which is answered some seconds after its start.
    """
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"(?ms)^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text)
    assert section is not None, f"{PAGE.name} has no section {heading!r}"
    lines = [line[4:] for line in section[1].splitlines() if line.startswith("    ")]
    return "\n".join(line for line in lines if not re.match(r"apt-get |\S+/thongsuot-agent status", line))
