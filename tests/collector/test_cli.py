from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from collector.cli import app
from tests.collector.provinces import TEXT


def test_a_register_is_shown_as_a_tree_with_who_measures_whom(tmp_path: Path) -> None:
    file = tmp_path / "topology.yaml"
    file.write_text(TEXT)

    shown = CliRunner().invoke(app, ["topology", "show", str(file)])

    assert shown.exit_code == 0
    assert shown.stdout.splitlines() == [
        "bk Bắc Kạn 0 offices",
        "└── d1 Chợ Đồn 2 offices",
        "    ├── c1 Bản Thi 2 offices, measured by d1",
        "    └── c2 Bằng Lũng 2 offices, measured by d1",
    ]
