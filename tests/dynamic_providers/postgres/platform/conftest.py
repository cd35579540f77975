"""A platform database of its own for each test, on real servers; its owner is no superuser."""

from collections.abc import Iterator

import pytest

from tests.dynamic_providers.postgres.place import Place
from tests.dynamic_providers.postgres.platform.database import NAME, Platform, platform_on


@pytest.fixture
def platform(cluster: Place) -> Iterator[Platform]:
    """An empty database, as an operator makes it for the platform."""
    cluster.server.drop_database(NAME)
    yield platform_on(cluster.server)
    cluster.server.drop_database(NAME)
