"""Each test that asks for `lab` runs on the embedded engine, and end to end on the CLI where there is one."""

import shutil
from pathlib import Path

import pytest

from tests.engines.laboratory import Laboratory

needs_pulumi = pytest.mark.skipif(shutil.which("pulumi") is None, reason="there is no pulumi on PATH")


@pytest.fixture(params=["embedded", pytest.param("pulumi", marks=[pytest.mark.e2e, needs_pulumi])])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Laboratory:
    """A fresh project on either engine."""
    return Laboratory(tmp_path, request.param)


@pytest.fixture
def embedded(tmp_path: Path) -> Laboratory:
    """A fresh project on the embedded engine."""
    return Laboratory(tmp_path, "embedded")
