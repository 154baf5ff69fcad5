"""What every test can use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import peers

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-peers",
        action="store_true",
        help="fail, rather than skip, a test whose real server, root or recorded data is missing",
    )
    parser.addoption(
        "--recordings",
        type=Path,
        metavar="DIR",
        help="a folder of recorded devices: snmprec/NAME.snmprec, expected/NAME.json",
    )
    parser.addoption(
        "--transitions", type=Path, metavar="DIR", help="a folder of devices recorded before and after an event"
    )
    parser.addoption(
        "--captures", type=Path, metavar="DIR", help="a folder of DHCP captures with a manifest.csv to read instead"
    )
    parser.addoption(
        "--simulations", type=Path, metavar="DIR", help="a folder of Oxidized's device simulations to play instead"
    )
    parser.addoption("--limbo", type=Path, metavar="FILE", help="x509-limbo cases (JSON) to judge instead")
    parser.addoption(
        "--chains", type=Path, metavar="DIR", help="a folder of PEM chains with a manifest_pem.csv to read instead"
    )


def pytest_configure(config: pytest.Config) -> None:
    peers.required = bool(config.getoption("--require-peers"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings beside the repository; not part of it."""
    if not SHARED.is_dir():
        (pytest.fail if peers.required else pytest.skip)(f"needs the recordings in {SHARED.parent}")
    return SHARED
