"""What the tests share: a Timeweb simulator per test, the store behind it, and one whole sandbox per session."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.s3 import S3Server
from sandbox.simulators.clock import MovableClock
from sandbox.simulators.servers import NoServers
from sandbox.simulators.timeweb.serve import RunningTimeweb, serve
from sandbox.simulators.timeweb.state import Delays
from sandbox.start import ANY_PORTS, environment, start, stop

os.environ["PULUMI_ERROR_OUTPUT_STRING"] = "1"

# The request budget that a host's processes share is this run's own.
os.environ["TENANTRY_RATE_DIR"] = tempfile.mkdtemp(prefix="tenantry-tests-")
atexit.register(shutil.rmtree, os.environ["TENANTRY_RATE_DIR"], ignore_errors=True)

TOKEN = "a-timeweb-token"
SHORT = Delays(start=0.05, resize=0.05, power=0.05)
FLEET = Path(__file__).resolve().parent.parent / "examples" / "fleet"


@pytest.fixture(scope="session", autouse=True)
def no_process_left() -> Iterator[None]:
    """Whatever the tests start, they end: at the end of the session this process has no child."""
    yield
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return
    pytest.fail(f"a test left a process behind{f', {pid}, ended' if pid else ', still running'}")


@pytest.fixture
def clock() -> MovableClock:
    """The clock of the `timeweb` fixture, to be moved by the test."""
    return MovableClock()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """Object storage in this process, started once."""
    server = S3Server()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3Server) -> S3Server:
    """Object storage, empty."""
    s3_server.reset()
    return s3_server


@pytest.fixture
def timeweb(tmp_path: Path, s3: S3Server, clock: MovableClock) -> Iterator[RunningTimeweb]:
    """A fresh Timeweb account without databases behind its clusters; its buckets are in `s3`."""
    running = serve(tmp_path, token=TOKEN, servers=NoServers(), storage=s3.timeweb, clock=clock, delays=SHORT)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a whole sandbox in a process of its own, with real databases, on any free ports."""
    folder = tmp_path_factory.mktemp("sandbox") / "cloud"
    start(folder, ANY_PORTS, fleet_source=FLEET if FLEET.is_dir() else None)
    yield environment(folder)
    stop(folder, wipe=True)
