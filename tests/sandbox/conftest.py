"""Fixtures of the tests of the Neon simulator: an organization whose operations take a second each, and a project."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox.simulators.clock import MovableClock
from sandbox.simulators.neon.serve import Delays, RunningNeon, serve
from sandbox.simulators.servers import NoServers
from tests.sandbox.neon_rig import KEY, TO_THE_END, client_of, made


@pytest.fixture
def neon(tmp_path: Path, clock: MovableClock) -> Iterator[RunningNeon]:
    """An organization of its own, without databases behind its branches."""
    running = serve(tmp_path, key=KEY, servers=NoServers(), clock=clock, delays=Delays(schedule=1, operation=1))
    yield running
    running.stop()


@pytest.fixture
def neon_api(neon: RunningNeon) -> Iterator[httpx.Client]:
    """A client of it."""
    with client_of(neon) as client:
        yield client


@pytest.fixture
def project(neon_api: httpx.Client, clock: MovableClock, neon: RunningNeon) -> str:
    """The path of a project whose operations are done; the log is empty."""
    path = f"/projects/{made(neon_api)['project']['id']}"
    clock.advance(TO_THE_END)
    neon.log.clear()
    return path
