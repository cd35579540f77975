"""A running Timeweb simulator: its parts put together on a loopback port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import FaultBox
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import RequestLog
from sandbox.simulators.running import RunningSimulator
from sandbox.simulators.server import serve_app
from sandbox.simulators.servers import ClusterServers
from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.app import REQUESTS_PER_SECOND, create_app
from sandbox.simulators.timeweb.state import Delays, State
from sandbox.simulators.timeweb.storage import StorageBackend

DATABASE_FILE = "timeweb.sqlite"


@dataclass(frozen=True, kw_only=True)
class RunningTimeweb(RunningSimulator):
    """The simulator with everything a test or the supervisor may want to look at."""

    token: str
    state: State
    storage_url: str

    @property
    def iam_url(self) -> str:
        """Where grants are put."""
        return self.storage_url

    @property
    def s3_endpoint(self) -> str:
        """Where objects are put."""
        return self.storage_url

    @property
    def environment(self) -> dict[str, str]:
        """The variables a client of this account needs."""
        return {
            "TIMEWEB_CLOUD_TOKEN": self.token,
            "TIMEWEB_API_URL": self.url,
            "TIMEWEB_IAM_URL": self.iam_url,
            "TIMEWEB_S3_ENDPOINT": self.s3_endpoint,
            "TIMEWEB_S3_REGION": "ru-1",
        }


def serve(
    folder: Path,
    *,
    token: str,
    servers: ClusterServers,
    storage: StorageBackend,
    port: int = 0,
    clock: Callable[[], float] = time.time,
    delays: Delays | None = None,
    requests_per_second: int = REQUESTS_PER_SECOND,
) -> RunningTimeweb:
    """Serve the account kept in the folder, resuming what it held; PortTakenError when the port is in use."""
    database = Database(folder / DATABASE_FILE)
    state = State(database, servers, storage, clock, delays or Delays())
    log = RequestLog(database, clock)
    faults = FaultBox()
    server = serve_app(
        create_app(state, token, log, faults, requests_per_second=requests_per_second), port, "the Timeweb simulator"
    )
    state.restore_storage()
    clusters.resume(state)

    def close() -> None:
        servers.close()
        database.close()

    return RunningTimeweb(
        token=token,
        state=state,
        log=log,
        faults=faults,
        server=server,
        close=close,
        storage_url=f"http://{storage.hostname}",
    )
