"""Worlds for the end-to-end tests: each engine has a sandbox of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.start import stop
from tests.docs.console import Reader
from tests.e2e.world import ENGINES, World

SMALL = {
    "alpha": {"name": "Alpha", "database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}},
    "beta": {"name": "Beta", "database": {"plan": "timeweb-free"}, "storage": {"plan": "timeweb-s3"}},
    "gamma": {"name": "Gamma", "database": {"plan": "timeweb-business"}},
    "delta": {"name": "Delta", "storage": {"plan": "s3-standard"}},
    "omega": {"name": "Omega", "storage": {"plan": "s3-standard"}},
}

# Of the example fleet: enough for neighbours on one cluster.
FEW = ("alder-bakery", "birch-dental")


@pytest.fixture(scope="module", params=ENGINES)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Five tenants, brought up."""
    folder: Path = tmp_path_factory.mktemp(f"small-{request.param}") / "sandbox"
    world = World.start(folder, request.param, SMALL)
    try:
        result = world.engine().up()
        assert result.ok, [failure.message for failure in result.failures]
        yield world
    finally:
        world.stop()


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody new, with nothing but the checkout."""
    arrived = Reader.arrive(tmp_path, FEW)
    try:
        yield arrived
    finally:
        stop(arrived.folder / ".sandbox")
