"""A running DigitalOcean simulator: its parts put together on a loopback port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import FaultBox, fault
from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.app import create_app
from sandbox.simulators.digitalocean.limit import Limits
from sandbox.simulators.digitalocean.servers import ManagedServers
from sandbox.simulators.digitalocean.state import Delays, State
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import Entry, RequestLog
from sandbox.simulators.server import AppServer, serve_app

__all__ = ["Delays", "Limits", "RunningDigitalOcean", "serve"]

DATABASE_FILE = "digitalocean.sqlite"


@dataclass(frozen=True)
class RunningDigitalOcean:
    """The simulator with everything a test or the supervisor may want to look at."""

    token: str
    state: State
    log: RequestLog
    faults: FaultBox
    server: AppServer

    @property
    def url(self) -> str:
        """Where the API answers, without `/v2`."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """The variables a client of this account needs."""
        return {"DIGITALOCEAN_TOKEN": self.token, "DIGITALOCEAN_API_URL": self.url}

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
    servers: ManagedServers,
    certificate: str,
    port: int = 0,
    clock: Callable[[], float] = time.time,
    delays: Delays | None = None,
    limits: Limits | None = None,
) -> RunningDigitalOcean:
    """Serve the account kept in the folder, resuming what it held; PortTakenError when the port is in use.

    `certificate` is that of the CA whose signature the servers show, as PEM text.
    """
    database = Database(folder / DATABASE_FILE)
    state = State(database, servers, certificate, clock, delays or Delays())
    log = RequestLog(database, clock)
    faults = FaultBox()
    server = serve_app(create_app(state, token, log, faults, limits or Limits()), port, "the DigitalOcean simulator")
    clusters.resume(state)
    return RunningDigitalOcean(token, state, log, faults, server)
