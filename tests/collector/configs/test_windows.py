from __future__ import annotations

from pathlib import Path

import pytest

from collector.settings import load_settings
from service.settings import SettingsError

WINDOW = """
[[changes.windows]]
from = 2026-11-23T22:00:00+07:00
to = 2026-11-24T02:00:00+07:00
approver = "Nguyễn Văn An"
document = "12/KH-STTTT"
nodes = ["c01834"]
"""


def settings_file(folder: Path, text: str) -> Path:
    file = folder / "collector.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_windows_stand_in_the_settings(tmp_path: Path) -> None:
    (window,) = load_settings(settings_file(tmp_path, WINDOW), {}).changes.windows

    assert (window.start.isoformat(), window.nodes) == ("2026-11-23T22:00:00+07:00", ("c01834",))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("T22:00:00+07:00", "T22:00:00", "from and to need their offset from UTC"),
        ("2026-11-24T02", "2026-11-22T02", "to is not after from"),
        ('"12/KH-STTTT"', '""', "approver and document must not be empty"),
        ("nodes =", "node =", "unknown field `node`"),
    ],
)
def test_a_window_that_cannot_be_is_refused_by_its_place(tmp_path: Path, old: str, new: str, said: str) -> None:
    with pytest.raises(SettingsError, match=r"changes\.windows") as caught:
        load_settings(settings_file(tmp_path, WINDOW.replace(old, new)), {})
    assert said in str(caught.value)
