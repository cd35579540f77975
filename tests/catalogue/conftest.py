"""The fixture of the catalogue's tests."""

from pathlib import Path

import pytest

from tests.catalogue.fleets import FleetFolder


@pytest.fixture
def folder(tmp_path: Path) -> FleetFolder:
    """A catalogue to edit."""
    return FleetFolder(tmp_path)
