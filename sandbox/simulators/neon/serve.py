"""A running Neon simulator: its parts put together on a loopback port."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandbox.faults import FaultBox
from sandbox.simulators.neon import projects
from sandbox.simulators.neon.app import Pace, create_app
from sandbox.simulators.neon.records import ORGANIZATION
from sandbox.simulators.neon.state import Delays, State
from sandbox.simulators.neon.urls import PREFIX
from sandbox.simulators.objects import Database
from sandbox.simulators.request_log import RequestLog
from sandbox.simulators.running import RunningSimulator
from sandbox.simulators.server import serve_app
from sandbox.simulators.servers import ClusterServers

__all__ = ["Delays", "Pace", "RunningNeon", "serve"]

DATABASE_FILE = "neon.sqlite"


@dataclass(frozen=True, kw_only=True)
class RunningNeon(RunningSimulator):
    """The simulator with everything a test or the supervisor may want to look at."""

    key: str
    state: State

    @property
    def api_url(self) -> str:
        """Where the API answers: the paths of the document are below."""
        return self.url + PREFIX

    @property
    def environment(self) -> dict[str, str]:
        """The variables a client of this organization needs."""
        return {
            "NEON_API_KEY": self.key,
            "NEON_API_URL": self.api_url,
            "NEON_ORG_ID": ORGANIZATION,
            "NEON_SSLMODE": "disable",
        }


def serve(
    folder: Path,
    *,
    key: str,
    servers: ClusterServers,
    port: int = 0,
    clock: Callable[[], float] = time.time,
    delays: Delays | None = None,
    pace: Pace | None = None,
    personal: bool = False,
) -> RunningNeon:
    """Serve the organization kept in the folder, resuming what it held; PortTakenError when the port is in use.

    The key is the organization's, or with `personal` that of a person, who has to name the organization.
    """
    database = Database(folder / DATABASE_FILE)
    state = State(database, servers, clock, delays or Delays(), personal=personal)
    log = RequestLog(database, clock)
    faults = FaultBox()
    server = serve_app(create_app(state, key, log, faults, pace=pace or Pace()), port, "the Neon simulator")
    projects.resume(state)

    def close() -> None:
        servers.close()
        database.close()

    return RunningNeon(key=key, state=state, log=log, faults=faults, server=server, close=close)
