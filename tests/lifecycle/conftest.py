"""Real servers for copies of tenants' data, and the programs that make them."""

import pytest

from lifecycle.programs import Programs
from sandbox.postgres import Binaries
from tests.dynamic_providers.postgres.conftest import cluster, place

__all__ = ["cluster", "place", "programs"]


@pytest.fixture(scope="session")
def programs() -> Programs:
    """The newest client programs installed here."""
    return Programs.find({"TENANTRY_PG_BIN": str(Binaries.best().folder)})
