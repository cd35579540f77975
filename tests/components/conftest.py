"""A catalogue in a folder of its own, and the program that is run on it without any setting from outside."""

from pathlib import Path

import pytest

from components.settings import SOURCES
from tests.components.program import Program


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program with the settings of `Program.config` and nothing else."""
    for variable in [*SOURCES.values(), "TENANTRY_FLEET", "TENANTRY_SANDBOX_WITHOUT"]:
        monkeypatch.delenv(variable, raising=False)
    return Program(tmp_path)
