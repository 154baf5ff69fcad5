"""What can be said of the units without starting them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.systemd.handbook import PAGE
from tests.peers import need

DEPLOY = Path(__file__).parents[3] / "deploy"


def unit(daemon: str) -> Path:
    return DEPLOY / "systemd" / f"thongsuot-{daemon}.service"


@pytest.mark.peer
@pytest.mark.parametrize(("daemon", "most"), [("agent", 1.7), ("collector", 2.0)])
def test_the_exposure_of_a_unit_stays_within_its_bound(daemon: str, most: float) -> None:
    need("systemd-analyze")
    said = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", unit(daemon)], capture_output=True, text=True, check=True
    )

    exposure = re.search(r"Overall exposure level for \S+: (\d+\.\d)", said.stdout)

    assert exposure is not None
    assert float(exposure[1]) <= most


@pytest.mark.parametrize("daemon", ["agent", "collector"])
def test_a_unit_runs_as_the_user_that_sysusers_makes(daemon: str) -> None:
    made = re.findall(r"(?m)^u (\S+)", (DEPLOY / "sysusers.d" / f"thongsuot-{daemon}.conf").read_text())

    assert re.findall(r"(?m)^User=(\S+)", unit(daemon).read_text()) == made


@pytest.mark.parametrize("daemon", ["agent", "collector"])
def test_a_unit_s_state_is_where_the_daemon_keeps_it_when_run_by_hand(daemon: str) -> None:
    defaults = (DEPLOY / f"{daemon}.toml.example").read_text()
    kept = re.search(r'(?m)^# state_dir = "/var/lib/(\S+)"', defaults)

    assert kept is not None
    assert f"StateDirectory={kept[1]}\n" in unit(daemon).read_text()


def test_the_handbook_installs_every_file_that_makes_a_service() -> None:
    said = PAGE.read_text(encoding="utf-8")

    for folder in ("systemd", "sysusers.d", "tmpfiles.d"):
        for file in (DEPLOY / folder).iterdir():
            assert f" /opt/thongsuot/share/thongsuot/{folder}/{file.name}" in said, f"{file.name} is not installed"
