from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

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


def test_a_check_with_the_settings_tells_where_the_topology_contradicts_them(tmp_path: Path) -> None:
    file, config = tmp_path / "topology.yaml", tmp_path / "collector.toml"
    file.write_text(TEXT)
    config.write_text(f'topology = "{file}"\n[listen]\nreflector = "127.0.0.1:8862"\n')

    def check(*words: str) -> Result:
        return CliRunner().invoke(app, ["topology", "check", *words])

    alone, both = check(str(file)), check("--config", str(config))
    told = check("--config", str(config), "--json")

    assert (alone.exit_code, both.exit_code, told.exit_code) == (0, 0, 0)
    assert "warning" not in alone.output
    assert f"{file}: good" in both.output
    assert "warning: node bk: no reflector is named" in both.output
    assert len(json.loads(told.output)["warnings"]) == 1
