"""Which of Oxidized's simulations are played."""

from __future__ import annotations

import pytest

from tests.checks.config.simulator import MODELS
from tests.conftest import SHARED

KINDS = {"played": "#simulation.yaml", "prompts": "#prompt.yaml"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for ``played`` or ``prompts`` runs with each such file of the folder of ``--simulations``, else
    of the shared one; models that we have no platform for are left out."""
    folder = metafunc.config.getoption("--simulations") or SHARED / "config" / "oxidized"
    for argument, ending in KINDS.items():
        if argument in metafunc.fixturenames:
            files = sorted(f for f in folder.glob(f"*{ending}") if f.name.partition("#")[0] in MODELS)
            metafunc.parametrize(argument, files, ids=[file.name.removesuffix(ending) for file in files])
