"""A running Timeweb simulator: its parts put together on a loopback port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import FaultBox, fault
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import Entry, RequestLog
from sandbox.simulators.server import AppServer, serve_app
from sandbox.simulators.servers import ClusterServers
from sandbox.simulators.timeweb import clusters
from sandbox.simulators.timeweb.app import REQUESTS_PER_SECOND, create_app
from sandbox.simulators.timeweb.state import Delays, State
from sandbox.simulators.timeweb.storage import StorageBackend

DATABASE_FILE = "timeweb.sqlite"


@dataclass(frozen=True)
class RunningTimeweb:
    """The simulator with everything a test or the supervisor may want to look at."""

    token: str
    state: State
    log: RequestLog
    faults: FaultBox
    server: AppServer
    storage_url: str

    @property
    def url(self) -> str:
        """Where the API answers."""
        return self.server.url

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

    def requests(self, method: str | None = None, path: str = "") -> list[Entry]:
        """The log, reduced to one method and to paths that begin like this."""
        return [entry for entry in self.log.entries() if method in (None, entry.method) and entry.path.startswith(path)]

    def strike(
        self,
        name: str,
        *,
        method: str | None = None,
        path: str | None = None,
        times: int | None = None,
        skip: int = 0,
        **options: object,
    ) -> None:
        """Turn a fault on; see `sandbox.faults.fault`."""
        self.faults.add(fault(name, method=method, path=path, times=times, skip=skip, options=options))

    def stop(self) -> None:
        """End the server, then the databases behind it, then close the tables."""
        self.server.stop()
        self.state.servers.close()
        self.state.database.close()


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
    return RunningTimeweb(token, state, log, faults, server, f"http://{storage.hostname}")
