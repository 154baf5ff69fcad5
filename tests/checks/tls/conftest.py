"""Suites of certificates that others have judged."""

from __future__ import annotations

from pathlib import Path

import pytest


def _given(request: pytest.FixtureRequest, option: str, otherwise: str) -> Path:
    given: Path | None = request.config.getoption(option)
    if given is not None:
        return given
    shared: Path = request.getfixturevalue("shared")
    return shared / "tls" / otherwise


@pytest.fixture
def limbo(request: pytest.FixtureRequest) -> Path:
    """The file of x509-limbo cases: that of ``--limbo``, else the shared one."""
    return _given(request, "--limbo", "x509-limbo-core.json")


@pytest.fixture
def chains(request: pytest.FixtureRequest) -> Path:
    """The folder of chains with a manifest_pem.csv: that of ``--chains``, else the shared one."""
    return _given(request, "--chains", "")
