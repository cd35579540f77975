"""A running DigitalOcean simulator: its parts put together on a loopback port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import FaultBox
from sandbox.simulators.digitalocean import clusters
from sandbox.simulators.digitalocean.app import create_app
from sandbox.simulators.digitalocean.limit import Limits
from sandbox.simulators.digitalocean.servers import ManagedServers
from sandbox.simulators.digitalocean.state import Delays, State
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import RequestLog
from sandbox.simulators.running import RunningSimulator
from sandbox.simulators.server import serve_app

__all__ = ["Delays", "Limits", "RunningDigitalOcean", "serve"]

DATABASE_FILE = "digitalocean.sqlite"


@dataclass(frozen=True, kw_only=True)
class RunningDigitalOcean(RunningSimulator):
    """The simulator with everything a test or the supervisor may want to look at."""

    token: str
    state: State

    @property
    def environment(self) -> dict[str, str]:
        """The variables a client of this account needs."""
        return {"DIGITALOCEAN_TOKEN": self.token, "DIGITALOCEAN_API_URL": self.url}


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

    def close() -> None:
        servers.close()
        database.close()

    return RunningDigitalOcean(token=token, state=state, log=log, faults=faults, server=server, close=close)
