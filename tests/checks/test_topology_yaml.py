"""The province as shipped: the real Bắc Kạn, before and after the reform of 2025-07-01."""

from __future__ import annotations

import datetime
import subprocess
import sys
from pathlib import Path

import pytest

from checks.plan import jobs_of, plans_of
from checks.registry import CHECKS
from checks.snmp.check import CHECK as SNMP
from checks.topology import Register, Topology, load

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def topology() -> Topology:
    return load(ROOT / "topology.yaml", {**CHECKS, SNMP.name: SNMP})


@pytest.fixture(scope="module")
def before(topology: Topology) -> Register:
    return topology.on(datetime.date(2025, 6, 30))


@pytest.fixture(scope="module")
def after(topology: Topology) -> Register:
    return topology.on(datetime.date(2025, 8, 1))


def test_the_committed_file_is_what_the_script_makes(shared: Path) -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "deploy" / "make_topology.py", "--data", shared / "vn"],
        check=True,
        capture_output=True,
    ).stdout
    assert (ROOT / "topology.yaml").read_bytes() == made


def test_before_the_reform_a_centre_8_districts_and_108_communes(before: Register) -> None:
    tiers = [node.tier for node in before.nodes.values()]
    assert [tiers.count(tier) for tier in ("province", "district", "commune")] == [1, 8, 108]
    assert before.nodes["c01834"].name == "Phường Nguyễn Thị Minh Khai"
    assert [node.name for node in before.ancestors("c01834")] == ["Thành phố Bắc Kạn", "Trung tâm tỉnh Bắc Kạn"]


def test_after_the_reform_a_centre_and_37_communes(after: Register) -> None:
    tiers = [node.tier for node in after.nodes.values()]
    assert [tiers.count(tier) for tier in ("province", "district", "commune")] == [1, 0, 37]
    assert {node.parent for node in after.nodes.values()} == {None, "bk"}


def test_the_offices_of_june_2025_are_counted(before: Register) -> None:
    assert len(before.offices) == 588
    assert before.offices_by_tier() == {"province": 28, "district": 8 * 16, "commune": 108 * 4}
    assert before.offices_by_category() == {
        "party": 117,
        "council": 117,
        "agency": 18 + 8 * 11 + 108,
        "front": 6 + 8 + 108,
        "court": 9,
        "procuracy": 9,
        "audit": 0,
        "other": 0,
    }
    assert before.offices_by_branch()["d058"] == 16 + 8 * 4


def test_the_offices_of_august_2025_are_counted(after: Register) -> None:
    assert after.offices_by_tier() == {"province": 0, "district": 0, "commune": 37 * 4}
    counts = after.offices_by_category()
    assert {category: count for category, count in counts.items() if count} == {
        "party": 37,
        "council": 37,
        "agency": 37,
        "front": 37,
    }


def test_every_commune_became_one_that_is_there(before: Register, after: Register) -> None:
    successors = {new for node in before.nodes.values() for new in node.became}
    assert successors == set(after.nodes) - {"bk"}


def test_every_job_of_the_province_is_in_one_plan(before: Register) -> None:
    secrets = {"snmp-community": "public"}
    planned = [job.id for plan in plans_of(before, secrets).values() for job in plan.jobs]
    assert sorted(planned) == sorted(job.id for job in jobs_of(before))
    assert len(planned) == len(set(planned)) == 7 + (8 + 108) * 4
